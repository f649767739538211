# Updates of the whole system, with a way back, and its restart (docs/updates.md). The verifier stands in helpers.nix; here is the one unit that
# switches. It cannot be confined: what it starts installs a boot loader and restarts whatever changed. So it takes no argument, reads
# nothing that the daemon wrote but a version and a number, and does only what a plan says that the verifier left.
{
  cfg,
  program,
  configFile,
  lib,
  pkgs,
  ...
}:
{
  services.compliance-agent-switch-system = {
    description = "Switch to the system of a verified plan, and back where it does not hold";
    # It is of the system that it switches away from, and ends by itself: a switch leaves it alone. No order to other units either:
    # their jobs would wait for it, and it for them.
    restartIfChanged = false;
    stopIfChanged = false;
    unitConfig.X-StopOnRemoval = false;
    environment = {
      MALLOC_ARENA_MAX = "1";
      COMPLIANCE_AGENT_DROP = "/run/compliance-agent/drop";
      # By their places in the store: also what takes the way back is of the old system.
      COMPLIANCE_AGENT_PROGRAM = program;
      COMPLIANCE_AGENT_NIX_BIN = "${pkgs.nix}/bin";
      COMPLIANCE_AGENT_SYSTEMD_BIN = "${pkgs.systemd}/bin";
      COMPLIANCE_AGENT_NFT = "${pkgs.nftables}/sbin/nft";
      COMPLIANCE_AGENT_HEALTH_S = toString cfg.rebuildHealthCheckTimeoutS;
    }
    // (if cfg.egress then { COMPLIANCE_AGENT_EGRESS_TABLE = "inet compliance-agent-egress"; } else { });
    serviceConfig = {
      Type = "oneshot";
      ExecStart = "${program} helper switch-system --config ${configFile}";
      StateDirectory = "compliance-agent-helpers";
      StateDirectoryMode = "0700";
      RuntimeDirectory = "compliance-agent/helpers";
      RuntimeDirectoryMode = "0755";
      RuntimeDirectoryPreserve = true;
      ConfigurationDirectory = "credstore.encrypted";
      ConfigurationDirectoryMode = "0700";
      # Pull, switch, gate and way back.
      TimeoutStartSec = "90min";
      TimeoutStopSec = 20;
      LimitCORE = 0;
      UMask = "0022";
      # What it switches may need the memory of others; it is not the one that is ended for that.
      OOMScoreAdjust = -900;
    };
  };

  # Armed by the helper `reboot`, after which the daemon has to write down what it handed over.
  services.compliance-agent-restart-machine = {
    description = "Restart of the machine";
    serviceConfig = {
      Type = "oneshot";
      # What `systemctl reboot` asks for; by this name no session manager is needed.
      ExecStart = "${pkgs.systemd}/bin/systemctl --no-block --job-mode=replace-irreversibly start reboot.target";
    }
    // import ./hardening.nix
    // {
      # Root may speak with systemd without a capability (its private socket).
      PrivateUsers = false;
      PrivateNetwork = true;
      RestrictAddressFamilies = "AF_UNIX";
    };
  };
  timers.compliance-agent-restart-machine = {
    description = "Restart of the machine in some seconds";
    timerConfig = {
      OnActiveSec = 10;
      AccuracySec = "1s";
    };
  };

  # A switch that a restart of the machine cut off is brought to its end, and told.
  timers.compliance-agent-switch-system = {
    description = "End of a switch of the system that a restart cut off";
    wantedBy = [ "timers.target" ];
    timerConfig = {
      OnBootSec = 20;
      AccuracySec = "1s";
    };
  };

  more.nix.settings =
    if cfg.updates.cache == null then
      { }
    else
      {
        # In place of what NixOS sets by itself: its own cache, and the key of that.
        substituters = lib.mkForce [ cfg.updates.cache ];
        trusted-public-keys = lib.mkForce cfg.updates.publicKeys;
        require-sigs = true;
      };

  assertions = [
    {
      assertion = cfg.updates.cache == null || cfg.updates.publicKeys != [ ];
      message = "services.compliance-agent.updates.publicKeys names no key: nothing that updates.cache serves could be trusted.";
    }
  ];
}
