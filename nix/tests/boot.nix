# The whole machine boots, shows its state where a login would be, and lets nobody in.
{ modules, ... }:
{
  name = "compliance-agent-boot";
  nodes.appliance = {
    imports = [
      modules.appliance
      ../examples/reseller.nix
    ];
  };
  testScript = ''
    appliance.wait_for_unit("multi-user.target")

    with subtest("the console shows the state, and no getty runs"):
        appliance.wait_for_unit("compliance-agent-console.service")
        assert appliance.succeed("systemctl list-units --no-legend 'getty@*' 'serial-getty@*' 'autovt@*'").strip() == ""

    with subtest("nobody can log in"):
        assert appliance.succeed("passwd -S root").split()[1].startswith("L")
        appliance.fail("systemctl cat sshd.service")

    with subtest("nothing answers the network"):
        outside = [
            line
            for line in appliance.succeed("ss -H -l -n -t -u").splitlines()
            if "127.0.0." not in line and "[::1]" not in line and ":68 " not in line and ":546 " not in line
        ]
        assert outside == [], outside

    with subtest("the journal survives a restart"):
        appliance.succeed("journalctl --header --file /var/log/journal/*/system.journal | grep -q ONLINE")

    with subtest("names are not asked of the neighbours"):
        assert "-LLMNR" in appliance.succeed("resolvectl status")

    with subtest("the egress table is loaded, and the firewall"):
        tables = appliance.succeed("nft list tables")
        assert "inet compliance-agent-egress" in tables and "inet nixos-fw" in tables

    with subtest("no unit failed"):
        assert appliance.succeed("systemctl --failed --no-legend").strip() == ""
  '';
}
