# What may leave the machine: nothing, but what root's refresher opens for a while (docs/egress.md). On with `egress`.
{
  cfg,
  program,
  configFile,
  uid,
  pkgs,
  lib,
  ...
}:
let
  table = "compliance-agent-egress";
  closed = "${table}-closed";
  closedFile = "/etc/compliance-agent/egress-closed.nft";
  nft = "${pkgs.nftables}/sbin/nft";
  systemctl = "${pkgs.systemd}/bin/systemctl";
  # Fixed in NixOS (nixos/modules/misc/ids.nix).
  resolver = 153;
  timeSync = 154;
  state = "compliance-agent/egress";

  # Filled by the refresher: what is not opened again closes by itself. The sizes are above the refresher's own limits.
  hosts = name: family: ''
    set ${name} {
      type ${family} . inet_proto . inet_service
      size 32768
      flags timeout
    }
  '';
  networks = name: family: ''
    set ${name} {
      type ${family} . inet_proto . inet_service
      size 4096
      flags interval, timeout
    }
  '';
  # Nothing is forwarded, and nothing leaves but by these rules. Numbers of users, since names are looked up when the rules load.
  content = ''
    ${hosts "agent_hosts4" "ipv4_addr"}
    ${hosts "agent_hosts6" "ipv6_addr"}
    ${networks "agent_networks4" "ipv4_addr"}
    ${networks "agent_networks6" "ipv6_addr"}
    ${hosts "root_hosts4" "ipv4_addr"}
    ${hosts "root_hosts6" "ipv6_addr"}
    chain output {
      type filter hook output priority filter; policy drop;
      oifname "lo" accept
      ct state invalid drop
      ct state established,related accept

      # The network itself: neighbours and routers of IPv6, and DHCP by its privileged ports.
      icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld2-listener-report } accept
      udp sport 68 udp dport 67 accept
      udp sport 546 udp dport 547 accept

      # Names and time, each for the one who asks for all.
      meta skuid ${toString resolver} meta l4proto { tcp, udp } th dport 53 accept
      meta skuid ${toString timeSync} udp dport 123 accept

      meta skuid ${toString uid} ip daddr . meta l4proto . th dport @agent_hosts4 accept
      meta skuid ${toString uid} ip6 daddr . meta l4proto . th dport @agent_hosts6 accept
      meta skuid ${toString uid} ip daddr . meta l4proto . th dport @agent_networks4 accept
      meta skuid ${toString uid} ip6 daddr . meta l4proto . th dport @agent_networks6 accept
      meta skuid 0 ip daddr . meta l4proto . th dport @root_hosts4 accept
      meta skuid 0 ip6 daddr . meta l4proto . th dport @root_hosts6 accept

      # Said a few times a minute in the journal of the kernel, with who it was; and the daemon is told, so that it does not wait.
      limit rate 6/minute burst 10 packets log prefix "egress refused: " flags skuid
      meta skuid ${toString uid} reject with icmpx admin-prohibited
    }
    chain forward {
      type filter hook forward priority filter; policy drop;
    }
  '';
  # In force where that table is not: this machine speaks with itself alone.
  closedText = ''
    table inet ${closed}
    delete table inet ${closed}
    table inet ${closed} {
      chain output {
        type filter hook output priority filter; policy drop;
        oifname "lo" accept
      }
      chain forward {
        type filter hook forward priority filter; policy drop;
      }
    }
  '';

  refresher = {
    compliance-agent-egress = {
      description = "Doors of the egress table of the compliance agent";
      # Also while nftables.service is still loading, again or for the first time: a start waits for that.
      after = [
        "nftables.service"
        "network-online.target"
        "nss-lookup.target"
      ];
      # However often it fails: without it everything closes.
      unitConfig.StartLimitIntervalSec = 0;
      environment = {
        MALLOC_ARENA_MAX = "1";
        COMPLIANCE_AGENT_HELD = "/var/lib/compliance-agent-helpers";
        # So many names are asked for at once.
        UV_THREADPOOL_SIZE = "32";
      };
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${program} egress refresh --config ${configFile}";
        RuntimeDirectory = state;
        RuntimeDirectoryMode = "0755";
        RuntimeDirectoryPreserve = true;
        # While Central Command has no address, or the table is not loaded.
        Restart = "on-failure";
        RestartSec = 20;
        TimeoutStartSec = 120;
        MemoryMax = "256M";
      }
      // import ./hardening.nix
      // {
        # Who owns a file must be seen as it is.
        PrivateUsers = false;
        CapabilityBoundingSet = "CAP_NET_ADMIN";
        # It asks the resolver of this machine, and systemd over its private socket.
        IPAddressDeny = "any";
        IPAddressAllow = "localhost";
        # Reading whether the clock is synchronised (adjtimex) counts as touching it; setting it takes a capability.
        ProtectClock = false;
        SystemCallFilter = [
          "@system-service"
          "~@privileged @resources"
          "~listen accept accept4"
          "adjtimex clock_adjtime"
        ];
      };
    };
    compliance-agent-egress-closed = {
      description = "Nothing leaves the machine, since the egress table is not loaded";
      unitConfig.StartLimitIntervalSec = 0;
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${nft} -f ${closedFile}";
        TimeoutStartSec = 30;
      }
      // import ./hardening.nix
      // {
        PrivateUsers = false;
        CapabilityBoundingSet = "CAP_NET_ADMIN";
        IPAddressDeny = "any";
        RestrictAddressFamilies = "AF_NETLINK";
      };
    };
  };
  # A stopped or failed nftables.service would leave everything open. What fills the sets runs again whenever they were emptied.
  loader = {
    nftables = {
      onFailure = [ "compliance-agent-egress-closed.service" ];
      unitConfig.RefuseManualStop = true;
      serviceConfig = {
        ExecStartPost = [ "-${systemctl} --no-block restart compliance-agent-egress.service" ];
        ExecReload = [ "-${systemctl} --no-block restart compliance-agent-egress.service" ];
        ExecStopPost = [ "-${nft} -f ${closedFile}" ];
      };
    };
  };
  timers.compliance-agent-egress = {
    description = "Doors of the egress table of the compliance agent";
    wantedBy = [ "timers.target" ];
    timerConfig = {
      OnActiveSec = 0;
      OnUnitInactiveSec = cfg.egressRefreshS;
      AccuracySec = "1s";
    };
  };
  # Before its timer where there is something new: a site policy that the helpers verified, or a stick that was read.
  paths.compliance-agent-egress = {
    description = "New site policy or provisioning files for the egress table";
    wantedBy = [ "multi-user.target" ];
    pathConfig.PathChanged = [
      "/var/lib/compliance-agent-helpers/policy.json"
      "${cfg.stateDir}-provision/clinic.yaml"
    ];
  };
in
{
  services = if cfg.egress then refresher // loader else { };
  timers = if cfg.egress then timers else { };
  paths = if cfg.egress then paths else { };
  tables =
    if cfg.egress then
      {
        ${table} = {
          family = "inet";
          inherit content;
        };
      }
    else
      { };
  etc = if cfg.egress then { "compliance-agent/egress-closed.nft".text = closedText; } else { };
  more.networking.nftables.enable = lib.mkIf cfg.egress true;
}
