# What only root may know about the backup: its password is root's. A timer reads the repository for the daemon; two more prove, now
# and then, that what is stored is sound and can be restored. They may use the network, since repositories lie elsewhere.
{
  pkgs,
  program,
  configFile,
  factsDir,
  ...
}:
let
  jobsDir = "/run/compliance-agent/jobs";
  unit =
    {
      description,
      command,
      runtimeDirectory,
      more ? { },
    }:
    {
      inherit description;
      environment.MALLOC_ARENA_MAX = "1";
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${program} ${command} --config ${configFile}";
        RuntimeDirectory = runtimeDirectory;
        RuntimeDirectoryMode = "0755";
        # The daemon reads it between two runs.
        RuntimeDirectoryPreserve = true;
        # restic holds the index of the repository in memory.
        MemoryMax = "1G";
      }
      // import ./hardening.nix
      // {
        # The repository on a disk of this machine may belong to whoever backs up.
        CapabilityBoundingSet = "CAP_DAC_READ_SEARCH";
        PrivateUsers = false;
        UMask = "0022";
        # Keys for a repository over SFTP are with root.
        ProtectHome = "read-only";
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_UNIX"
        ];
      }
      // more;
    };
  # Six hours for each program that a job runs.
  jobTime.TimeoutStartSec = 28800;
in
{
  packages = [ pkgs.restic ];

  services = {
    compliance-agent-facts-backup = unit {
      description = "Facts about the backup, whose password only root can read";
      command = "facts backup --write ${factsDir}";
      runtimeDirectory = "compliance-agent/facts";
      more.TimeoutStartSec = 60;
    };
    compliance-agent-backup-check = unit {
      description = "Proof that the stored backup is sound";
      command = "job backup-check --write ${jobsDir}";
      runtimeDirectory = "compliance-agent/jobs";
      more = jobTime;
    };
    compliance-agent-backup-restore-test = unit {
      description = "Proof that the backup can be restored, into a private folder";
      command = "job backup-restore-test --write ${jobsDir}";
      runtimeDirectory = "compliance-agent/jobs";
      more = jobTime // {
        # Reads what was backed up, and gives what it restores its owners back: in a folder that nobody else sees.
        CapabilityBoundingSet = "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER";
        SystemCallFilter = [
          "@system-service"
          "~@privileged @resources"
          "~listen accept accept4"
          "@chown"
        ];
      };
    };
  };

  timers = {
    compliance-agent-facts-backup = {
      description = "Facts about the backup, whose password only root can read";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnActiveSec = 0;
        # Facts older than two turns of half an hour count as stale.
        OnUnitInactiveSec = "15min";
        AccuracySec = "1s";
      };
    };
    compliance-agent-backup-check = {
      description = "Proof that the stored backup is sound";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = "Sun 01:30";
        RandomizedDelaySec = "1h";
        # One that was missed is made good.
        Persistent = true;
      };
    };
    compliance-agent-backup-restore-test = {
      description = "Proof that the backup can be restored";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        # Twice a month: thirty days may lie between two of them at most.
        OnCalendar = "*-*-01,15 03:30";
        RandomizedDelaySec = "1h";
        Persistent = true;
      };
    };
  };

  # Read anew after a change, before its timer.
  startedByDaemon = [ "compliance-agent-facts-backup.service" ];
}
