# The encrypted volume: how it opens at the very first start, by the installer's key, and the helper that exchanges that key for one
# of the TPM's (docs/first-boot.md). Names of partitions and files: docs/installer.md.
{
  cfg,
  lib,
  pkgs,
  program,
  configFile,
  user,
  ...
}:
let
  device = "/dev/disk/by-partlabel/clinic-root";
  volume = "clinic-root";
  keyFile = "compliance-agent/unlock.key";
  unless = nothing: given: if cfg.sealDisk.enable then given else nothing;
in
{
  services = unless { } {
    compliance-agent-seal-disk = {
      description = "Key of the encrypted disk, exchanged for one of the TPM";
      wantedBy = [ "multi-user.target" ];
      after = [ "local-fs.target" ];
      # The keys of the appliance are made on a disk that the TPM guards, where there is one.
      before = [ "compliance-agent.service" ];
      unitConfig = {
        ConditionPathExists = "/boot/${keyFile}";
        RequiresMountsFor = "/boot";
      };
      environment = {
        MALLOC_ARENA_MAX = "1";
        COMPLIANCE_AGENT_DROP = "/run/compliance-agent/drop";
        COMPLIANCE_AGENT_DISK = device;
        COMPLIANCE_AGENT_DISK_KEY = "/boot/${keyFile}";
        COMPLIANCE_AGENT_DISK_OPENER = "${pkgs.systemd}/lib/systemd/systemd-cryptsetup";
      };
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${program} helper seal-disk --config ${configFile}";
        SupplementaryGroups = [ user ];
        StateDirectory = "compliance-agent-helpers";
        StateDirectoryMode = "0700";
        RuntimeDirectory = "compliance-agent/helpers";
        RuntimeDirectoryMode = "0755";
        RuntimeDirectoryPreserve = true;
        ConfigurationDirectory = "credstore.encrypted";
        ConfigurationDirectoryMode = "0700";
        TimeoutStartSec = 300;
        MemoryMax = "512M";
      }
      // import ./hardening.nix
      // {
        # A mapping, to prove that the TPM opens the volume; no other use is made of it.
        CapabilityBoundingSet = "CAP_SYS_ADMIN CAP_IPC_LOCK";
        PrivateUsers = false;
        PrivateDevices = false;
        DeviceAllow = [
          "block-* rw"
          "/dev/mapper/control rw"
          "/dev/loop-control rw"
          "char-tpm rw"
        ];
        # Semaphores by which the device mapper and udev wait for each other are the machine's.
        PrivateIPC = false;
        PrivateTmp = true;
        PrivateNetwork = true;
        IPAddressDeny = "any";
        # The ciphers of the kernel, in which cryptsetup opens a slot; udev.
        RestrictAddressFamilies = [
          "AF_ALG"
          "AF_NETLINK"
          "AF_UNIX"
        ];
        ReadWritePaths = [
          "-/boot/compliance-agent"
          "-/run/cryptsetup"
        ];
        SystemCallFilter = [
          "@system-service"
          "~@privileged @resources"
          "~listen accept accept4"
          "adjtimex clock_adjtime"
        ];
        ProtectClock = false;
      };
    };
  };

  # Where cryptsetup locks a volume.
  tmpfiles = unless [ ] [ "d /run/cryptsetup 0700 root root -" ];

  packages = unless [ ] [ pkgs.cryptsetup ];

  more.boot.initrd = lib.mkIf cfg.sealDisk.enable {
    availableKernelModules = [
      "vfat"
      "nls_cp437"
      "nls_iso8859-1"
    ];
    systemd.storePaths = [ "${pkgs.cryptsetup}/sbin/cryptsetup" ];
    systemd.mounts = [
      {
        description = "Volume with the loader, for the installer's key";
        what = "/dev/disk/by-label/CLINICBOOT";
        where = "/run/clinicboot";
        type = "vfat";
        options = "ro,nosuid,nodev,noexec,fmask=0177,dmask=0077";
        unitConfig = {
          DefaultDependencies = false;
          StopWhenUnneeded = true;
          JobRunningTimeoutSec = 30;
        };
        mountConfig.DirectoryMode = "0700";
      }
    ];
    # Only while the installer's key is there. systemd-cryptsetup finds the volume open then, and asks the TPM else.
    systemd.services.clinic-first-unlock = {
      description = "Encrypted volume, by the installer's key";
      wantedBy = [ "systemd-cryptsetup@clinic\\x2droot.service" ];
      before = [ "systemd-cryptsetup@clinic\\x2droot.service" ];
      wants = [ "run-clinicboot.mount" ];
      after = [
        "run-clinicboot.mount"
        "dev-disk-by\\x2dpartlabel-clinic\\x2droot.device"
      ];
      bindsTo = [ "dev-disk-by\\x2dpartlabel-clinic\\x2droot.device" ];
      unitConfig = {
        DefaultDependencies = false;
        ConditionPathExists = "/run/clinicboot/${keyFile}";
      };
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${pkgs.cryptsetup}/sbin/cryptsetup open --key-file /run/clinicboot/${keyFile} --key-slot 0 ${device} ${volume}";
        TimeoutStartSec = 60;
      };
    };
  };
}
