import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXIT } from '../../agent/errors/exit-codes.ts';
import { readStatus } from '../../agent/system/status-file.ts';
import { start, until } from '../../tools/demo/process.ts';
import type { Running } from '../../tools/demo/process.ts';
import { REPO } from '../support/demo-site.ts';

describe('what the daemon meets at its start', () => {
  let dir: string;
  let state: string;
  let running: Running[];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'start-'));
    state = join(dir, 'state');
    mkdirSync(state, { mode: 0o700 });
    running = [];
  });
  afterEach(async () => {
    await Promise.all(running.map((process) => process.end('SIGKILL')));
    rmSync(dir, { recursive: true, force: true });
  });

  function startDaemon(lines: readonly string[] = [], stateDir = state): Running {
    const config = join(dir, 'config.yaml');
    const own = [
      'mode: direct',
      `state_dir: ${stateDir}`,
      `provision_dir: ${join(dir, 'stick')}`,
      'poll_interval_s: 1',
    ];
    writeFileSync(config, [...own, ...lines, ''].join('\n'));
    const argv: [string, ...string[]] = [process.execPath, '--disable-sigusr1', join(REPO, 'agent/main.ts')];
    const daemon = start([...argv, 'run', '--config', config], { cwd: REPO });
    running.push(daemon);
    return daemon;
  }

  /** The daemon must end by itself; what it said, as one line. */
  async function refusal(
    lines: readonly string[] = [],
    stateDir = state,
  ): Promise<{ code: number | string; said: string }> {
    const daemon = startDaemon(lines, stateDir);
    return { code: await daemon.ended, said: daemon.output() };
  }

  it('a state directory that cannot be made ends the start with exit 5 and store_read_only', async () => {
    writeFileSync(join(dir, 'file'), 'in the way');
    const { code, said } = await refusal([], join(dir, 'file/state'));
    expect(code).toBe(EXIT.state);
    expect(said).toMatch(/^store_read_only: .*file\/state.* — /);
  });

  it('a second daemon on one state directory is refused with exit 5 and store_locked, and the first goes on', async () => {
    const first = startDaemon();
    await until('the first runs', () => (readStatus(state)?.pid === first.pid ? true : null), 20_000);
    const { code, said } = await refusal();
    expect(code).toBe(EXIT.state);
    expect(said).toMatch(/^store_locked: /);
    expect(await first.end('SIGTERM')).toBe(0);
  });

  it('a database of garbage ends the start with exit 5 and store_corrupt, and is left as it is', async () => {
    writeFileSync(join(state, 'agent.db'), Buffer.alloc(8_192, 7));
    const { code, said } = await refusal();
    expect(code).toBe(EXIT.state);
    expect(said).toMatch(/^store_corrupt: .*agent\.db/);
  });

  it('a key file that others can read ends the start with key_permissions and names the file', async () => {
    const first = startDaemon();
    await until('keys are made', () => (readStatus(state)?.pid === first.pid ? true : null), 20_000);
    await first.end('SIGTERM');
    chmodSync(join(state, 'keys/device.key'), 0o644);
    const { code, said } = await refusal();
    expect(code).not.toBe(0);
    expect(said).toMatch(/^key_permissions: .*device\.key.* — /);
  });

  it('a key file that is no key ends the start with key_malformed, and is not overwritten', async () => {
    mkdirSync(join(state, 'keys'), { mode: 0o700 });
    writeFileSync(join(state, 'keys/device.key'), 'not a key\n', { mode: 0o600 });
    const { code, said } = await refusal();
    expect(code).not.toBe(0);
    expect(said).toMatch(/^key_malformed: .*device\.key/);
  });

  it('a baseline that is missing ends the start and names the file', async () => {
    const { code, said } = await refusal([`baseline_path: ${join(dir, 'none.yaml')}`]);
    expect(code).not.toBe(0);
    expect(said).toMatch(/none\.yaml/);
  });

  it('without provisioning files it runs, checks, says what is missing, and takes them up when they come', async () => {
    const daemon = startDaemon();
    const status = await until(
      'a reason and findings',
      () => {
        const seen = readStatus(state);
        return seen?.pid === daemon.pid && seen.blocking_reason !== null && seen.findings.length >= 4 ? seen : null;
      },
      20_000,
      () => daemon.output(),
    );
    expect(status.state).toBe('unprovisioned');
    expect(status.blocking_reason?.sentence).toContain(join(dir, 'stick'));
    expect(status.log).toBeNull();
    mkdirSync(join(dir, 'stick'));
    writeFileSync(join(dir, 'stick/clinic.yaml'), 'central_url: http://central.example\ncolour: blue\n');
    await until(
      'a reason that names the mistake in the new file',
      () => (readStatus(state)?.blocking_reason?.code === 'provision_invalid' ? true : null),
      20_000,
      () => JSON.stringify(readStatus(state)?.blocking_reason),
    );
    expect(await daemon.end('SIGTERM', 10_000)).toBe(0);
  });
});
