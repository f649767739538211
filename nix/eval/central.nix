# Evaluates the module of Central Command as default.nix does that of the agent.
{
  # Settings of `services.central-command`.
  settings ? { },
  libPath ? null,
  prefix ? "/opt/central-command",
}:
let
  render = import ./render-unit.nix;
  tiny = import ./tiny-lib.nix;
  pkgs = { };
  given = {
    enable = true;
    package = {
      type = "derivation";
      name = "central-command";
      outPath = prefix;
    };
  }
  // settings;
  withTiny = tiny.evaluate {
    module = import ../central.nix;
    others = [ ];
    options = { };
    service = "central-command";
    lib = tiny;
    inherit given pkgs;
  };
  lib = import libPath;
  evaluated = lib.evalModules {
    specialArgs = {
      inherit pkgs;
      isNew = false;
    };
    modules = [
      ../central.nix
      ./nixos-stub.nix
      ./nixos-stub-machine.nix
      { services.central-command = given; }
    ];
  };
  config = if libPath == null then withTiny.config else evaluated.config;
  declared =
    if libPath == null then withTiny.declared else evaluated.options.services.central-command;
  failed = builtins.filter (one: !one.assertion) config.assertions;
in
{
  refused = map (one: one.message) failed;
  units =
    if failed != [ ] then
      { }
    else
      { "central-command.service" = render.service config.systemd.services.central-command; };
  ports = config.networking.firewall.allowedTCPPorts;
  options = map (name: {
    inherit name;
    default = declared.${name}.default or null;
    required = !(declared.${name} ? default);
    inherit (declared.${name}) description;
  }) (builtins.attrNames declared);
}
