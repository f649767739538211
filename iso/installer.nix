# NixOS module of the stick: an image that does one thing, install the appliance that lies in its store. Nobody can log in to it, it
# opens no port and it asks no network.
{
  # The system that is installed: what `nixosSystem` gives for an appliance.
  appliance,
  # The installer program (package.nix).
  installer,
  # partner.json, and the digest of the partner's trust root from outside of it (docs/formats/partner.md).
  partnerFile,
  rootSha256,
}:
{
  config,
  lib,
  modulesPath,
  pkgs,
  ...
}:
let
  agent = appliance.config.services.compliance-agent;
  agentRoot = agent.rootSha256 or null;
  # Also how the installer knows its own stick.
  label = "CLINICINST";
  tools = [
    pkgs.age
    pkgs.bash
    pkgs.coreutils
    pkgs.cryptsetup
    pkgs.dosfstools
    pkgs.e2fsprogs
    pkgs.gptfdisk
    pkgs.nixos-install-tools
    pkgs.systemd
    pkgs.util-linux
    config.nix.package
  ];
  settings = builtins.toJSON {
    schema = "compliance-agent/installer-settings/v1";
    system = "${appliance.config.system.build.toplevel}";
    partner_file = "${partnerFile}";
    root_sha256 = rootSha256;
    # As nix/module.nix has it.
    provision_dir =
      if agent.configStick.enable then "${agent.stateDir}-provision" else "${agent.stateDir}/provision";
    provision_gid = appliance.config.users.groups.compliance-agent.gid;
    boot_label = label;
    tool_path = map (package: "${lib.getBin package}/bin") tools;
  };
  # The installer itself judges what it was built with: a wrong file ends the build, not the visit.
  checked =
    pkgs.runCommandLocal "installer-settings.json"
      {
        text = settings;
        passAsFile = [ "text" ];
      }
      ''
        ${installer}/bin/compliance-installer --check "$textPath"
        cp "$textPath" "$out"
      '';
in
{
  imports = [
    "${modulesPath}/installer/cd-dvd/iso-image.nix"
    "${modulesPath}/profiles/minimal.nix"
  ];

  assertions = [
    {
      # Its helpers take no other root, so with another one nothing would be healed, updated or taken from a stick.
      assertion = agentRoot == rootSha256;
      message = "The installer is of the trust root ${rootSha256}, and its appliance of ${
        if agentRoot == null then "none" else agentRoot
      }: set services.compliance-agent.rootSha256 to the same.";
    }
  ];

  image.baseName = lib.mkForce "compliance-agent-installer";
  isoImage = {
    volumeID = label;
    makeEfiBootable = true;
    makeUsbBootable = true;
    # The whole appliance: nothing is fetched when it is installed.
    storeContents = [ appliance.config.system.build.toplevel ];
    squashfsCompression = "zstd -Xcompression-level 15";
  };
  boot.loader.timeout = lib.mkForce 5;
  boot.initrd.systemd.enable = true;
  # No shell for whoever stands in front of it, also where the stick is broken.
  boot.initrd.systemd.emergencyAccess = lib.mkForce false;
  systemd.enableEmergencyMode = false;
  boot.supportedFilesystems = [
    "ext4"
    "vfat"
  ];
  boot.initrd.supportedFilesystems = [ "vfat" ];
  # What an earlier system left on the disk is not put together: it would count as in use, and could not be erased.
  services.lvm.enable = lib.mkForce false;
  boot.swraid.enable = lib.mkForce false;
  boot.kernelModules = [
    "dm_crypt"
    "loop"
  ];
  boot.kernelParams = [
    "quiet"
    "consoleblank=0"
  ];

  users.mutableUsers = false;
  users.allowNoPasswordLogin = true;
  users.users.root.hashedPassword = "!";
  services.openssh.enable = false;
  services.getty.autologinUser = lib.mkForce null;
  security.sudo.enable = false;
  systemd.services."getty@".enable = false;
  systemd.services."autovt@".enable = false;
  systemd.services."serial-getty@".enable = false;
  services.logind.settings.Login = {
    NAutoVTs = 0;
    ReserveVT = 0;
  };
  networking.useDHCP = false;
  networking.hostName = "installer";
  networking.firewall.enable = true;
  nix.channel.enable = false;
  nix.settings.substituters = lib.mkForce [ ];
  swapDevices = [ ];

  # 80 columns and 25 rows fit a screen of 1024 by 768.
  console = {
    earlySetup = true;
    font = "${pkgs.terminus_font}/share/consolefonts/ter-v24n.psf.gz";
  };

  systemd.services.compliance-installer = {
    description = "Installation of the appliance";
    wantedBy = [ "multi-user.target" ];
    after = [
      "systemd-udev-settle.service"
      "systemd-vconsole-setup.service"
    ];
    wants = [ "systemd-udev-settle.service" ];
    conflicts = [ "getty@tty1.service" ];
    # It looks again for as long as it takes.
    unitConfig.StartLimitIntervalSec = 0;
    environment.TERM = "linux";
    serviceConfig = {
      Type = "exec";
      ExecStart = "${installer}/bin/compliance-installer ${checked}";
      # What is shown of a refusal or failure stands that long.
      Restart = "on-failure";
      RestartSec = 15;
      TTYPath = "/dev/tty1";
      TTYReset = true;
      TTYVHangup = true;
      StandardInput = "tty-force";
      StandardOutput = "tty";
      StandardError = "journal";
    };
  };

  documentation.enable = false;
  environment.defaultPackages = lib.mkForce [ ];
  system.stateVersion = "26.05";
}
