# The privileged helpers: a oneshot of root's for each verb, started by exact name, with no more than the verb needs
# (docs/helpers.md). What they are handed they judge themselves; none takes an argument or reaches the network.
{
  program,
  configFile,
  user,
}:
let
  dropDir = "/run/compliance-agent/drop";
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
in
{
  inherit dropDir;
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
  };

  # The daemon may start exactly these, and do nothing else to them (polkit(8)).
  polkitRule =
    units:
    ''
      polkit.addRule(function (action, subject) {
        if (action.id !== "org.freedesktop.systemd1.manage-units" || subject.user !== "${user}") return;
        var units = ${builtins.toJSON units};
        if (action.lookup("verb") === "start" && units.indexOf(action.lookup("unit")) >= 0) return polkit.Result.YES;
      });
    '';
}
