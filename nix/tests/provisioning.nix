# From the files of a stick to the first stored evidence, with a Central Command on another machine.
{ modules, ... }:
let
  data = "--data /var/lib/central-command";
  as = "runuser -u central-command -- env CENTRAL_SERVER_PASSPHRASE_FILE=/var/lib/central-command/passphrase central-command";
in
{
  name = "compliance-agent-provisioning";
  nodes = {
    central = {
      imports = [ modules.central ];
      services.central-command = {
        enable = true;
        url = "https://central:8443";
        checkinIntervalS = 2;
        claimIntervalS = 2;
        openFirewall = true;
        passphraseFile = "/var/lib/central-command/passphrase";
      };
    };
    appliance = {
      imports = [
        modules.appliance
        ../examples/reseller.nix
      ];
      services.compliance-agent.centralUrl = "https://central:8443";
      services.compliance-agent.pollIntervalS = 2;
    };
  };
  testScript = ''
    import json
    import os

    central.wait_for_unit("multi-user.target")
    central.succeed("install -d -o central-command -g central-command -m 0700 /var/lib/central-command /var/lib/keys /tmp/stick")
    central.succeed("echo correct horse battery staple > /var/lib/central-command/passphrase")
    central.succeed("chown central-command /var/lib/central-command/passphrase && chmod 0600 /var/lib/central-command/passphrase")
    central.succeed("${as} init ${data} --keys /var/lib/keys --partner northwind-msp --person 'Alex Example'")
    central.succeed("${as} keys seal ${data}")
    central.succeed("systemctl start central-command.service")
    central.wait_for_open_port(8443)
    central.succeed("${as} site add north --customer clinic ${data}")
    central.succeed("${as} usb write /tmp/stick --site north ${data}")

    appliance.wait_for_unit("compliance-agent.service")
    central.copy_from_machine("/tmp/stick", "stick")
    appliance.copy_from_host(os.environ["out"] + "/stick/stick", "/tmp/stick")
    appliance.succeed("install -m 0640 -g compliance-agent /tmp/stick/* /var/lib/compliance-agent-provision/")

    def enrolment():
        # Exit code 3 until it is enrolled.
        return json.loads(appliance.execute("compliance-agent provision status --json")[1])

    with subtest("the device waits for people, who compare its fingerprint"):
        retry(lambda _: enrolment()["state"] == "pending")
        fingerprint = enrolment()["fingerprint"]
        central.succeed(f"${as} appliance confirm '{fingerprint}' --appliance-id north-1 --keys /var/lib/keys ${data}")

    with subtest("its evidence is stored"):
        appliance.wait_until_succeeds("systemctl show compliance-agent.service --property=StatusText | grep -q 'enrolled as north-1'")
        central.wait_until_succeeds("${as} evidence list ${data} | grep -q north-1")
        central.succeed("${as} evidence verify ${data}")

    with subtest("all of it is there after the power was cut"):
        appliance.crash()
        appliance.start()
        appliance.wait_until_succeeds("systemctl show compliance-agent.service --property=StatusText | grep -q 'enrolled as north-1'")
  '';
}
