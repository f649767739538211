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
    description = mkOption {
      type = types.str;
      default = "";
    };
    documentation = strings;
    wantedBy = strings;
    after = strings;
    unitConfig = atoms;
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
            serviceConfig = atoms;
          };
        }
      );
      default = { };
    };
    systemd.timers = mkOption {
      type = types.attrsOf (types.submodule { options = common // { timerConfig = atoms; }; });
      default = { };
    };
  };
}
