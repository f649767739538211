# Those options of NixOS that the module sets, for an evaluation with nixpkgs' `lib` and without NixOS.
{ lib, ... }:
let
  inherit (lib) mkOption types;
  strings = mkOption {
    type = types.listOf types.str;
    default = [ ];
  };
  atoms = mkOption {
    type = types.attrsOf (
      types.oneOf [
        types.bool
        types.int
        types.str
        (types.listOf types.str)
      ]
    );
    default = { };
  };
  common = {
    enable = mkOption {
      type = types.bool;
      default = true;
    };
    description = mkOption {
      type = types.str;
      default = "";
    };
    documentation = strings;
    wantedBy = strings;
    requiredBy = strings;
    requires = strings;
    wants = strings;
    after = strings;
    before = strings;
    bindsTo = strings;
    partOf = strings;
    conflicts = strings;
    onFailure = strings;
    onSuccess = strings;
    unitConfig = atoms;
  };
  kind =
    own:
    mkOption {
      type = types.attrsOf (types.submodule { options = common // { ${own} = atoms; }; });
      default = { };
    };
  anything = mkOption {
    type = types.attrsOf types.anything;
    default = { };
  };
in
{
  options = {
    assertions = mkOption {
      type = types.listOf types.unspecified;
      default = [ ];
    };
    console = anything;
    environment.etc = anything;
    environment.systemPackages = mkOption {
      type = types.listOf types.package;
      default = [ ];
    };
    security.polkit = {
      enable = mkOption {
        type = types.bool;
        default = false;
      };
      extraConfig = mkOption {
        type = types.lines;
        default = "";
      };
    };
    services.udev.extraRules = mkOption {
      type = types.lines;
      default = "";
    };
    networking.nftables = {
      enable = mkOption {
        type = types.bool;
        default = false;
      };
      tables = mkOption {
        type = types.attrsOf (
          types.submodule {
            options = {
              family = mkOption { type = types.str; };
              content = mkOption { type = types.lines; };
            };
          }
        );
        default = { };
      };
    };
    systemd.mounts = mkOption {
      type = types.listOf (
        types.submodule {
          options = common // {
            what = mkOption { type = types.str; };
            where = mkOption { type = types.str; };
            type = mkOption {
              type = types.str;
              default = "";
            };
            options = mkOption {
              type = types.str;
              default = "";
            };
            mountConfig = atoms;
          };
        }
      );
      default = [ ];
    };
    systemd.tmpfiles.rules = strings;
    users.users = anything;
    users.groups = anything;
    systemd.services = mkOption {
      type = types.attrsOf (
        types.submodule {
          options = common // {
            environment = mkOption {
              type = types.attrsOf types.str;
              default = { };
            };
            restartTriggers = mkOption {
              type = types.listOf types.unspecified;
              default = [ ];
            };
            restartIfChanged = mkOption {
              type = types.bool;
              default = true;
            };
            stopIfChanged = mkOption {
              type = types.bool;
              default = true;
            };
            serviceConfig = atoms;
          };
        }
      );
      default = { };
    };
    systemd.timers = kind "timerConfig";
    systemd.paths = kind "pathConfig";
    systemd.sockets = kind "socketConfig";
  };
}
