// What stands in, on the machine of update-lab.ts, for NixOS's `switch-to-configuration`, the boot loader, Nix and what keeps the clock.
export const UNIT = 'compliance-agent.service';
/** The folder that stands for a binary cache. */
export const CACHE = '/srv/cache';

/** Keeps what it is given: units that it changes, the running system, what starts next. */
export const switchScript = (closure: string): string => `#!/bin/sh
new=${closure}
case "$1" in switch|boot) echo "$new" > /boot/default.new && mv /boot/default.new /boot/default ;; esac
[ "$1" = boot ] && exit 0
restart=
for unit in "$new"/etc/systemd/system/*; do
  name=\${unit##*/}
  cmp -s "$unit" "/etc/systemd/system/$name" && continue
  cp --remove-destination "$unit" "/etc/systemd/system/$name"
  [ "$name" = ${UNIT} ] && restart=yes
done
ln -sfn "$new" /run/current-system
systemctl daemon-reload
if [ -n "$restart" ]; then systemctl restart ${UNIT} || exit 4; fi
exit 0
`;

/** What a boot loader and the first stage do: the default system's units, and the links that say what runs. */
export const BOOT_SCRIPT = `#!/bin/sh
[ -e /run/lab-boot-id ] || { cat /proc/sys/kernel/random/boot_id > /run/lab-new-id; mv /run/lab-new-id /run/lab-boot-id; }
[ -s /boot/default ] || exit 0
new=$(cat /boot/default)
cp --remove-destination "$new"/etc/systemd/system/* /etc/systemd/system/
ln -sfn "$new" /run/booted-system
ln -sfn "$new" /run/current-system
systemctl daemon-reload
`;

export const NIX_STORE = `#!/bin/sh
case "$1" in
  --realise)
    for name in $(cat ${CACHE}/$(basename "$2").closure 2>/dev/null); do
      [ -e "/nix/store/$name" ] || { cp -a "${CACHE}/$name" "/nix/store/.$name" && mv "/nix/store/.$name" "/nix/store/$name"; }
    done
    [ -e "$2" ] || { echo "error: path '$2' does not exist in the cache and may not be built" >&2; exit 1; }
    ln -sfn "$2" "$4" ;;
  --query) echo "sha256:$(nix-hash --type sha256 --base32 "$3")" ;;
  *) exit 64 ;;
esac
`;

export const NIX_ENV = `#!/bin/sh
[ "$1 $3" = "--profile --set" ] || exit 64
dir=$(dirname "$2"); name=$(basename "$2")
n=$(ls "$dir" | sed -n "s/^$name-\\([0-9]*\\)-link$/\\1/p" | sort -n | tail -1)
next=$(( \${n:-0} + 1 ))
ln -s "$4" "$dir/$name-$next-link"
ln -s "$name-$next-link" "$dir/$name.new" && mv -T "$dir/$name.new" "$2"
`;

/**
 * A clock that something keeps, since nobody inside may set the kernel's; and one id of the boot for all: a unit that sees a /proc of
 * its own would see the id of the machine outside, which does not boot.
 */
export const OWN_KERNEL = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>
int adjtimex(struct timex *t) { t->maxerror = 1000; t->esterror = 1000; t->status = 0; return TIME_OK; }
typedef int (*opens)(const char *, int, mode_t);
static int opened(const char *name, const char *path, int flags, mode_t mode) {
  if (!strcmp(path, "/proc/sys/kernel/random/boot_id") && !access("/run/lab-boot-id", R_OK)) path = "/run/lab-boot-id";
  return ((opens)dlsym(RTLD_NEXT, name))(path, flags, mode);
}
int open(const char *path, int flags, ...) {
  __builtin_va_list more; __builtin_va_start(more, flags); mode_t mode = __builtin_va_arg(more, mode_t);
  return opened("open", path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  __builtin_va_list more; __builtin_va_start(more, flags); mode_t mode = __builtin_va_arg(more, mode_t);
  return opened("open64", path, flags, mode);
}
`;
export const CHRONYC =
  '#!/bin/sh\necho "C0000201,192.0.2.1,2,1780000000.0,0.000001,0.000001,0.000001,1.0,0.0,0.01,0.001,0.001,64.0,Normal"\n';

export const TARGET = `[Unit]
Requires=basic.target
After=basic.target
AllowIsolate=yes
Wants=lab-central.service compliance-agent.service compliance-agent-switch-system.timer
`;
export const BOOT_UNIT = `[Unit]
DefaultDependencies=no
Before=sysinit.target
After=local-fs.target
[Service]
Type=oneshot
ExecStart=/opt/lab-boot
`;
