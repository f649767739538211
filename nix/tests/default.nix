# Tests of NixOS itself, in virtual machines (`nix flake check`, or one by `nix build .#checks.x86_64-linux.NAME`). What each
# shows is said in docs/appliance.md.
{ pkgs, modules }:
let
  # As it is shipped, but for two things that the framework expects or does: the host has the name by which the others know it, and
  # root keeps having no password where the framework gives it an empty one.
  appliance =
    { config, lib, ... }:
    {
      imports = [ modules.appliance ];
      networking.hostName = lib.mkForce config.virtualisation.test.nodeName;
      users.users.root.hashedPasswordFile = lib.mkForce null;
    };
  test =
    file:
    pkgs.testers.runNixOSTest (
      import file {
        inherit pkgs;
        modules = modules // {
          inherit appliance;
        };
      }
    );
in
{
  vm-service = test ./service.nix;
  vm-boot = test ./boot.nix;
  vm-provisioning = test ./provisioning.nix;
  vm-egress = test ./egress.nix;
  vm-update = test ./update.nix;
  vm-tpm = test ./tpm.nix;
}
