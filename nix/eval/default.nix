# Evaluates the module without NixOS and without building anything: the units as text, the configuration file, what is
# refused, and the table of options.
#   nix-instantiate --eval --strict --json nix/eval --arg settings '{ resellerId = "northwind-msp"; }'
{
  # Settings of `services.compliance-agent`.
  settings ? { },
  # Path of nixpkgs' `lib`; without it a small one of our own.
  libPath ? null,
  # Where the package counts as installed.
  prefix ? "/opt/compliance-agent",
}:
let
  render = import ./render-unit.nix;
  tiny = import ./tiny-lib.nix;
  derivation = name: outPath: {
    type = "derivation";
    inherit name outPath;
  };
  pkgs = {
    nftables = derivation "nftables" "/usr";
    runCommandLocal =
      name: attributes: _script:
      derivation name "/nix/store/${name}" // { inherit (attributes) text; };
  };
  given = {
    enable = true;
    package = derivation "compliance-agent" prefix;
  }
  // settings;

  withTiny = tiny.evaluate {
    module = import ../module.nix;
    service = "compliance-agent";
    lib = tiny;
    inherit given pkgs;
  };
  lib = import libPath;
  withNixpkgs =
    let
      evaluated = lib.evalModules {
        specialArgs = { inherit pkgs; };
        modules = [
          ../module.nix
          ./nixos-stub.nix
          { services.compliance-agent = given; }
        ];
      };
    in
    {
      inherit (evaluated) config;
      declared = evaluated.options.services.compliance-agent;
    };

  inherit (if libPath == null then withTiny else withNixpkgs) config declared;
  failed = builtins.filter (one: !one.assertion) config.assertions;
  shown = builtins.filter (name: declared.${name}.visible or true) (builtins.attrNames declared);
in
{
  refused = map (one: one.message) failed;
  user = config.users.users.compliance-agent;
  configText = config.environment.etc."compliance-agent/config.yaml".source.text;
  polkitRule = config.security.polkit.extraConfig;
  units =
    if failed != [ ] then
      { }
    else
      builtins.listToAttrs (
        map (name: {
          name = "${name}.timer";
          value = render.timer config.systemd.timers.${name};
        }) (builtins.attrNames config.systemd.timers)
      )
      // builtins.listToAttrs (
        map (name: {
          name = "${name}.service";
          value = render.service config.systemd.services.${name};
        }) (builtins.attrNames config.systemd.services)
      );
  options = map (name: {
    inherit name;
    type = declared.${name}.type.description;
    default = declared.${name}.default or null;
    required = !(declared.${name} ? default);
    inherit (declared.${name}) description;
  }) shown;
}
