// A file system that refuses POSIX locks: a real one (FUSE), which answers fcntl(2) as network mounts without a lock service do.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { EXIT } from '../../agent/errors/exit-codes.ts';
import { openStore } from '../../agent/store/open-store.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { start, until } from '../../tools/demo/process.ts';
import { REPO } from '../support/demo-site.ts';
import { expectCode } from '../support/expect-code.ts';

const PYTHON = '/usr/bin/python3';
const PROGRAM = join(import.meta.dirname, '../fixtures/programs/fuse-without-locks.py');
/** Of Linux; os.constants names no ENOLCK. */
const ENOLCK = 37;
const { ENOSYS, EOPNOTSUPP } = constants.errno;
const MOUNT_MS = 20_000;

const why =
  process.getuid?.() !== 0
    ? 'needs root to mount a file system'
    : spawnSync(PYTHON, ['-c', 'import fusepy; open("/dev/fuse")']).status === 0
      ? null
      : 'needs python3-fusepy and /dev/fuse';

let mounted: { readonly path: string; readonly source: string; readonly server: ChildProcess } | null = null;

async function mount(refusal: number): Promise<{ path: string; source: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'no-locks-'));
  const [source, path] = [join(dir, 'source'), join(dir, 'mounted')];
  for (const one of [source, path]) mkdirSync(one);
  const outside = statSync(path).dev;
  const server = spawn(PYTHON, [PROGRAM, source, path, String(refusal)], { stdio: 'inherit' });
  mounted = { path, source, server };
  await until('it is mounted', () => (statSync(path).dev === outside ? null : true), MOUNT_MS);
  return mounted;
}

afterEach(() => {
  if (mounted === null) return;
  spawnSync('umount', ['--lazy', mounted.path]);
  rmSync(join(mounted.path, '..'), { recursive: true, force: true });
  mounted = null;
});

describe('a file system without locks', () => {
  it.for([
    ['ENOLCK, as a network mount whose lock service is away', ENOLCK],
    ['ENOSYS, as one that knows no locks', ENOSYS],
    ['EOPNOTSUPP', EOPNOTSUPP],
  ] as const)(
    'that answers %s is named as such, not as another process, and nothing is left in it',
    async ([, refusal], ctx) => {
      ctx.skip(why !== null, why ?? '');
      const { path, source } = await mount(refusal);
      expectCode(() => openStore({ dir: join(path, 'state'), clock: systemClock }), 'store_no_locks');
      expect(readdirSync(join(source, 'state'))).toEqual(['lock.db']);
    },
  );

  it('ends the start of the daemon with exit 5, its path and what to do', async (ctx) => {
    ctx.skip(why !== null, why ?? '');
    const { path } = await mount(ENOLCK);
    const config = join(path, '..', 'config.yaml');
    writeFileSync(config, ['mode: direct', `state_dir: ${join(path, 'state')}`, ''].join('\n'));
    const argv = ['--disable-sigusr1', join(REPO, 'agent/main.ts'), 'run', '--config', config];
    const daemon = start([process.execPath, ...argv], { cwd: REPO });
    expect(await daemon.ended).toBe(EXIT.state);
    expect(daemon.output()).toContain('store_no_locks');
    expect(daemon.output()).toContain(join(path, 'state', 'lock.db'));
    expect(daemon.output()).toContain('local file system');
  });
});
