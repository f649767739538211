# NixOS module `services.central-command`: the reference Central Command as a hardened service (docs/central-command.md).
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.services.central-command;
  user = "central-command";
  program = "${cfg.package}/bin/central-command";
  orUnset =
    type: description:
    mkOption {
      type = types.nullOr type;
      default = null;
      inherit description;
    };
  interval =
    description:
    mkOption {
      type = types.ints.between 1 3600;
      default = 60;
      inherit description;
    };
  # Outside of the store, which everybody reads.
  secretPath = types.strMatching "/[^\n:]*[^\n:/]";
  isOutside = path: path == null || builtins.match "/nix/store/.*" path == null;
  port = builtins.match ".*:([0-9]+)" cfg.listen;
  stateName =
    let
      found = builtins.match "/var/lib/([a-z0-9][a-z0-9-]*)" cfg.dataDir;
    in
    if found == null then null else builtins.head found;
  arguments = [
    "--data ${cfg.dataDir}"
    "--listen ${cfg.listen}"
    "--checkin-interval ${toString cfg.checkinIntervalS}"
    "--claim-interval ${toString cfg.claimIntervalS}"
    "--log-level ${cfg.logLevel}"
  ]
  ++ lib.optionals (cfg.url != null) [ "--url ${cfg.url}" ]
  ++ lib.optionals (cfg.evidenceStore != null) [ "--evidence-store ${cfg.evidenceStore}" ];
in
{
  options.services.central-command = {
    enable = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether to run Central Command. `central-command init` and `keys seal` come before its first start.";
    };
    package = mkOption {
      type = types.package;
      description = "Central Command, as `nix/central-package.nix` builds it.";
    };
    dataDir = mkOption {
      type = types.strMatching "[^\n ]+";
      default = "/var/lib/central-command";
      description = "Database, keys and evidence (`--data`): one folder directly below `/var/lib`, on a disk that is backed up.";
    };
    listen = mkOption {
      type = types.strMatching "([A-Za-z0-9.-]+|\\[[0-9a-f:.]+]):[0-9]{1,5}";
      default = "[::]:8443";
      description = "Address and port.";
    };
    url = orUnset (types.strMatching "https://[^ ?#@]+") "The address by which appliances reach it, where that is another one: it stands in its certificate.";
    checkinIntervalS = interval "Seconds between check-ins that appliances are told.";
    claimIntervalS = interval "Seconds between questions of a device that waits for its claim.";
    logLevel = mkOption {
      type = types.enum [
        "debug"
        "info"
        "warn"
        "error"
      ];
      default = "info";
      description = "Least important line that is logged.";
    };
    evidenceStore = orUnset (types.strMatching "s3://[^ ]+") "Bucket with Object Lock for evidence. When `null`, a folder in `dataDir`.";
    evidenceCredentialsFile = orUnset secretPath "File with the credentials of that bucket, as the AWS SDK reads them. Only root needs to read it.";
    passphraseFile = orUnset secretPath "File with the passphrase of the server's keys; only root needs to read it. When `null`, systemd opens the sealed credential `central-server-passphrase`.";
    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether to let the network reach the port.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = stateName != null;
        message = "services.central-command.dataDir must be one folder directly below /var/lib (it is ${cfg.dataDir}): systemd makes it, and nothing else can be written.";
      }
      {
        assertion = isOutside cfg.passphraseFile && isOutside cfg.evidenceCredentialsFile;
        message = "services.central-command: a secret in /nix/store can be read by everybody; name a file outside of it (a text, not a Nix path).";
      }
      {
        assertion = cfg.evidenceCredentialsFile == null || cfg.evidenceStore != null;
        message = "services.central-command.evidenceCredentialsFile has no effect without evidenceStore; remove it.";
      }
    ];
    users.users.${user} = {
      isSystemUser = true;
      group = user;
      home = cfg.dataDir;
      description = "Central Command";
    };
    users.groups.${user} = { };
    environment.systemPackages = [ cfg.package ];
    networking.firewall.allowedTCPPorts = lib.optionals cfg.openFirewall (
      map (text: builtins.fromJSON text) port
    );

    systemd.services.central-command = {
      description = "Central Command";
      wantedBy = [ "multi-user.target" ];
      after = [
        "network.target"
        "nss-lookup.target"
      ];
      # Where there is no data yet there is nothing to serve: `init` makes it.
      unitConfig.ConditionPathExists = "${cfg.dataDir}/central.db";
      environment = lib.optionalAttrs (cfg.evidenceCredentialsFile != null) {
        AWS_SHARED_CREDENTIALS_FILE = "%d/aws";
      };
      serviceConfig = {
        Type = "exec";
        ExecStart = "${program} serve ${builtins.concatStringsSep " " arguments}";
        User = user;
        Group = user;
        StateDirectory = stateName;
        StateDirectoryMode = "0700";
        WorkingDirectory = cfg.dataDir;
        Restart = "always";
        RestartSec = 5;
        # Requests under way are answered first.
        TimeoutStopSec = 30;
        MemoryMax = "1G";
        StandardInput = "null";
        StandardOutput = "journal";
        StandardError = "journal";
        SyslogIdentifier = "central-command";
      }
      // (
        if cfg.passphraseFile == null then
          { LoadCredentialEncrypted = "central-server-passphrase"; }
        else
          { }
      )
      // (
        let
          files =
            lib.optionals (cfg.passphraseFile != null) [
              "central-server-passphrase:${cfg.passphraseFile}"
            ]
            ++ lib.optionals (cfg.evidenceCredentialsFile != null) [ "aws:${cfg.evidenceCredentialsFile}" ];
        in
        if files == [ ] then { } else { LoadCredential = files; }
      )
      // import ./hardening.nix
      // {
        # It does listen; nothing else of the daemon's sandbox is given up.
        SystemCallFilter = [
          "@system-service"
          "~@privileged @resources"
        ];
        TasksMax = 128;
        # Another server than a box in a clinic: its processors are its own.
        CPUQuota = "400%";
      };
    };
  };
}
