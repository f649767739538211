{
  description = "On-site compliance agent for NixOS appliances";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      system = "x86_64-linux";
      pkgs = nixpkgs.legacyPackages.${system};
      agent = pkgs.callPackage ./nix/package.nix { };
      module =
        { lib, ... }:
        {
          imports = [ ./nix/module.nix ];
          services.compliance-agent.package = lib.mkDefault agent;
        };
      golden = import ./nix/eval {
        settings.resellerId = "northwind-msp";
        libPath = nixpkgs + "/lib";
      };
      # Each unit that the module gives, compared with the one that was reviewed.
      compareUnits = pkgs.lib.concatMapStrings (name: ''
        diff -u ${./nix/golden + "/${name}"} ${pkgs.writeText "evaluated" golden.units.${name}}
      '') (builtins.attrNames golden.units);
    in
    {
      packages.${system} = {
        inherit agent;
        default = agent;
      };

      nixosModules = {
        compliance-agent = module;
        default = module;
      };

      checks.${system} = {
        inherit agent;
        units = pkgs.runCommand "compliance-agent-units" { } "${compareUnits} touch $out";
        service = import ./nix/tests/service.nix { inherit pkgs module; };
      };

      devShells.${system}.default = pkgs.mkShell {
        packages = [
          pkgs.nodejs_24
          pkgs.nixfmt
        ];
      };
    };
}
