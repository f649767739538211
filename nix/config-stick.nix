# A stick with the label CLINICCFG: udev starts the helper `config-stick` for it, systemd mounts it while that runs
# (docs/first-boot.md). The helper's unit stands in helpers.nix.
{ cfg, user, ... }:
let
  unless = nothing: given: if cfg.configStick.enable then given else nothing;
in
{
  mounts = unless [ ] [
    {
      description = "Stick with provisioning files";
      what = "/dev/disk/by-label/CLINICCFG";
      where = "/run/cliniccfg";
      type = "vfat";
      # Nothing on it runs, and nobody but root sees it; what is written is on the stick before anybody pulls it.
      options = "rw,nosuid,nodev,noexec,noatime,flush,uid=0,gid=0,fmask=0177,dmask=0077,errors=remount-ro";
      unitConfig = {
        # Gone again as soon as the helper ends: a stick may be pulled at any time.
        StopWhenUnneeded = true;
        # The daemon may start the helper where no stick is.
        JobRunningTimeoutSec = 10;
      };
      mountConfig = {
        DirectoryMode = "0700";
        TimeoutSec = 30;
      };
    }
  ];

  udevRules = unless "" ''
    ACTION!="remove", SUBSYSTEM=="block", ENV{ID_FS_TYPE}=="vfat", ENV{ID_FS_LABEL}=="CLINICCFG", TAG+="systemd", ENV{SYSTEMD_WANTS}+="compliance-agent-config-stick.service"
  '';

  # Root's, for the group of the daemon to read. Not below the daemon's own folder: there it could put links in root's way.
  tmpfiles = unless [ ] [ "d ${cfg.stateDir}-provision 2750 root ${user} -" ];
}
