// Reads /proc/self/mountinfo (proc(5)). Pure.

export interface Mount {
  readonly mountPoint: string;
  readonly fsType: string;
  /** Major and minor number of the device, as `254:0`; the major is 0 where the file system has no device of its own. */
  readonly device: string;
  /** What was mounted: a device node, a name, or anything else that the file system says. */
  readonly source: string;
  /** Read-only for this process (its mount namespace may say so while the file system is writable). */
  readonly mountReadOnly: boolean;
  /** The file system itself is read-only, as after an I/O error. */
  readonly fileSystemReadOnly: boolean;
}

/** Space, tab, line feed and backslash are written as three octal digits. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

const hasRo = (options: string | undefined): boolean => options?.split(',').includes('ro') === true;

/** Lines that do not fit are left out. */
export function parseMountInfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const separator = fields.indexOf('-', 6);
    const [device, mountPoint, options] = [fields[2], fields[4], fields[5]];
    const fsType = fields[separator + 1];
    if (separator < 0 || device === undefined || mountPoint === undefined || fsType === undefined) return [];
    return [
      {
        mountPoint: unescapeOctal(mountPoint),
        fsType,
        device,
        source: unescapeOctal(fields[separator + 2] ?? ''),
        mountReadOnly: hasRo(options),
        fileSystemReadOnly: hasRo(fields[separator + 3]),
      },
    ];
  });
}

/** The mount that holds an absolute path without links: the longest prefix; of equal ones the last, which covers the rest. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | null {
  let best: Mount | null = null;
  for (const mount of mounts) {
    const prefix = mount.mountPoint === '/' ? '/' : `${mount.mountPoint}/`;
    const holds = path === mount.mountPoint || path.startsWith(prefix);
    if (holds && (best === null || mount.mountPoint.length >= best.mountPoint.length)) best = mount;
  }
  return best;
}
