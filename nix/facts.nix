# A root timer that reads what the daemon may not, into files that the daemon may read.
{
  program,
  configFile,
  factsDir,
  ...
}:
{
  services = {
    compliance-agent-facts = {
      description = "Facts for the compliance agent that only root can read";
      environment.MALLOC_ARENA_MAX = "1";
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${program} facts firewall encryption av_edr recovery_key --write ${factsDir} --config ${configFile}";
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
        # The headers of encrypted volumes, and the sealed recovery key on /boot: root owns the devices and that folder, and without
        # CAP_DAC_OVERRIDE root reads only what is its own or everybody's.
        PrivateDevices = false;
        DeviceAllow = [ "block-* r" ];
      };
    };
  };
  timers.compliance-agent-facts = {
    description = "Facts for the compliance agent that only root can read";
    wantedBy = [ "timers.target" ];
    timerConfig = {
      OnActiveSec = 0;
      # Facts older than two turns of ten minutes count as stale.
      OnUnitInactiveSec = "10min";
      AccuracySec = "1s";
    };
  };

  # They are read anew after a change, before their timer.
  startedByDaemon = [ "compliance-agent-facts.service" ];
}
