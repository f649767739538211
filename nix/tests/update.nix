# The unit that switches the system, with real systems of NixOS: forwards to one that works, and back from one that does not. The
# plan is laid down by root here; that nothing but a verified order or grant makes one is shown by test/system. These machines have no
# boot loader, since the framework starts their kernels itself.
{ modules, ... }:
let
  box = { lib, ... }: {
    imports = [
      modules.appliance
      ../examples/reseller.nix
    ];
    # The framework leaves switch-to-configuration out where nothing says that it is needed.
    system.switch.enable = true;
    boot.loader.systemd-boot.enable = lib.mkForce false;
    boot.loader.grub.enable = false;
    services.compliance-agent.rebuildHealthCheckTimeoutS = 30;
  };
in
{
  name = "compliance-agent-update";
  nodes = {
    appliance =
      { nodes, ... }:
      {
        imports = [ box ];
        # Both lie in the store already, as after a pull.
        system.extraDependencies = [
          nodes.good.system.build.toplevel
          nodes.broken.system.build.toplevel
        ];
      };
    good = {
      imports = [ box ];
      environment.etc."generation".text = "good";
    };
    broken =
      { lib, ... }:
      {
        imports = [ box ];
        environment.etc."generation".text = "broken";
        systemd.services.compliance-agent.serviceConfig.ExecStart = lib.mkForce "/run/current-system/sw/bin/false";
      };
  };
  testScript =
    { nodes, ... }:
    ''
      import json

      state = "/var/lib/compliance-agent-helpers"
      unit = "compliance-agent-switch-system.service"

      def switch(system, run):
          boot = appliance.succeed("cat /proc/sys/kernel/random/boot_id").strip()
          # What the verifier leaves.
          digest = appliance.succeed(f"nix-store --query --hash {system}").strip()
          version = appliance.succeed("compliance-agent version").split()[1]
          plan = {
              "schema": "compliance-agent/update-plan/v1",
              "run": run * 32,
              "boot_id": boot,
              "boot_ms": int(float(appliance.succeed("cut -d' ' -f1 /proc/uptime")) * 1000),
              "system": {"closure": system, "nar_hash": digest, "agent_version": version},
              "step": "planned",
              "before": None,
          }
          appliance.succeed(f"cat > {state}/update.json <<'EOF'\n{json.dumps(plan)}\nEOF")
          appliance.execute(f"systemctl start {unit}")

      appliance.wait_for_unit("compliance-agent.service")
      appliance.succeed(f"test -d {state}")

      with subtest("a system that works is kept, and starts next"):
          switch("${nodes.good.system.build.toplevel}", "a")
          assert appliance.succeed("cat /etc/generation") == "good"
          assert appliance.succeed("readlink -f /nix/var/nix/profiles/system").strip() == "${nodes.good.system.build.toplevel}"

      with subtest("from one whose agent does not start it goes back"):
          switch("${nodes.broken.system.build.toplevel}", "b")
          assert appliance.succeed("cat /etc/generation") == "good"
          assert appliance.succeed("readlink -f /nix/var/nix/profiles/system").strip() == "${nodes.good.system.build.toplevel}"
          appliance.wait_for_unit("compliance-agent.service")
          assert "reverted" in appliance.succeed("cat /run/compliance-agent/helpers/switch-system.json")
    '';
}
