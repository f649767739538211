# Tests of NixOS itself, in virtual machines (`nix flake check`, or one by `nix build .#checks.x86_64-linux.NAME`). What each
# shows is said in docs/appliance.md.
{ pkgs, modules }:
let
  test = file: pkgs.testers.runNixOSTest (import file { inherit pkgs modules; });
in
{
  vm-service = test ./service.nix;
  vm-boot = test ./boot.nix;
  vm-provisioning = test ./provisioning.nix;
  vm-egress = test ./egress.nix;
  vm-update = test ./update.nix;
  vm-tpm = test ./tpm.nix;
}
