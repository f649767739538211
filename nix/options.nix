# Every option of `services.compliance-agent` that ends in the agent's configuration file, under the name that the file has
# for it (docs/configuration.md). An option left at `null` leaves its key out: the agent's own default then counts.
{ lib }:
let
  inherit (lib) types;
  whole =
    key: low: high: default: description:
    {
      inherit key default description;
      type = types.ints.between low high;
    };
  orUnset = type: types.nullOr type;
  text = types.strMatching "[^\n]+";
in
{
  mode = {
    key = "mode";
    type = types.enum [
      "reseller"
      "direct"
    ];
    default = "reseller";
    description = "Who runs Central Command: a partner for many customers (`reseller`) or the owner of the site (`direct`).";
  };
  resellerId = {
    key = "reseller_id";
    type = orUnset (types.strMatching "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?");
    default = null;
    description = "The partner. Required in mode `reseller`, refused in mode `direct`.";
  };
  centralUrl = {
    key = "central_url";
    type = orUnset (types.strMatching "https://[A-Za-z0-9.:-]+|https://\\[[0-9a-fA-F:.]+](:[0-9]+)?");
    default = null;
    description = "Central Command. When `null`, the address from the provisioning files is used.";
  };
  stateDir = {
    key = "state_dir";
    type = text;
    default = "/var/lib/compliance-agent";
    description = "Database, keys and status file: one folder directly below `/var/lib`, on a disk that survives a restart. Provisioning files are looked for in its folder `provision`.";
  };
  rootSha256 = {
    key = "root_sha256";
    type = orUnset (types.strMatching "[0-9a-f]{64}");
    default = null;
    description = "Digest of the trust root that the privileged helpers begin with, as the partner publishes it. Without it they refuse to work.";
  };
  pollIntervalS = whole "poll_interval_s" 1 3600 60 "Seconds between check-ins, spread by ±10 %.";
  checksIntervalS = {
    key = "checks_interval_s";
    type = orUnset (types.ints.between 1 86400);
    default = null;
    description = "When set, every check runs at this interval in seconds instead of its own.";
  };
  uploadIntervalS = whole "upload_interval_s" 1 86400 60 "Seconds between uploads of evidence.";
  heartbeatIntervalS =
    whole "heartbeat_interval_s" 1 86400 3600
      "Seconds between entries that say that findings are unchanged.";
  orderTtlS =
    whole "order_ttl_s" 60 900 900
      "Upper bound, in seconds, for the lifetime of an order; longer-lived orders are refused.";
  healingMode = {
    key = "healing_mode";
    type = types.enum [
      "off"
      "dry_run"
      "on"
    ];
    default = "on";
    description = "The most that unattended healing may do here, whatever site policy allows; without a policy it does nothing in any case.";
  };
  credentials = {
    type = types.attrsOf (types.strMatching "/[^ \n:]*[^ \n:/]");
    default = { };
    description = "Secrets of outputs and of a language model: the name that the signed site policy gives one (`credential`, with `.ca` behind it for its certificates), and the file that it stands in, as a text. Only root needs to read the file; systemd hands it to the agent. With sops-nix or agenix it is the path that they give. A file that is not there keeps nothing from starting: that output says that it has no secret.";
  };
  allowedHosts = {
    key = "allowed_hosts";
    type = types.listOf text;
    default = [ ];
    description = "Hosts besides Central Command that the egress table lets the agent reach, over TCP: `host` (port 443), `host:port` or `[IPv6]:port`.";
  };
  egress = {
    type = types.bool;
    default = false;
    description = "Whether everything that leaves the machine is dropped but what is named: Central Command, `allowedHosts`, `rootHosts`, what the signed site policy names, DNS of systemd-resolved, NTP of systemd-timesyncd, DHCP.";
  };
  rootHosts = {
    key = "root_hosts";
    type = types.listOf text;
    default = [ ];
    description = "Hosts that the egress table lets root's own programs reach (cache of updates, place of backups), over TCP: `host` (port 443), `host:port` or `[IPv6]:port`.";
  };
  rebuildHealthCheckTimeoutS = {
    type = types.ints.between 10 300;
    default = 60;
    description = "Seconds within which a new system has to be healthy, or the old one comes back.";
  };
  updates = {
    cache = {
      type = orUnset (types.strMatching "https://[^ ]+");
      default = null;
      description = "Binary cache that updates are pulled from, and nothing else is. When `null`, nothing is set, and an update is only found where NixOS looks by itself. With `egress`, its host stands in `rootHosts` too.";
    };
    publicKeys = {
      type = types.listOf (types.strMatching "[A-Za-z0-9._-]+:[A-Za-z0-9+/]{43}=");
      default = [ ];
      description = "Keys whose signature a store path of the cache needs, as `nix key convert-secret-to-public` prints them.";
    };
  };
  egressRefreshS =
    whole "egress_refresh_s" 5 3600 120
      "Seconds between two openings of the egress table. What is not opened again closes after three times as long.";
  baselinePath = {
    key = "baseline_path";
    type = orUnset text;
    default = null;
    description = "Baseline that the checks judge against. When `null`, the one that ships with the agent.";
  };
  evidenceRetention =
    whole "evidence_retention" 1 1000000 200
      "Newest entries that stay on the appliance whole, however old they are and wherever else they are stored.";
  pruneRetentionDays =
    whole "prune_retention_days" 1 3650 90
      "Days that entries stay on the appliance after Central Command signed that it stores them; then only hashes stay.";
  evidenceCapMib =
    whole "evidence_cap_mib" 16 1048576 1024
      "MiB of evidence on the appliance beyond which digests are left out and heartbeats thinned. Changes are recorded in any case.";
  ntpMaxSkewMs =
    whole "ntp_max_skew_ms" 100 600000 5000
      "Milliseconds from the time servers beyond which nothing disruptive is done and `doctor` calls the clock wrong.";
  memoryLimitMib =
    whole "memory_limit_mib" 64 65536 400
      "MiB beyond which the daemon says what it was doing and has itself restarted. The unit's `MemoryMax` lies 128 MiB above it.";
  timestampUrl = {
    key = "timestamp_url";
    type = orUnset (types.strMatching "https?://[^ ?#@]+");
    default = null;
    description = "RFC 3161 authority that timestamps a checkpoint once a day. When `null`, none is asked.";
  };
  timestampCaPath = {
    key = "timestamp_ca_path";
    type = orUnset text;
    default = null;
    description = "Certificates (PEM) that the authority must lead to. When `null`, its signature is left for the auditor to check.";
  };
  logLevel = {
    key = "log_level";
    type = types.enum [
      "debug"
      "info"
      "warn"
      "error"
    ];
    default = "info";
    description = "Least important line that is logged.";
  };
  maintenanceWindow = {
    key = "maintenance_window";
    type = orUnset (
      types.submodule {
        options = {
          time_zone = lib.mkOption {
            type = text;
            description = "IANA time zone, such as `Europe/Vienna`.";
          };
          days = lib.mkOption {
            type = types.listOf (
              types.enum [
                "mon"
                "tue"
                "wed"
                "thu"
                "fri"
                "sat"
                "sun"
              ]
            );
            description = "Days on which the window opens.";
          };
          start = lib.mkOption {
            type = types.strMatching "[0-9]{2}:[0-9]{2}";
            description = "When it opens, `HH:MM`.";
          };
          end = lib.mkOption {
            type = types.strMatching "[0-9]{2}:[0-9]{2}";
            description = "When it closes; not after `start` means the next day.";
          };
        };
      }
    );
    default = null;
    description = "When disruptive work may happen until the first signed site policy (`time_zone`, `days`, `start`, `end`).";
  };
  configStick.enable = {
    type = types.bool;
    default = false;
    description = "Whether a stick with the label `CLINICCFG` is read as soon as it is plugged in. Provisioning files are then looked for in a folder of root's beside `stateDir`, with `-provision` behind its name.";
  };
  console = {
    enable = {
      type = types.bool;
      default = false;
      description = "Whether the first console shows how the appliance is, in place of a login.";
    };
    font = {
      type = types.strMatching "[a-zA-Z0-9_.-]+";
      default = "ter-132n";
      description = "Font of the consoles, from the package `terminus_font`: 32 lines high by default, for 120 columns and 33 rows on a full HD screen.";
    };
  };
  sealDisk.enable = {
    type = types.bool;
    default = false;
    description = "Whether the encrypted volume `clinic-root` that the installer made gets a key of the TPM in place of the installer's.";
  };
}
