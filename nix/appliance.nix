# NixOS module for the whole machine (docs/appliance.md): what boots, what keeps time, logs and names, who may log in (nobody),
# and from where software comes. Imported beside `module.nix`. What a partner adds (backup, protection against malware) is not here.
{
  options,
  lib,
  pkgs,
  ...
}:
let
  # Options moved between releases; what moved is set under the name that the evaluated NixOS has.
  moved = [
    (
      if options ? services.journald.settings then
        { services.journald.settings.Journal = journal; }
      else
        { services.journald.extraConfig = lines journal; }
    )
    (
      if options ? services.resolved.settings then
        { services.resolved.settings.Resolve = resolve; }
      else
        {
          services.resolved.llmnr = resolve.LLMNR;
          services.resolved.extraConfig = lines { inherit (resolve) MulticastDNS; };
        }
    )
    (
      if options ? boot.loader.systemd-boot.bootCounting then
        {
          # A system that does not come up three times is passed over.
          boot.loader.systemd-boot.bootCounting = {
            enable = true;
            tries = 3;
          };
        }
      else
        { }
    )
  ];
  lines =
    set:
    builtins.concatStringsSep "" (
      map (name: "${name}=${toString set.${name}}\n") (builtins.attrNames set)
    );
  # The journal survives restarts and keeps to a limit by itself: nothing of ours vacuums it, and no evidence depends on it.
  journal = {
    Storage = "persistent";
    SystemMaxUse = "1G";
    SystemKeepFree = "1G";
    MaxFileSec = "1week";
  };
  shownSystems = 4;
  # Names come from the name server of the network alone.
  resolve = {
    LLMNR = "false";
    MulticastDNS = "no";
  };
  box = {
    services.compliance-agent.enable = lib.mkDefault true;
    services.compliance-agent.egress = lib.mkDefault true;
    services.compliance-agent.configStick.enable = lib.mkDefault true;
    services.compliance-agent.console.enable = lib.mkDefault true;
    services.compliance-agent.sealDisk.enable = lib.mkDefault true;

    # One disk: the loader and its kernels in the clear, everything else in one encrypted volume (docs/installer.md).
    boot.loader = {
      timeout = 0;
      efi.canTouchEfiVariables = true;
      systemd-boot = {
        enable = lib.mkDefault true;
        # No shell by way of kernel parameters.
        editor = false;
        # What runs, what ran before, and two more; each takes a kernel's room on a volume of 1 GiB.
        configurationLimit = shownSystems;
      };
    };
    boot.initrd = {
      systemd.enable = true;
      systemd.tpm2.enable = true;
      # No shell before the disk is open.
      systemd.emergencyAccess = false;
      luks.devices.clinic-root = {
        device = "/dev/disk/by-partlabel/clinic-root";
        allowDiscards = false;
        # Without an answer of the TPM, the console asks for the recovery key.
        crypttabExtraOpts = [ "tpm2-device=auto" ];
      };
    };
    fileSystems."/" = {
      device = "/dev/mapper/clinic-root";
      fsType = "ext4";
      options = [ "noatime" ];
    };
    fileSystems."/boot" = {
      device = "/dev/disk/by-label/CLINICBOOT";
      fsType = "vfat";
      options = [
        "fmask=0077"
        "dmask=0077"
        "nosuid"
        "nodev"
        "noexec"
      ];
    };
    swapDevices = [ ];
    zramSwap.enable = true;
    boot.tmp.cleanOnBoot = true;
    boot.kernelParams = [
      "quiet"
      # A kernel that is lost starts again.
      "panic=30"
      # The console stays lit.
      "consoleblank=0"
    ];
    boot.kernel.sysctl = {
      "kernel.sysrq" = 0;
      "kernel.kptr_restrict" = 2;
      "kernel.dmesg_restrict" = 1;
      "kernel.unprivileged_bpf_disabled" = 1;
      "kernel.yama.ptrace_scope" = 2;
      "kernel.core_pattern" = "|/bin/false";
      "net.ipv4.conf.all.accept_redirects" = 0;
      "net.ipv6.conf.all.accept_redirects" = 0;
      "net.ipv4.conf.all.send_redirects" = 0;
    };

    # Nobody logs in: not at the console, not over the network, not as root after a failed boot.
    users.mutableUsers = false;
    users.allowNoPasswordLogin = true;
    users.users.root.hashedPassword = "!";
    services.openssh.enable = false;
    security.sudo.enable = false;
    systemd.enableEmergencyMode = false;
    systemd.services."getty@".enable = false;
    systemd.services."autovt@".enable = false;
    systemd.services."serial-getty@".enable = false;
    systemd.coredump.enable = false;
    services.logind.settings.Login = {
      NAutoVTs = 0;
      ReserveVT = 0;
    };

    # Names and time from the network, and nothing that answers it. One image serves all sites: no host name is built in.
    networking.hostName = "";
    networking.useNetworkd = true;
    networking.useDHCP = lib.mkDefault true;
    networking.nftables.enable = true;
    networking.firewall = {
      enable = true;
      allowPing = false;
      allowedTCPPorts = [ ];
      # What the neighbours send to everybody would fill the log.
      logRefusedConnections = false;
    };
    services.resolved.enable = true;
    services.timesyncd.enable = true;
    time.timeZone = "UTC";

    # Fed by systemd; the machine's own (sp5100_tco on a T640) resets it when nobody feeds it.
    systemd.settings.Manager = {
      RuntimeWatchdogSec = "60s";
      RebootWatchdogSec = "5min";
    };

    # Software comes signed, ready built, by exact store path (docs/updates.md), and from nowhere else.
    nix.channel.enable = false;
    nix.settings = {
      require-sigs = true;
      max-jobs = 0;
      allowed-users = [ "root" ];
      trusted-users = lib.mkForce [ "root" ];
      # No list of other people's flakes is fetched.
      flake-registry = "";
    };

    # Systems that were updated away go, or they would fill the disk: all but as many as the loader shows.
    nix.gc = {
      automatic = true;
      dates = "weekly";
      randomizedDelaySec = "6h";
    };
    systemd.services.nix-gc.serviceConfig.ExecStartPre = "-${pkgs.nix}/bin/nix-env --profile /nix/var/nix/profiles/system --delete-generations +${toString shownSystems}";

    # Small: what nobody uses here is not there.
    documentation.enable = false;
    environment.defaultPackages = lib.mkForce [ ];
    programs.nano.enable = false;
    system.stateVersion = lib.mkDefault "26.05";
  };
in
{
  config = lib.mkMerge ([ box ] ++ moved);
}
