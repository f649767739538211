// The privileged helpers as processes of root's, and a compromised daemon, as another user, that hands them whatever it likes.
// Each attack changes one thing in what the run before it shows accepted.
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HelperDeps } from '../../agent/helpers/helper-deps.ts';
import { runHelper } from '../../agent/helpers/run-helper.ts';
import { RUN_LIMITS } from '../../agent/helpers/verbs.ts';
import { tryFileLock } from '../../agent/system/file-lock.ts';
import { openHandedOver } from '../../agent/system/handed-over.ts';
import { isAgentError } from '../../agent/errors/agent-error.ts';
import { FILE_ATTACKS } from '../attacks/helper-attacks.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { fakeClock, type FakeClock } from '../support/fakes/fake-clock.ts';
import { fakeExec } from '../support/fakes/fake-exec.ts';
import { DAEMON_UID, helperLab, helperLabProblem, type HelperLab } from '../support/helper-lab.ts';
import { helperTrust } from '../support/helper-fixtures.ts';
import { softwareTpm } from '../support/software-tpm.ts';

const problem = helperLabProblem();
const now = Math.floor(Date.now() / 1_000);
const site = helperTrust(now);
const YEAR_S = 365 * 86_400;

let lab: HelperLab;
beforeEach((context) => {
  context.skip(problem !== null, problem ?? '');
  lab = helperLab(site.rootSha256);
});
afterEach(() => {
  if (problem === null) lab.close();
});

/** Everything that a daemon has after a check-in. */
function dropAll(): void {
  lab.drop('roots', [site.root(1), site.root(2)].join('\n'));
  lab.drop('answer', site.answer());
  lab.drop('binding', site.binding());
  lab.drop('revocations', site.revocations(2));
  lab.drop('content', site.content(3));
  lab.drop('policy', site.policy(4));
}

interface InProcess {
  readonly clock: FakeClock;
  readonly deps: HelperDeps;
  readonly kernel: { synchronised: boolean; set: number[]; takes: boolean };
}

/** A helper in this process, which is root's, with a clock of its own. */
function inProcess(): InProcess {
  const clock = fakeClock({ wallMs: now * 1_000 });
  const kernel = { synchronised: true, set: [] as number[], takes: true };
  const deps: HelperDeps = {
    places: lab.places,
    clock,
    kernel: {
      isSynchronised: () => kernel.synchronised,
      set(ms) {
        kernel.set.push(ms);
        if (kernel.takes) clock.setWall(ms);
      },
    },
    exec: fakeExec({ 'systemd-creds': () => ({ stdout: 'sealed' }) }),
    uid: 0,
    firstRootSha256: site.rootSha256,
    baselineId: () => 'appliance',
    newRun: () => '5c'.repeat(16),
  };
  return { clock, deps, kernel };
}

describe('sync-trust, as a process', () => {
  it('takes what is signed into copies of its own that only root reads, without SQLite and without a network socket', () => {
    dropAll();
    const { exit, said, trace } = lab.run('sync-trust', 'synchronised');
    expect([exit, said.outcome]).toEqual([0, 'done']);
    expect(lab.held('root')).toBe(site.root(2));
    expect(lab.held('policy')).toBe(site.policy(4));
    expect(statSync(join(lab.places.stateDir, 'policy.json'))).toMatchObject({ uid: 0, mode: 0o100600 });
    expect(lab.result('sync-trust')).toMatchObject({ outcome: 'done', details: { root_version: 2 } });
    expect(statSync(join(lab.places.resultDir, 'sync-trust.json')).mode & 0o777).toBe(0o644);
    expect(trace).toMatch(/koffi/);
    expect(trace).not.toMatch(/better_sqlite3|AF_INET/);
  });

  it('refuses old truth and leaves its copies as they are', () => {
    dropAll();
    lab.run('sync-trust', 'synchronised');
    const before = ['root', 'content', 'policy', 'revocations', 'binding'].map((name) => lab.held(name));
    lab.drop('policy', site.policy(3));
    lab.drop('roots', [site.root(1), site.root(2), site.root(3)].join('\n'));
    const { exit, said } = lab.run('sync-trust', 'synchronised');
    expect([exit, said.code]).toEqual([4, 'policy_version']);
    expect(['root', 'content', 'policy', 'revocations', 'binding'].map((name) => lab.held(name))).toEqual(before);
  });

  it('refuses a check-in of yesterday that is handed over again', () => {
    dropAll();
    lab.drop('answer', site.answer(now - 86_400));
    expect(lab.run('sync-trust', 'synchronised').said.code).toBe('helper_time_off');
    expect(lab.held('root')).toBeNull();
  });

  it('works for root alone', () => {
    dropAll();
    expect(lab.run('sync-trust', 'synchronised', DAEMON_UID).said.error?.code).toBe('helper_not_root');
    chmodSync(lab.config, 0o666);
    expect(lab.run('sync-trust', 'synchronised').said.error?.code).toBe('helper_surroundings_unsafe');
  });
});

describe('set-clock, as a process', () => {
  it('tells the kernel the signed time where NTP is dead, and says so when the clock does not follow', () => {
    dropAll();
    lab.run('sync-trust', 'synchronised');
    lab.drop('answer', site.answer(now + YEAR_S / 2));
    const { said, trace } = lab.run('set-clock', 'dead');
    expect(trace).toMatch(new RegExp(`clock_settime\\(CLOCK_REALTIME, \\{tv_sec=${now + YEAR_S / 2}, tv_nsec=0\\}\\)`));
    // Held by strace, the clock stayed where it was.
    expect(said.code).toBe('helper_clock_failed');
  });

  it('tells the kernel nothing where NTP works', () => {
    dropAll();
    lab.run('sync-trust', 'synchronised');
    const { said, trace } = lab.run('set-clock', 'synchronised');
    expect([said.code, trace.includes('clock_settime')]).toEqual(['helper_time_unneeded', false]);
  });
});

describe('store-device-key, as a process', () => {
  it('seals the first key with the key of the machine, and lets no other in its place', () => {
    const key = spawnSync('openssl', ['genpkey', '-algorithm', 'ed25519'], { encoding: 'utf8' }).stdout;
    const other = spawnSync('openssl', ['genpkey', '-algorithm', 'ed25519'], { encoding: 'utf8' }).stdout;
    lab.drop('device-key', key);
    const { said } = lab.run('store-device-key', 'dead');
    expect(said).toMatchObject({ outcome: 'done' });
    const credential = join(lab.places.credentialDir, 'compliance-agent.device-key');
    const sealed = readFileSync(credential);
    expect(sealed.toString()).not.toContain('PRIVATE KEY');
    const opened = spawnSync('systemd-creds', ['decrypt', credential, '-'], { encoding: 'utf8' });
    expect(opened.stdout).toBe(`sealed with host\n${key}`);
    lab.drop('device-key', other);
    expect(lab.run('store-device-key', 'dead').said.code).toBe('helper_slot_taken');
    expect(readFileSync(credential).equals(sealed)).toBe(true);
  });
});

describe('store-device-key on a machine with a TPM', () => {
  it('seals with the machine and its TPM, and another TPM does not open it', async () => {
    const tpm = await softwareTpm();
    const other = await softwareTpm();
    try {
      const key = spawnSync('openssl', ['genpkey', '-algorithm', 'ed25519'], { encoding: 'utf8' }).stdout;
      lab.drop('device-key', key);
      const { said } = lab.run('store-device-key', 'dead', 0, tpm.env);
      expect(said).toMatchObject({ outcome: 'done', details: { sealed_with: 'host+tpm2' } });
      const credential = join(lab.places.credentialDir, 'compliance-agent.device-key');
      const open = (env: Readonly<Record<string, string>>) =>
        spawnSync('systemd-creds', ['decrypt', credential, '-'], { encoding: 'utf8', env: { ...process.env, ...env } });
      expect(open(tpm.env).stdout).toBe(`sealed with host+tpm2\n${key}`);
      expect(open(other.env).stdout).toBe('');
      expect(open({}).stdout).toBe('');
    } finally {
      await tpm.close();
      await other.close();
    }
  });
});

describe('what is handed over', () => {
  it.each(FILE_ATTACKS)('is not taken where it is $what: $code', async ({ put, code }) => {
    dropAll();
    const { deps } = inProcess();
    expect(await runHelper('sync-trust', deps)).toMatchObject({ outcome: 'done' });
    const path = join(lab.places.dropDir, 'answer');
    rmSync(path);
    put(path, lab, site.answer());
    expect(await runHelper('sync-trust', deps)).toMatchObject({ outcome: 'refused', code });
  });

  it('is read from the file that was looked at, however fast the daemon puts links in its place', async () => {
    const secret = join(lab.dir, 'secret');
    writeFileSync(secret, 'only for root', { mode: 0o600 });
    const { dropDir } = lab.places;
    lab.drop('good', 'public');
    const swap = `while :; do ln -sf ${secret} l; mv -f l answer; cp good c; mv -f c answer; done`;
    const daemon = spawn(
      'setpriv',
      [`--reuid=${DAEMON_UID}`, `--regid=${DAEMON_UID}`, '--clear-groups', 'sh', '-c', swap],
      {
        cwd: dropDir,
        stdio: 'ignore',
      },
    );
    const seen = new Map<string, number>();
    const note = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
    const handed = openHandedOver(dropDir);
    try {
      for (
        let tries = 0;
        tries < 200_000 && ((seen.get('public') ?? 0) < 500 || !seen.has('helper_input_unsafe'));
        tries++
      ) {
        try {
          note(handed.read('answer', 100)?.toString() ?? 'nothing');
        } catch (error) {
          if (!isAgentError(error)) throw error;
          note(error.code);
        }
        if (tries % 50 === 0) await new Promise(setImmediate);
      }
    } finally {
      daemon.kill('SIGKILL');
      handed.close();
    }
    expect([...seen.keys()].filter((what) => !['public', 'nothing', '', 'helper_input_unsafe'].includes(what))).toEqual(
      [],
    );
    expect(seen.get('helper_input_unsafe')).toBeGreaterThan(0);
    expect(seen.get('public')).toBeGreaterThan(0);
  });

  it("is not looked for where the way to it is not root's", () => {
    const { dropDir } = lab.places;
    chmodSync(lab.dir, 0o777);
    expectCode(() => openHandedOver(dropDir), 'helper_surroundings_unsafe');
    chmodSync(lab.dir, 0o755);
    chownSync(lab.dir, DAEMON_UID, 0);
    expectCode(() => openHandedOver(dropDir), 'helper_surroundings_unsafe');
    chownSync(lab.dir, 0, 0);
    const elsewhere = join(lab.dir, 'elsewhere');
    mkdirSync(elsewhere);
    symlinkSync(lab.dir, join(elsewhere, 'link'));
    expectCode(() => openHandedOver(join(elsewhere, 'link/drop')), 'helper_surroundings_unsafe');
    expect(openHandedOver(dropDir).ownerUid).toBe(DAEMON_UID);
  });

  it('counts from the folder that was opened, also after the daemon put another in its place', () => {
    const { dropDir } = lab.places;
    lab.drop('answer', 'mine');
    const handed = openHandedOver(dropDir);
    renameSync(dropDir, `${dropDir}.old`);
    symlinkSync('/etc', dropDir);
    expect([handed.read('answer', 100)?.toString(), handed.read('passwd', 100_000)]).toEqual(['mine', null]);
    handed.close();
  });
});

describe('a helper', () => {
  it('refuses to work with a state folder that others may enter', async () => {
    dropAll();
    chmodSync(lab.places.stateDir, 0o750);
    await expectCodeAsync(runHelper('sync-trust', inProcess().deps), 'helper_surroundings_unsafe');
  });

  it('refuses to work for anybody but root', async () => {
    await expectCodeAsync(runHelper('sync-trust', { ...inProcess().deps, uid: DAEMON_UID }), 'helper_not_root');
  });

  it('does not go by copies of its own that another user could have written', async () => {
    dropAll();
    const { deps } = inProcess();
    await runHelper('sync-trust', deps);
    chownSync(join(lab.places.stateDir, 'root.json'), DAEMON_UID, DAEMON_UID);
    expect(await runHelper('sync-trust', deps)).toMatchObject({ code: 'helper_surroundings_unsafe' });
  });

  it('is started in vain once its limit is reached, and works again when the hour is over', async () => {
    dropAll();
    const { deps, clock, kernel } = inProcess();
    await runHelper('sync-trust', deps);
    kernel.synchronised = false;
    const { runs, withinMs } = RUN_LIMITS['set-clock'];
    for (let run = 0; run < runs; run++) {
      expect(await runHelper('set-clock', deps)).toMatchObject({ code: 'helper_time_unneeded' });
    }
    clock.setWall((now - YEAR_S) * 1_000);
    expect(await runHelper('set-clock', deps)).toMatchObject({ code: 'helper_rate_limited' });
    expect(kernel.set).toEqual([]);
    // The wall clock makes no room; the clock of this boot does.
    clock.setWall((now + YEAR_S) * 1_000);
    expect(await runHelper('set-clock', deps)).toMatchObject({ code: 'helper_rate_limited' });
    await clock.advance(withinMs);
    lab.drop('answer', site.answer(now + withinMs / 1_000));
    expect(await runHelper('set-clock', deps)).toMatchObject({ outcome: 'done' });
  });

  it('waits for the one before it, and says so when that takes too long', async () => {
    const { deps, clock } = inProcess();
    const release = tryFileLock(join(lab.places.stateDir, 'lock'));
    const refused = expectCodeAsync(runHelper('sync-trust', deps), 'helper_busy');
    await clock.advance(60_000);
    await refused;
    release?.();
    expect(await runHelper('sync-trust', deps)).toMatchObject({ code: 'helper_root_unknown' });
  });

  it('sets a clock that is three years behind once, and then leaves it alone', async () => {
    dropAll();
    const { deps, clock, kernel } = inProcess();
    await runHelper('sync-trust', deps);
    kernel.synchronised = false;
    clock.setWall((now - 3 * YEAR_S) * 1_000);
    expect(await runHelper('set-clock', deps)).toMatchObject({ outcome: 'done', details: { stepped_s: 3 * YEAR_S } });
    expect(kernel.set).toEqual([now * 1_000]);
    expect(await runHelper('set-clock', deps)).toMatchObject({ code: 'helper_time_unneeded' });
  });

  it('sets no clock back to an answer that the daemon kept, also after a restart of the machine', async () => {
    dropAll();
    const { deps, clock, kernel } = inProcess();
    await runHelper('sync-trust', deps);
    clock.reboot();
    kernel.synchronised = false;
    lab.drop('answer', site.answer(now - 3_600));
    clock.setWall((now + 3_600) * 1_000);
    expect(await runHelper('set-clock', deps)).toMatchObject({ code: 'helper_time_old' });
    expect(kernel.set).toEqual([]);
  });

  it('whose memory was lost beside what it holds does nothing more until sync-trust begins anew by a synchronised clock', async () => {
    dropAll();
    const { deps, clock, kernel } = inProcess();
    await runHelper('sync-trust', deps);
    rmSync(join(lab.places.stateDir, 'state.json'));
    kernel.synchronised = false;
    clock.setWall((now - YEAR_S) * 1_000);
    for (const verb of ['set-clock', 'store-device-key', 'restart-unit', 'sync-trust'] as const) {
      expect(await runHelper(verb, deps), verb).toMatchObject({ code: 'helper_state_lost' });
    }
    expect(kernel.set).toEqual([]);
    // The way back of a packet filter that nobody can confirm any more is taken all the same.
    const before = join(lab.places.stateDir, 'firewall-before.nft');
    writeFileSync(before, 'table inet lab {}', { mode: 0o600 });
    const loaded: string[] = [];
    const nft = (_: readonly string[], o: { readonly stdin?: string | Buffer }) => {
      loaded.push((o.stdin ?? '').toString());
      return { stdout: '' };
    };
    const exec = fakeExec({ nft, systemctl: () => ({ stdout: '' }) });
    expect(await runHelper('revert-firewall', { ...deps, exec })).toMatchObject({ outcome: 'done' });
    expect([loaded, existsSync(before)]).toEqual([['table inet lab {}'], false]);
    clock.setWall(now * 1_000);
    kernel.synchronised = true;
    expect(await runHelper('restart-unit', deps)).toMatchObject({ code: 'helper_state_lost' });
    expect(await runHelper('sync-trust', deps)).toMatchObject({ outcome: 'unchanged' });
    expect(JSON.parse(lab.held('state') ?? '')).toMatchObject({ lost: false, heal: { remembers_from: now + 1 } });
    expect(await runHelper('restart-unit', deps)).toMatchObject({ code: 'helper_input_missing' });
  });

  it('sets no clock before it holds a trust root', async () => {
    lab.drop('answer', site.answer(now + YEAR_S));
    const { deps, kernel } = inProcess();
    kernel.synchronised = false;
    expect(await runHelper('set-clock', deps)).toMatchObject({ code: 'helper_root_unknown' });
  });
});
