# NixOS module `services.compliance-agent`: the agent as a hardened service, and a root timer that reads what it may not.
{
  config,
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

  helpers = import ./helpers.nix { inherit program configFile user; };
  helperUnits = map (name: "${name}.service") helpers.startedByDaemon;

  # `/var/lib/name` → `name`; null where it is anything else.
  stateName =
    let
      found = builtins.match "/var/lib/([a-z0-9][a-z0-9-]*)" cfg.stateDir;
    in
    if found == null then null else builtins.head found;

  # One `key: value` per line; every value is JSON, which YAML 1.2 contains.
  settings = {
    provision_dir = "${cfg.stateDir}/provision";
  }
  // builtins.listToAttrs (
    builtins.filter (pair: pair.value != null) (
      map (name: {
        name = table.${name}.key;
        value = cfg.${name};
      }) (builtins.attrNames table)
    )
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
  // builtins.mapAttrs (_: option: lib.mkOption (builtins.removeAttrs option [ "key" ])) table
  // builtins.mapAttrs (
    _: who:
    lib.mkOption {
      type = lib.types.unspecified;
      default = null;
      visible = false;
      description = "Not an option: ${who}.";
    }
  ) decidedElsewhere;

  config = lib.mkIf cfg.enable {
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
    }) refused;

    users.users.${user} = {
      isSystemUser = true;
      inherit uid;
      group = user;
      home = cfg.stateDir;
      description = "Compliance agent";
    };
    users.groups.${user}.gid = uid;

    environment.etc."compliance-agent/config.yaml".source = checkedConfig;
    # For the technician, and for probes: the agent looks for tools in /run/current-system/sw/bin.
    environment.systemPackages = [
      cfg.package
      pkgs.nftables
    ];

    # No sudo, no setuid: the daemon starts the helpers by their names and can do nothing else to units. The facts are read anew after
    # a change, before their timer.
    security.polkit.enable = true;
    security.polkit.extraConfig = helpers.polkitRule (helperUnits ++ [ "compliance-agent-facts.service" ]);

    systemd.services = helpers.services // {
      compliance-agent = {
        description = "Compliance agent";
        wantedBy = [ "multi-user.target" ];
        after = [
          "network.target"
          "nss-lookup.target"
        ];
        # A dead end is a defect: however often it ended, it is started again.
        unitConfig.StartLimitIntervalSec = 0;
        restartTriggers = [ checkedConfig ];
        # One arena of malloc instead of one per thread.
        environment.MALLOC_ARENA_MAX = "1";
        serviceConfig = {
          Type = "notify";
          NotifyAccess = "main";
          ExecStart = "${program} run --config ${configFile}";
          User = user;
          Group = user;
          # To read back from the journal what the check `logging` wrote.
          SupplementaryGroups = [ "systemd-journal" ];
          StateDirectory = stateName;
          StateDirectoryMode = "0750";
          # In memory: what the daemon leaves for the helpers. It stays for a helper that is still to run.
          RuntimeDirectory = "compliance-agent/drop";
          RuntimeDirectoryMode = "0750";
          RuntimeDirectoryPreserve = true;
          # The sealed device key; without one, the agent makes a file.
          LoadCredentialEncrypted = "compliance-agent.device-key";
          WorkingDirectory = cfg.stateDir;
          Restart = "always";
          RestartSec = 5;
          TimeoutStartSec = 120;
          # The daemon ends within 10 s by itself.
          TimeoutStopSec = 20;
          WatchdogSec = 30;
          # Above the limit that the daemon keeps by itself, with room for the tools that it starts.
          MemoryMax = "${toString (cfg.memoryLimitMib + 128)}M";
          StandardInput = "null";
          StandardOutput = "journal";
          StandardError = "journal";
          SyslogIdentifier = "compliance-agent";
        }
        // import ./hardening.nix;
      };

      compliance-agent-facts = {
        description = "Facts for the compliance agent that only root can read";
        environment.MALLOC_ARENA_MAX = "1";
        serviceConfig = {
          Type = "oneshot";
          ExecStart = "${program} facts firewall encryption av_edr --write ${factsDir} --config ${configFile}";
          RuntimeDirectory = "compliance-agent/facts";
          RuntimeDirectoryMode = "0755";
          # The daemon reads them between two runs.
          RuntimeDirectoryPreserve = true;
          TimeoutStartSec = 60;
          MemoryMax = "256M";
        }
        // import ./hardening.nix
        // {
          # `nft list ruleset` needs the first, in the network's own user namespace; the second is for which file the process of
          # another user runs.
          CapabilityBoundingSet = "CAP_NET_ADMIN CAP_SYS_PTRACE";
          PrivateUsers = false;
          UMask = "0022";
          RestrictAddressFamilies = [
            "AF_NETLINK"
            "AF_UNIX"
          ];
          # The headers of encrypted volumes: root owns the devices, and without CAP_DAC_OVERRIDE root reads only what is its
          # own or everybody's.
          PrivateDevices = false;
          DeviceAllow = [ "block-* r" ];
        };
      };
    };
    systemd.timers = helpers.timers // {
      compliance-agent-facts = {
        description = "Facts for the compliance agent that only root can read";
        wantedBy = [ "timers.target" ];
        timerConfig = {
          OnActiveSec = 0;
          # Facts older than two turns of ten minutes count as stale.
          OnUnitInactiveSec = "10min";
          AccuracySec = "1s";
        };
      };
    };
  };
}
