// What somebody typed on the kernel command line of this one start. Pure.

export interface KernelOptions {
  /**
   * `installer.disk=NAME`; null where it is absent. A malformed one names no disk, so that nothing is erased: whoever typed it meant one,
   * and not whatever disk is taken without it.
   */
  readonly disk: string | null;
  /** `installer.reinstall=yes`, in exactly these words. */
  readonly reinstall: boolean;
  /** Options that begin with `installer.` and are none: shown, so that a mistyped one is not taken for given. */
  readonly unknown: readonly string[];
}

const NAME = /^[A-Za-z0-9._-]{1,64}$/;

/** No disk has this name or serial number; an empty one some have. */
const NOTHING = '(nothing)';
const printable = (word: string): string => word.slice(0, 60).replace(/[^\x20-\x7e]/g, '?');

/** @param text of /proc/cmdline. Of an option that stands twice the last counts. */
export function parseKernelOptions(text: string): KernelOptions {
  let disk: string | null = null;
  let reinstall = false;
  const unknown: string[] = [];
  for (const word of text.trim().split(/\s+/)) {
    if (!word.startsWith('installer.')) continue;
    const at = word.includes('=') ? word.indexOf('=') : word.length;
    const [name, value] = [word.slice(0, at), word.slice(at + 1)];
    const plain = value.replace(/^\/dev\//, '');
    if (name === 'installer.disk' && NAME.test(plain)) disk = plain;
    else if (name === 'installer.reinstall' && (value === 'yes' || value === 'no')) reinstall = value === 'yes';
    else {
      if (name === 'installer.disk') disk = printable(value) || NOTHING;
      unknown.push(printable(word));
    }
  }
  return { disk, reinstall, unknown };
}
