#!/usr/bin/env bash
# Installs the Debian packages that `npm run test:system` uses. Run it as root; it may be run again at any time.
set -euo pipefail

# package: what test/system needs it for
packages=(
  age               # seals the recovery key of a disk to its owner
  apt               # apt-get with a pending security update, for the check of patching
  chrony            # chronyd and chronyc, for the clock check
  clamav-daemon     # a real clamd, for the check of protection against malware
  ceph-mon          # the monitor of a small object store, for evidence under Object Lock
  ceph-osd          # and its storage, in memory
  chromium          # shows the report at the width of a phone and on paper
  cryptsetup-bin    # LUKS headers, for the encryption check
  debootstrap       # a Debian root of its own, for the check of patching
  dosfstools        # mkfs.vfat, for boot partitions and sticks
  dmsetup           # what udev needs to see an encrypted volume
  dpkg-dev          # dpkg-scanpackages, for a small archive of packages
  e2fsprogs         # mkfs.ext4, for the power-cut test, and chattr
  eatmydata         # syncs that do nothing: shows that the power-cut test of Central Command has teeth
  gcc               # a small library that lends a container a kept clock and an id of its own boot
  libc6-dev         # the headers for that
  gdisk             # sgdisk, partition tables that the installer writes
  gss-ntlmssp       # NTLM of other people, for the independent WinRM server of test/interop
  iproute2          # ip and ss, to set up a network of its own and to look for listening sockets from outside
  kmod              # modprobe, in that kernel of its own: encrypted volumes and FAT are modules of it
  krb5-admin-server # kadmin.local, to make the users of a Kerberos realm
  krb5-kdc          # a real KDC, for Kerberos over WinRM
  krb5-user         # kinit, for that server
  libfaketime       # processes under a wall clock that is wrong or jumps
  libgssapi-krb5-2  # MIT's Kerberos, which the agent loads
  mtools            # mcopy and mtype, sticks without mounting them
  mount             # losetup, mount and umount, for the power-cut test
  nftables          # nft, for a real ruleset under the firewall check
  nix-bin           # nix-instantiate, to evaluate nix/module.nix; nix-hash
  openssl           # signatures checked by other code than ours
  polkitd           # lets the daemon's user start the privileged helpers, and nothing else
  python3           # a verifier of evidence that shares no code with this repository
  python3-fusepy    # a file system that refuses locks
  python3-cryptography # reads certificates for that server
  python3-gssapi    # what the independent WinRM server of test/interop speaks GSSAPI with
  python3-winrm     # pywinrm, which bench/winrm.ts is measured beside
  radosgw           # S3 with Object Lock over that object store; brings ceph and radosgw-admin
  restic            # real repositories, for the backup check
  strace            # holds what the privileged helpers tell the kernel about its clock
  libtss2-rc0       # what systemd speaks to a TPM with
  libtss2-esys-3.0.2-0
  libtss2-tcti-swtpm0
  swtpm             # a TPM, for the sealed device key
  systemd           # systemd-analyze, to judge the units, and what is booted in containers
  systemd-container # systemd-nspawn, to boot systemd and its journal in a container
  udev              # starts the helper for a stick
  uml-utilities     # uml_mconsole, which plugs sticks into that kernel
  user-mode-linux   # a kernel of its own, whose clock the helper set-clock really moves
  util-linux        # nsenter, setpriv and unshare
  xfsprogs          # xfs_io, which shuts a file system down the way a power cut does
)

if ! command -v apt-get >/dev/null; then
  echo "install-system-packages: apt-get is missing; install by hand: ${packages[*]}" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $state == installed ]] || missing+=("$package")
done

if ((${#missing[@]} == 0)); then
  echo "install-system-packages: nothing to do, all ${#packages[@]} packages are installed"
  exit 0
fi
if ((EUID != 0)); then
  echo "install-system-packages: run as root to install: ${missing[*]}" >&2
  exit 1
fi

echo "install-system-packages: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet --quiet
apt-get install --yes --quiet --quiet --no-install-recommends "${missing[@]}"
echo "install-system-packages: installed ${#missing[@]} of ${#packages[@]} packages"
