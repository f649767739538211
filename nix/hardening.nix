# What the daemon may do, as systemd enforces it (systemd.exec(5)). docs/appliance.md gives the reasons line by line.
{
  # One user, no way up.
  NoNewPrivileges = true;
  CapabilityBoundingSet = "";
  AmbientCapabilities = "";
  RestrictSUIDSGID = true;
  PrivateUsers = true;
  KeyringMode = "private";
  UMask = "0077";

  # Memory that holds keys reaches no disk.
  LimitCORE = 0;

  # Nothing can be written but the state directory; nobody else's processes, devices, files or messages are seen.
  ProtectSystem = "strict";
  ProtectHome = true;
  PrivateTmp = true;
  PrivateDevices = true;
  DevicePolicy = "closed";
  PrivateIPC = true;
  PrivateMounts = true;
  RemoveIPC = true;
  ProtectProc = "invisible";
  # Not `pid`: the network tables, the processors and the memory are read there.
  ProcSubset = "all";

  ProtectClock = true;
  ProtectControlGroups = true;
  ProtectHostname = true;
  ProtectKernelLogs = true;
  ProtectKernelModules = true;
  ProtectKernelTunables = true;

  LockPersonality = true;
  RestrictNamespaces = true;
  RestrictRealtime = true;
  # MemoryDenyWriteExecute stays off: V8 compiles at run time.

  # Outbound only. Sockets of these families can be opened, and none can be made to listen.
  RestrictAddressFamilies = [
    "AF_INET"
    "AF_INET6"
    "AF_NETLINK"
    "AF_UNIX"
  ];
  SystemCallArchitectures = "native";
  SystemCallFilter = [
    "@system-service"
    "~@privileged @resources"
    "~listen accept accept4"
  ];
  SystemCallErrorNumber = "EPERM";

  # A small box that has other work.
  CPUQuota = "80%";
  TasksMax = 64;
  # A tool that used up the memory is that probe's failure, not the daemon's.
  OOMPolicy = "continue";
}
