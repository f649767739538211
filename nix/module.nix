# NixOS module `services.compliance-agent`: the options, what is refused of them, and the parts put together. What a part
# is stands in nix/README.md.
{
  config,
  options,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.compliance-agent;
  table = import ./options.nix { inherit lib; };
  decidedElsewhere = import ./decided-elsewhere.nix;

  # Number below 400: NixOS hands out numbers of system users from 999 downwards.
  uid = 396;
  user = "compliance-agent";
  configFile = "/etc/compliance-agent/config.yaml";
  factsDir = "/run/compliance-agent/facts";
  program = "${cfg.package}/bin/compliance-agent";

  parts =
    map
      (
        file:
        import file {
          inherit
            config
            options
            lib
            pkgs
            cfg
            program
            configFile
            checkedConfig
            factsDir
            stateName
            user
            uid
            ;
        }
      )
      [
        ./service.nix
        ./facts.nix
        ./egress.nix
        ./backup.nix
        ./helpers.nix
        ./updates.nix
        ./config-stick.nix
        ./console.nix
        ./first-boot.nix
      ];
  # What the parts give under a name, in the order of the parts. The same unit or file in two parts is a mistake.
  listOf = name: builtins.concatLists (map (part: part.${name} or [ ]) parts);
  textOf = name: builtins.concatStringsSep "" (map (part: part.${name} or "") parts);
  attrsOf =
    name:
    builtins.foldl' (
      all: part:
      let
        more = part.${name} or { };
        twice = builtins.attrNames (builtins.intersectAttrs all more);
      in
      if twice == [ ] then all // more else throw "two parts give ${name}.${builtins.head twice}"
    ) { } parts;

  # `/var/lib/name` → `name`; null where it is anything else.
  stateName =
    let
      found = builtins.match "/var/lib/([a-z0-9][a-z0-9-]*)" cfg.stateDir;
    in
    if found == null then null else builtins.head found;

  # An option has a type; what has none is a group of options.
  declare = builtins.mapAttrs (
    _: option:
    if option ? type then lib.mkOption (builtins.removeAttrs option [ "key" ]) else declare option
  );
  # Those that have a key in the configuration file, each with its value.
  keyed =
    options: values:
    builtins.concatLists (
      map (
        name:
        let
          option = options.${name};
        in
        if !(option ? type) then
          keyed option values.${name}
        else if option ? key then
          [
            {
              name = option.key;
              value = values.${name};
            }
          ]
        else
          [ ]
      ) (builtins.attrNames options)
    );

  # One `key: value` per line; every value is JSON, which YAML 1.2 contains.
  settings = {
    provision_dir =
      if cfg.configStick.enable then "${cfg.stateDir}-provision" else "${cfg.stateDir}/provision";
  }
  // builtins.listToAttrs (
    builtins.filter (pair: pair.value != null) (keyed table cfg)
  );
  configText = builtins.concatStringsSep "" (
    map (key: "${key}: ${builtins.toJSON settings.${key}}\n") (builtins.attrNames settings)
  );
  # The agent itself judges its configuration before anything is switched to it.
  checkedConfig =
    pkgs.runCommandLocal "compliance-agent-config.yaml"
      {
        text = configText;
        passAsFile = [ "text" ];
      }
      ''
        cp "$textPath" "$out"
        ${program} config check "$out"
      '';

  refused = builtins.filter (name: cfg.${name} != null) (builtins.attrNames decidedElsewhere);
  own = {
    assertions = [
      {
        assertion = stateName != null;
        message = "services.compliance-agent.stateDir must be one folder directly below /var/lib (it is ${cfg.stateDir}): systemd makes it, and nothing else can be written.";
      }
      {
        assertion = cfg.mode != "reseller" || cfg.resellerId != null;
        message = "services.compliance-agent.resellerId is required in mode `reseller`.";
      }
      {
        assertion = cfg.mode != "direct" || cfg.resellerId == null;
        message = "services.compliance-agent.resellerId has no effect in mode `direct`; remove it.";
      }
    ]
    ++ map (name: {
      assertion = false;
      message = "services.compliance-agent.${name} cannot be set here: ${decidedElsewhere.${name}}.";
    }) refused
    ++ listOf "assertions";

    users.users = attrsOf "users" // {
      ${user} = {
        isSystemUser = true;
        inherit uid;
        group = user;
        home = cfg.stateDir;
        description = "Compliance agent";
      };
    };
    users.groups = attrsOf "groups" // {
      ${user}.gid = uid;
    };

    environment.etc = attrsOf "etc" // {
      "compliance-agent/config.yaml".source = checkedConfig;
    };
    # For the technician, and for probes: the agent looks for tools in /run/current-system/sw/bin.
    environment.systemPackages = [
      cfg.package
      pkgs.nftables
    ]
    ++ listOf "packages";

    # No sudo, no setuid: the daemon starts units of root's by their names and can do nothing else to units.
    security.polkit.enable = true;
    security.polkit.extraConfig = import ./polkit-rule.nix {
      inherit user;
      units = listOf "startedByDaemon";
    };
    services.udev.extraRules = textOf "udevRules";
    networking.nftables.tables = attrsOf "tables";
    systemd.tmpfiles.rules = listOf "tmpfiles";

    systemd.services = attrsOf "services";
    systemd.timers = attrsOf "timers";
    systemd.paths = attrsOf "paths";
    systemd.sockets = attrsOf "sockets";
    systemd.mounts = listOf "mounts";
  };
in
{
  options.services.compliance-agent = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = false;
      example = true;
      description = "Whether to run the compliance agent.";
    };
    package = lib.mkOption {
      type = lib.types.package;
      description = "The agent, as `nix/package.nix` builds it.";
    };
  }
  // declare table
  // builtins.mapAttrs (
    _: who:
    lib.mkOption {
      type = lib.types.unspecified;
      default = null;
      visible = false;
      description = "Not an option: ${who}.";
    }
  ) decidedElsewhere;

  config = lib.mkIf cfg.enable (
    lib.mkMerge ([ own ] ++ map (part: part.more or { }) parts)
  );
}
