{
  description = "On-site compliance agent for NixOS appliances, and its Central Command";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      system = "x86_64-linux";
      pkgs = nixpkgs.legacyPackages.${system};
      agent = pkgs.callPackage ./nix/package.nix { };
      central = pkgs.callPackage ./nix/central-package.nix { };

      agentModule =
        { lib, ... }:
        {
          imports = [ ./nix/module.nix ];
          services.compliance-agent.package = lib.mkDefault agent;
        };
      applianceModule = {
        imports = [
          agentModule
          ./nix/appliance.nix
        ];
      };
      centralModule =
        { lib, ... }:
        {
          imports = [ ./nix/central.nix ];
          services.central-command.package = lib.mkDefault central;
        };
      installer = pkgs.callPackage ./iso/package.nix { inherit agent; };
      # The stick of a partner: `appliance` (what `nixosSystem` gave), `partnerFile`, `rootSha256`, `modules` (docs/installer.md).
      installerOf = arguments: import ./iso ({ inherit nixpkgs system installer; } // arguments);

      exampleRoot = nixpkgs.lib.trim (builtins.readFile ./iso/example/root.sha256);

      # What the modules give, compared with what was reviewed.
      libPath = nixpkgs + "/lib";
      evaluated = import ./nix/eval {
        settings.resellerId = "northwind-msp";
        appliance = true;
        inherit libPath;
      };
      golden =
        evaluated.units
        // evaluated.files
        // (import ./nix/eval/central.nix {
          settings = { };
          inherit libPath;
        }).units;
      compared = pkgs.lib.concatMapStrings (name: ''
        diff -u ${./nix/golden + "/${name}"} ${pkgs.writeText "evaluated" golden.${name}}
      '') (builtins.attrNames golden);
    in
    {
      packages.${system} = {
        inherit agent central installer;
        # With the partner of the example: a partner's own flake calls `lib.installer`.
        iso = self.nixosConfigurations.installer.config.system.build.isoImage;
        default = agent;
      };
      lib.installer = installerOf;

      nixosModules = {
        compliance-agent = agentModule;
        appliance = applianceModule;
        central = centralModule;
        default = agentModule;
      };

      # The least that an appliance of a partner is made of; a partner's own flake adds what it backs up, and to where.
      nixosConfigurations.appliance = nixpkgs.lib.nixosSystem {
        inherit system;
        modules = [
          applianceModule
          {
            imports = [ ./nix/examples/reseller.nix ];
            services.compliance-agent.rootSha256 = exampleRoot;
          }
          ./iso/hp-t640.nix
        ];
      };
      nixosConfigurations.installer = installerOf {
        inherit (self.nixosConfigurations) appliance;
        partnerFile = ./iso/example/partner.json;
        rootSha256 = exampleRoot;
      };

      checks.${system} = {
        inherit agent central installer;
        units = pkgs.runCommand "golden-units" { } "${compared} touch $out";
        appliance = self.nixosConfigurations.appliance.config.system.build.toplevel;
      }
      // import ./nix/tests {
        inherit pkgs;
        modules = self.nixosModules;
      };

      devShells.${system}.default = pkgs.mkShell {
        packages = [
          pkgs.nodejs_24
          pkgs.nixfmt
        ];
      };
    };
}
