# What leaves the machine: Central Command for the agent, names for the resolver, and nothing for anybody else.
{ modules, ... }:
{
  name = "compliance-agent-egress";
  nodes = {
    central = { pkgs, ... }: {
      networking.firewall.allowedTCPPorts = [ 8443 ];
      systemd.services.answers = {
        wantedBy = [ "multi-user.target" ];
        serviceConfig.ExecStart = "${pkgs.python3}/bin/python3 -m http.server 8443 --directory /var/empty";
      };
    };
    appliance = {
      imports = [
        modules.appliance
        ../examples/reseller.nix
      ];
      services.compliance-agent.centralUrl = "https://central:8443";
    };
  };
  testScript = ''
    central.wait_for_open_port(8443)
    appliance.wait_for_unit("nftables.service")
    reach = "timeout 3 bash -c 'exec 3<>/dev/tcp/central/8443'"
    agent = f"setpriv --reuid=compliance-agent --regid=compliance-agent --clear-groups -- {reach}"
    nobody = f"setpriv --reuid=nobody --regid=nogroup --clear-groups -- {reach}"

    with subtest("the agent reaches Central Command once the refresher has run, and nobody else does"):
        appliance.wait_until_succeeds(agent)
        appliance.fail(nobody)
        appliance.fail(agent.replace("8443", "22"))

    with subtest("a reload of the rules empties the sets, and they are filled again"):
        appliance.succeed("systemctl reload nftables.service")
        appliance.wait_until_succeeds(agent)

    with subtest("the rules cannot be stopped by hand"):
        appliance.fail("systemctl stop nftables.service")

    with subtest("without the refresher the door closes by itself"):
        appliance.succeed("systemctl stop compliance-agent-egress.timer compliance-agent-egress.path compliance-agent-egress.service")
        appliance.wait_until_fails(agent, timeout=600)
  '';
}
