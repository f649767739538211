# The keys that the TPM holds: the device key as a sealed credential, and the encrypted disk.
{ modules, ... }:
{
  name = "compliance-agent-tpm";
  nodes.appliance =
    { pkgs, ... }:
    {
      imports = [
        modules.appliance
        ../examples/reseller.nix
      ];
      virtualisation.tpm.enable = true;
      virtualisation.emptyDiskImages = [ 512 ];
      environment.systemPackages = [
        pkgs.cryptsetup
        pkgs.gptfdisk
      ];
    };
  testScript = ''
    appliance.wait_for_unit("multi-user.target")

    with subtest("systemd seals with the key of the machine and its TPM, and opens that again"):
        appliance.succeed("echo secret | systemd-creds encrypt --name=x --with-key=host+tpm2 - /root/x")
        assert appliance.succeed("systemd-creds decrypt --name=x /root/x -").strip() == "secret"

    with subtest("the device key of the agent is sealed so, and no file of it is left"):
        appliance.wait_until_succeeds("test -e /etc/credstore.encrypted/compliance-agent.device-key")
        appliance.wait_until_succeeds("compliance-agent status --json | grep -q 'host+tpm2'")
        appliance.fail("test -e /var/lib/compliance-agent/keys/device.key")

    with subtest("the installer's key of the disk is exchanged for one of the TPM"):
        volume = "/dev/disk/by-partlabel/clinic-root"
        appliance.succeed("sgdisk --new=1:0:0 --change-name=1:clinic-root /dev/vdb && udevadm settle")
        appliance.succeed("install -d -m 0700 /boot/compliance-agent && head -c 64 /dev/urandom > /boot/compliance-agent/unlock.key")
        appliance.succeed(f"cryptsetup luksFormat --batch-mode --type luks2 --label clinic-root --key-file /boot/compliance-agent/unlock.key {volume}")
        appliance.succeed("systemctl start compliance-agent-seal-disk.service")
        appliance.fail("test -e /boot/compliance-agent/unlock.key")
        assert "systemd-tpm2" in appliance.succeed(f"cryptsetup luksDump {volume}")
        appliance.succeed(f"/run/current-system/systemd/bin/systemd-cryptsetup attach opened {volume} - tpm2-device=auto,headless=1")
  '';
}
