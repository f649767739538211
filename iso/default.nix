# The installer image of one partner: a NixOS system whose `config.system.build.isoImage` is the file that is written to sticks.
{
  nixpkgs,
  system,
  # What `nixosSystem` gave for the appliance of the partner.
  appliance,
  installer,
  partnerFile,
  rootSha256,
  # Further modules of the stick, a keyboard layout for example.
  modules ? [ ],
}:
nixpkgs.lib.nixosSystem {
  inherit system;
  modules = [
    (import ./installer.nix {
      inherit
        appliance
        installer
        partnerFile
        rootSha256
        ;
    })
    ./hp-t640.nix
  ]
  ++ modules;
}
