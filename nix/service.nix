# The daemon's own unit (docs/appliance.md).
{
  cfg,
  program,
  configFile,
  checkedConfig,
  user,
  stateName,
  ...
}:
let
  names = builtins.attrNames cfg.credentials;
  isName = name: builtins.match "[A-Za-z0-9][A-Za-z0-9._-]{0,63}" name != null;
  inStore = builtins.filter (
    name: builtins.match "/nix/store/.*" cfg.credentials.${name} != null
  ) names;
in
{
  # systemd looks a credential up there, and goes on without one that is not there.
  tmpfiles = map (name: "L+ /run/credstore/${name} - - - - ${cfg.credentials.${name}}") names;

  assertions = [
    {
      assertion = builtins.all (name: isName name && name != "compliance-agent.device-key") names;
      message = "services.compliance-agent.credentials: names are letters, digits, dots, hyphens and underscores, and compliance-agent.device-key is the agent's own.";
    }
    {
      assertion = inStore == [ ];
      message = "services.compliance-agent.credentials: everybody can read ${toString inStore} in /nix/store; name a file outside of it (a text, not a Nix path).";
    }
  ];

  services = {
    compliance-agent = {
      description = "Compliance agent";
      wantedBy = [ "multi-user.target" ];
      after = [
        "network.target"
        "nss-lookup.target"
      ];
      # A dead end is a defect: however often it ended, it is started again.
      unitConfig.StartLimitIntervalSec = 0;
      restartTriggers = [ checkedConfig ];
      # One arena of malloc instead of one per thread.
      environment.MALLOC_ARENA_MAX = "1";
      serviceConfig = {
        Type = "notify";
        NotifyAccess = "main";
        ExecStart = "${program} run --config ${configFile}";
        User = user;
        Group = user;
        # To read back from the journal what the check `logging` wrote.
        SupplementaryGroups = [ "systemd-journal" ];
        StateDirectory = stateName;
        StateDirectoryMode = "0750";
        # In memory: what the daemon leaves for the helpers. It stays for a helper that is still to run.
        RuntimeDirectory = "compliance-agent/drop";
        RuntimeDirectoryMode = "0750";
        RuntimeDirectoryPreserve = true;
        # The sealed device key; without one, the agent makes a file.
        LoadCredentialEncrypted = "compliance-agent.device-key";
        WorkingDirectory = cfg.stateDir;
        Restart = "always";
        RestartSec = 5;
        TimeoutStartSec = 120;
        # The daemon ends within 10 s by itself.
        TimeoutStopSec = 20;
        WatchdogSec = 30;
        # Above the limit that the daemon keeps by itself, with room for the tools that it starts.
        MemoryMax = "${toString (cfg.memoryLimitMib + 128)}M";
        StandardInput = "null";
        StandardOutput = "journal";
        StandardError = "journal";
        SyslogIdentifier = "compliance-agent";
      }
      // (if names == [ ] then { } else { LoadCredential = names; })
      // import ./hardening.nix;
    };
  };
}
