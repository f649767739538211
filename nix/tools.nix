# Programs that the agent starts. Those of `shipped` are found in the package itself, by their places in the store; the others are
# the machine's own choice and found in its system, where they are missing a check says so.
{
  # Package → programs.
  shipped = {
    cryptsetup = [ "cryptsetup" ];
    nftables = [ "nft" ];
    systemd = [
      "journalctl"
      "systemctl"
      "systemd-creds"
      "systemd-cryptenroll"
      "systemd-run"
      "timedatectl"
    ];
  };
  # Program → where it is asked for.
  ofTheMachine = {
    apt-get = "on Debian, for its pending updates";
    chronyc = "where services.chrony keeps the time";
    nix-env = "where the machine is updated by order";
    nix-store = "where the machine is updated by order";
    restic = "where a backup is declared";
  };
}
