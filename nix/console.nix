# The screen of the machine itself: `compliance-agent console` on the first console, in place of a login. It takes no key of the
# keyboard, reaches no network, and reads what the daemon's group may.
{
  cfg,
  lib,
  pkgs,
  program,
  configFile,
  user,
  ...
}:
{
  services =
    if !cfg.console.enable then
      { }
    else
      {
        compliance-agent-console = {
          description = "State of the appliance on its first console";
          wantedBy = [ "multi-user.target" ];
          after = [
            "systemd-user-sessions.service"
            "systemd-vconsole-setup.service"
            "getty@tty1.service"
          ];
          conflicts = [ "getty@tty1.service" ];
          unitConfig = {
            ConditionPathExists = "/dev/tty1";
            StartLimitIntervalSec = 0;
          };
          environment = {
            MALLOC_ARENA_MAX = "1";
            COMPLIANCE_AGENT_RESULTS = "/run/compliance-agent/helpers";
            TERM = "linux";
          };
          serviceConfig = {
            Type = "exec";
            ExecStart = "${program} console --config ${configFile}";
            # A user that exists while it runs. The group reads the status and the provisioning files, and what is handed over to
            # helpers while it lies there; the keys of the daemon's own folder it does not.
            DynamicUser = true;
            SupplementaryGroups = [ user ];
            WorkingDirectory = "/";
            Restart = "always";
            RestartSec = 2;
            TimeoutStopSec = 5;
            MemoryMax = "128M";
            TTYPath = "/dev/tty1";
            TTYReset = true;
            TTYVHangup = true;
            TTYVTDisallocate = true;
            StandardInput = "tty-force";
            StandardOutput = "tty";
            StandardError = "journal";
            SyslogIdentifier = "compliance-agent-console";
          }
          // import ./hardening.nix
          // {
            # Opened by systemd before it lets go of it.
            DeviceAllow = [ "/dev/tty1 rw" ];
            PrivateNetwork = true;
            IPAddressDeny = "any";
            RestrictAddressFamilies = "none";
          };
        };
      };

  more.console = lib.mkIf cfg.console.enable {
    font = cfg.console.font;
    packages = [ pkgs.terminus_font ];
    # From the first second, before the disk is open.
    earlySetup = true;
  };
}
