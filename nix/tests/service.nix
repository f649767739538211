# A machine with the module alone.
{ modules, ... }:
{
  name = "compliance-agent-service";
  nodes.appliance = {
    imports = [
      modules.compliance-agent
      ../examples/reseller.nix
    ];
  };
  testScript = ''
    unit = "compliance-agent.service"
    appliance.wait_for_unit(unit)

    with subtest("systemd was told that it is ready, and what it waits for"):
        assert "unprovisioned" in appliance.succeed(f"systemctl show {unit} --property=StatusText")

    with subtest("the configuration in force is the module's"):
        shown = appliance.succeed("compliance-agent config show --json")
        assert "northwind-msp" in shown

    with subtest("nothing of it listens"):
        pid = appliance.succeed(f"systemctl show {unit} --property=MainPID --value").strip()
        assert f"pid={pid}," not in appliance.succeed("ss -H -l -n -t -u -p")

    with subtest("root's timer leaves the facts that the agent may not read"):
        appliance.wait_for_file("/run/compliance-agent/facts/firewall.json")

    with subtest("it is started again when it is killed"):
        appliance.succeed(f"systemctl kill --signal=SIGKILL {unit}")
        appliance.wait_until_succeeds(f"test $(systemctl show {unit} --property=NRestarts --value) -ge 1")
        appliance.wait_for_unit(unit)

    with subtest("its exposure is what was promised"):
        appliance.succeed(f"systemd-analyze security --threshold=12 {unit}")

    with subtest("it stops when it is asked to"):
        appliance.succeed(f"systemctl stop {unit}")
        assert "Result=success" in appliance.succeed(f"systemctl show {unit} --property=Result")
  '';
}
