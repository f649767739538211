// The immutable and append-only attributes of Linux file systems (ioctl_iflags(2)), set by `chattr`: not even root removes or
// changes such a file before the attribute is taken off, for which CAP_LINUX_IMMUTABLE is needed.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** For one call. */
const CHATTR_MS = 10_000;

const chattr = async (change: string, ...paths: string[]): Promise<void> => {
  await promisify(execFile)('chattr', [change, '--', ...paths], { timeout: CHATTR_MS });
};

/** Far below what a command line may hold. */
const FILES_PER_CALL = 200;

export async function makeImmutable(files: readonly string[]): Promise<void> {
  for (let i = 0; i < files.length; i += FILES_PER_CALL) await chattr('+i', ...files.slice(i, i + FILES_PER_CALL));
}

export const makeAppendOnly = (folder: string): Promise<void> => chattr('+a', folder);

/** Tries it on a file in `dir`. @returns why it cannot be had here, or null */
export async function whyNotImmutable(dir: string): Promise<string | null> {
  const probe = await mkdtemp(join(dir, '.probe-'));
  const file = join(probe, 'file');
  try {
    await writeFile(file, '');
    await makeImmutable([file]);
    const removed = await rm(file).then(
      () => true,
      () => false,
    );
    return removed ? 'the file system takes the attribute and does not keep it' : null;
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOENT') return 'there is no chattr';
    return (
      (stderr ?? '')
        .trim()
        .split('\n')
        .at(-1)
        ?.replace(/^chattr: /, '') || 'chattr failed'
    );
  } finally {
    await chattr('-i', file).catch(() => {});
    await rm(probe, { recursive: true, force: true });
  }
}
