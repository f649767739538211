# The privileged helpers: a oneshot of root's for each verb, started by exact name, with no more than the verb needs
# (docs/helpers.md). What they are handed they judge themselves; none takes an argument or reaches the network.
{
  program,
  configFile,
  user,
  cfg,
  ...
}:
let
  dropDir = "/run/compliance-agent/drop";
  stickDir = "/run/cliniccfg";
  unit =
    {
      verb,
      description,
      syscalls ? [ ],
      more ? { },
    }:
    {
      inherit description;
      # Beside the helper's own count: what cannot even be started costs nothing.
      unitConfig = {
        StartLimitIntervalSec = 3600;
        StartLimitBurst = 60;
      };
      environment = {
        MALLOC_ARENA_MAX = "1";
        COMPLIANCE_AGENT_DROP = dropDir;
      };
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${program} helper ${verb} --config ${configFile}";
        # To read what the daemon leaves for it: root without capabilities reads its own files and its groups'.
        SupplementaryGroups = [ user ];
        # systemd hands the paths over: STATE_DIRECTORY, RUNTIME_DIRECTORY and CONFIGURATION_DIRECTORY.
        StateDirectory = "compliance-agent-helpers";
        StateDirectoryMode = "0700";
        RuntimeDirectory = "compliance-agent/helpers";
        RuntimeDirectoryMode = "0755";
        RuntimeDirectoryPreserve = true;
        ConfigurationDirectory = "credstore.encrypted";
        ConfigurationDirectoryMode = "0700";
        TimeoutStartSec = 120;
        MemoryMax = "256M";
      }
      // import ./hardening.nix
      // {
        # Who owns a file must be seen as it is.
        PrivateUsers = false;
        PrivateNetwork = true;
        RestrictAddressFamilies = "none";
        # Reading whether the clock is synchronised (adjtimex) counts as touching it; setting it takes a capability.
        ProtectClock = false;
        SystemCallFilter = [
          "@system-service"
          "~@privileged @resources"
          "~listen accept accept4"
          (builtins.concatStringsSep " " ([ "adjtimex clock_adjtime" ] ++ syscalls))
        ];
      }
      // more;
    };
  services = {
    compliance-agent-sync-trust = unit {
      verb = "sync-trust";
      description = "Trust root, content list and site policy for the helpers of the compliance agent";
    };
    compliance-agent-set-clock = unit {
      verb = "set-clock";
      description = "Clock of the machine from the signed time of Central Command, where NTP is dead";
      syscalls = [ "clock_settime clock_settime64" ];
      more.CapabilityBoundingSet = "CAP_SYS_TIME";
    };
    compliance-agent-store-device-key = unit {
      verb = "store-device-key";
      description = "Device key of the compliance agent, sealed as a credential";
      more = {
        # The key of the machine, made at the first use, and the TPM.
        ReadWritePaths = [ "/var/lib/systemd" ];
        PrivateDevices = false;
        DeviceAllow = [ "char-tpm rw" ];
      };
    };
    compliance-agent-config-stick =
      let
        base = unit {
          verb = "config-stick";
          description = "Provisioning files of a stick with the label CLINICCFG";
          more = {
            # Only to see whether a stick is plugged in: not one device can be opened.
            PrivateDevices = false;
            ReadWritePaths = [
              "-${stickDir}"
              "-${cfg.stateDir}-provision"
            ];
          };
        };
      in
      base
      // {
        environment = base.environment // {
          COMPLIANCE_AGENT_STICK = stickDir;
        };
        # systemd mounts the stick (config-stick.nix), so that the helper needs no right to. Where that fails, the helper says so.
        wants = [ "run-cliniccfg.mount" ];
        after = [ "run-cliniccfg.mount" ];
      };
    # Root may speak with systemd without a capability (its private socket).
    compliance-agent-restart-unit = unit {
      verb = "restart-unit";
      description = "Restart of a declared service that the compliance agent found stopped";
      more = {
        RestrictAddressFamilies = "AF_UNIX";
        # A service may take a minute and a half to stop.
        TimeoutStartSec = 300;
      };
    };
    compliance-agent-run-backup = unit {
      verb = "run-backup";
      description = "Start of the declared backup that the compliance agent found stale";
      more.RestrictAddressFamilies = "AF_UNIX";
    };
    compliance-agent-restore-firewall = unit {
      verb = "restore-firewall";
      description = "Packet filter of the signed baseline";
      more = packetFilter;
    };
    # Judge an order or a grant, no more: what switches the system is another unit (updates.nix), and takes its plan from here.
    compliance-agent-apply-update = unit {
      verb = "apply-update";
      description = "Verifier of updates of the system";
      more.RestrictAddressFamilies = "AF_UNIX";
    };
    compliance-agent-reboot = unit {
      verb = "reboot";
      description = "Restart of the machine by an authorised order";
      more.RestrictAddressFamilies = "AF_UNIX";
    };
    compliance-agent-revert-firewall = unit {
      verb = "revert-firewall";
      description = "Packet filter as it was before a restore that nobody confirmed";
      more = packetFilter // {
        # Another helper may be at work; the way back is taken all the same.
        Restart = "on-failure";
        RestartSec = 5;
      };
    };
    compliance-agent-restore-test = unit {
      verb = "restore-test";
      description = "Restore of a part of the newest backup, into a private folder";
      syscalls = [ "@chown" ];
      more = {
        # Reads what was backed up, and gives what it restores its owners back: in a folder that nobody else sees.
        CapabilityBoundingSet = "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER";
        ProtectHome = "read-only";
        # The repository may lie elsewhere.
        PrivateNetwork = false;
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_UNIX"
        ];
        # restic holds the index of the repository in memory.
        MemoryMax = "1G";
        TimeoutStartSec = 5400;
      };
    };
  };
  # The filter of the machine's own network, and no other right.
  packetFilter = {
    CapabilityBoundingSet = "CAP_NET_ADMIN";
    PrivateNetwork = false;
    # In that network, and without a word to anybody.
    IPAddressDeny = "any";
    RestrictAddressFamilies = [
      "AF_NETLINK"
      "AF_UNIX"
    ];
  };
in
{
  inherit services;

  # Armed by restore-firewall before it changes anything, stopped when the daemon confirms.
  timers.compliance-agent-revert-firewall = {
    description = "Way back from a restored packet filter";
    timerConfig = {
      OnActiveSec = 300;
      AccuracySec = "1s";
    };
  };

  # Not the way back, which a timer takes.
  startedByDaemon = map (name: "${name}.service") (
    builtins.filter (name: name != "compliance-agent-revert-firewall") (builtins.attrNames services)
  );
}
