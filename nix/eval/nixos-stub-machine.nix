# Those options of NixOS that nix/appliance.nix sets, by the types that they have there.
{ lib, isNew, ... }:
let
  inherit (lib) mkOption types;
  option = type: mkOption { inherit type; };
  bool = option types.bool;
  text = option types.str;
  strings = option (types.listOf types.str);
  number = option types.int;
  # A section of an INI file.
  section = option (types.attrsOf (types.nullOr types.anything));
in
{
  options = {
    boot = {
      loader.timeout = option (types.nullOr types.int);
      loader.efi.canTouchEfiVariables = bool;
      loader.systemd-boot = {
        enable = bool;
        editor = bool;
        configurationLimit = option (types.nullOr types.int);
      }
      // lib.optionalAttrs isNew {
        bootCounting.enable = bool;
        bootCounting.tries = option types.ints.positive;
      };
      initrd.systemd.enable = bool;
      initrd.availableKernelModules = strings;
      initrd.systemd.storePaths = strings;
      initrd.systemd.mounts = mkOption {
        type = types.listOf types.anything;
        default = [ ];
      };
      initrd.systemd.services = mkOption {
        type = types.attrsOf types.anything;
        default = { };
      };
      initrd.systemd.tpm2.enable = bool;
      initrd.systemd.emergencyAccess = option (types.oneOf [
        types.bool
        (types.nullOr types.str)
      ]);
      initrd.luks.devices = option (
        types.attrsOf (
          types.submodule {
            options = {
              device = text;
              allowDiscards = bool;
              crypttabExtraOpts = option (types.listOf types.singleLineStr);
            };
          }
        )
      );
      tmp.cleanOnBoot = bool;
      kernelParams = strings;
      kernel.sysctl = option (
        types.attrsOf (
          types.oneOf [
            types.str
            types.int
            types.bool
          ]
        )
      );
    };
    documentation.enable = bool;
    environment.defaultPackages = option (types.listOf types.package);
    fileSystems = option (
      types.attrsOf (
        types.submodule {
          options = {
            device = text;
            fsType = text;
            options = strings;
          };
        }
      )
    );
    networking = {
      hostName = option (types.strMatching "^$|^[[:alnum:]]([[:alnum:]_-]{0,61}[[:alnum:]])?$");
      useNetworkd = bool;
      useDHCP = bool;
      firewall.enable = bool;
      firewall.allowPing = bool;
      firewall.allowedTCPPorts = option (types.listOf types.port);
      firewall.logRefusedConnections = bool;
    };
    nix.channel.enable = bool;
    nix.settings = section;
    nix.gc.automatic = bool;
    nix.gc.dates = option types.singleLineStr;
    nix.gc.randomizedDelaySec = option types.singleLineStr;
    programs.nano.enable = bool;
    security.sudo.enable = bool;
    services = {
      journald =
        if isNew then
          { settings.Journal = section; }
        else
          { extraConfig = option types.lines; };
      logind.settings.Login = section;
      openssh.enable = bool;
      resolved.enable = bool;
      resolved.settings.Resolve = section;
      timesyncd.enable = bool;
    };
    swapDevices = option (types.listOf types.anything);
    system.stateVersion = text;
    systemd.coredump.enable = bool;
    systemd.enableEmergencyMode = bool;
    systemd.settings.Manager = section;
    time.timeZone = option (types.nullOr types.str);
    users.mutableUsers = bool;
    users.allowNoPasswordLogin = bool;
    zramSwap.enable = bool;
  };
  # As NixOS sets it by itself (nixos/modules/config/nix.nix).
  config.nix.settings = {
    substituters = lib.mkAfter [ "https://cache.nixos.org/" ];
    trusted-public-keys = [ "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=" ];
  };
}
