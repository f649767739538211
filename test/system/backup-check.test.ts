// The backup check on real restic repositories: each situation is made with restic itself.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readFacts } from '../../agent/facts/read-facts.ts';
import { createExec } from '../../agent/system/exec.ts';
import { live } from '../support/check-rows.ts';
import { judgeLive } from '../support/judge-live.ts';
import { copyResticLab, openResticLab, resticProblem, type ResticLab } from '../support/restic-lab.ts';

const problem = resticProblem();
const REPOSITORY = live('repository on a disk', 'restic', 'version');
/** Made once, as each call of restic takes half a second: one without a snapshot, and one with a backup that was proven. */
let empty: ResticLab;
let proven: ResticLab;
let lab: ResticLab;
beforeAll(async () => {
  if (problem !== null) return;
  empty = openResticLab();
  proven = copyResticLab(empty);
  proven.restic('backup', proven.source);
  await prove(proven);
});
beforeEach((context) => {
  context.skip(problem !== null, problem ?? '');
  lab = copyResticLab(proven);
});
afterEach(() => lab?.close());
afterAll(() => {
  empty?.close();
  proven?.close();
});

const judge = async (change?: Parameters<ResticLab['facts']>[0]) =>
  judgeLive('backup', await lab.facts(change), REPOSITORY);
/** restic's --time: `hours` ago, in its local time. */
function hoursAgo(hours: number): string {
  const at = new Date(Date.now() - hours * 3_600_000);
  const two = (n: number): string => String(n).padStart(2, '0');
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${date} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
async function prove(where: ResticLab): Promise<void> {
  await where.job('backup-check');
  await where.job('backup-restore-test');
}

/** Another repository without a snapshot, in place of the proven one; what was proven stays. */
function startOver(): void {
  rmSync(lab.repository, { recursive: true });
  cpSync(empty.repository, lab.repository, { recursive: true });
}

describe('the backup check on a real repository', () => {
  it('passes a fresh backup that restic read back and that a test restored file by file', async () => {
    const finding = await judge();
    expect(finding.result).toBe('pass');
    expect(finding.facts).toMatchObject({
      snapshot: 'fresh',
      integrity: 'proven',
      restore: 'proven',
      restore_identical: 3,
    });
    const config = JSON.parse(lab.restic('cat', 'config')) as { id: string };
    expect(finding.facts.repository_id).toBe(config.id);
  });

  it('a backup of yesterday fails, one of three days ago is critical', async () => {
    startOver();
    lab.restic('backup', '--time', hoursAgo(72), lab.source);
    expect(await judge()).toMatchObject({ result: 'fail', severity: 'critical', facts: { snapshot: 'critical' } });
    lab.restic('backup', '--time', hoursAgo(30), lab.source);
    expect(await judge()).toMatchObject({ result: 'fail', severity: 'high', facts: { snapshot: 'old' } });
  });

  it('a snapshot that is dated tomorrow is no pass', async () => {
    lab.restic('backup', '--time', hoursAgo(-24), lab.source);
    expect(await judge()).toMatchObject({ result: 'unknown', facts: { snapshot: 'future' } });
  });

  it('snapshots of other machines and of other paths do not count', async () => {
    lab.restic('backup', '--host', 'elsewhere', '--time', hoursAgo(30), lab.source);
    expect((await judge({ host: 'elsewhere' })).facts.snapshot).toBe('old');
    expect((await judge({ host: 'nowhere' })).facts.snapshot).toBe('none');
    expect((await judge({ paths: ['/srv/clinic'] })).facts.snapshot).toBe('none');
    expect((await judge({ paths: [lab.source] })).result).toBe('pass');
  });

  it('an emptied repository fails though its jobs once proved it sound', async () => {
    startOver();
    expect(await judge()).toMatchObject({
      result: 'fail',
      severity: 'critical',
      facts: { snapshot: 'none', integrity: 'proven', restore: 'proven' },
    });
  });

  it('a fresh backup fails as long as nothing proves that it can be read and restored', async () => {
    rmSync(join(lab.stateDir, 'jobs'), { recursive: true });
    expect(await judge()).toMatchObject({ result: 'fail', facts: { integrity: 'never', restore: 'never' } });
  });

  it('a wrong password is a critical fail and no secret comes out', async () => {
    writeFileSync(join(lab.dir, 'other'), 'hunter2 hunter2\n', { mode: 0o600 });
    const facts = await lab.facts({ passwordFile: join(lab.dir, 'other') });
    expect(judgeLive('backup', facts, REPOSITORY)).toMatchObject({
      result: 'fail',
      severity: 'critical',
      facts: { repository: 'wrong_password' },
    });
    expect(JSON.stringify(facts)).not.toMatch(/hunter2|restic-lab/);
  });

  it('a repository that is gone is a critical fail', async () => {
    renameSync(lab.repository, `${lab.repository}-gone`);
    expect(await judge()).toMatchObject({ result: 'fail', facts: { repository: 'missing' } });
  });

  it('a repository that cannot be reached is unknown, and its location with a password stays out of the detail', async () => {
    writeFileSync(lab.watch.repositoryFile, 'rest:http://clinic:geheim@127.0.0.1:1/\n');
    const facts = await lab.facts();
    expect(judgeLive('backup', facts, REPOSITORY)).toMatchObject({
      result: 'unknown',
      facts: { unreadable_backup: 'failed' },
    });
    expect(JSON.stringify(facts)).not.toMatch(/geheim|clinic/);
  });

  it('a missing password file and a missing restic are unknown', async () => {
    expect((await judge({ passwordFile: join(lab.dir, 'nothing') })).result).toBe('unknown');
    const facts = await readFacts(['backup'], { ...lab.context(), exec: createExec(['/nowhere']) });
    expect(judgeLive('backup', facts, REPOSITORY).facts).toEqual({ unreadable_backup: 'missing_tool' });
  });

  it('a password file that others can read fails', async () => {
    chmodSync(lab.watch.passwordFile, 0o644);
    expect(await judge()).toMatchObject({ result: 'fail', facts: { password_file_exposed: true } });
  });
});

describe('locks of a real repository', () => {
  /** A backup that reads what never ends; killed, it leaves its lock behind. */
  async function killedBackup(): Promise<void> {
    const child = spawn('restic', ['--no-cache', 'backup', '--stdin'], {
      env: lab.environment,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const locks = join(lab.repository, 'locks');
    while (readdirSync(locks).length === 0) await new Promise((done) => setTimeout(done, 50));
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  it('a lock that was just taken changes nothing; one that was left behind fails', async () => {
    await killedBackup();
    expect(await judge()).toMatchObject({ result: 'pass', facts: { locks: 1, stale_lock: false } });
    const facts = await lab.facts();
    const read = facts.backup;
    if (read?.status !== 'read') throw new Error('unreadable');
    // Seen two hours later, the same lock is one that nobody renewed.
    const later = { backup: { ...read, readAt: read.readAt + 7_200 } };
    expect(judgeLive('backup', later, REPOSITORY)).toMatchObject({ result: 'fail', facts: { stale_lock: true } });
  });

  it('reading takes no lock and leaves no file behind', async () => {
    const list = (): string[] => readdirSync(lab.repository, { recursive: true, encoding: 'utf8' }).toSorted();
    const before = list();
    await lab.facts();
    await prove(lab);
    expect(list()).toEqual(before);
  });
});

describe('the long jobs on a real repository', () => {
  it('a byte that changed in the stored data is found by the integrity job and by the restore test', async () => {
    lab.corrupt();
    expect((await lab.job('backup-check')).last).toMatchObject({ outcome: 'disproven', reason: 'damaged' });
    expect((await lab.job('backup-restore-test')).last).toMatchObject({ outcome: 'disproven' });
    expect(await judge()).toMatchObject({
      result: 'fail',
      severity: 'critical',
      facts: { integrity: 'disproven', restore: 'disproven' },
    });
  });

  it('a restore of what is not in the backup is no success, though restic calls it one', async () => {
    const { last } = await lab.job('backup-restore-test', { restorePath: '/nothing/there' });
    expect(last).toMatchObject({ outcome: 'disproven', reason: 'nothing_to_restore' });
  });

  it('a file that is not what was backed up, though size and time are the same, is found', async () => {
    const path = join(lab.source, 'small [1]*');
    // Rounded down, as restic's list is read: a time that is rounded up would be that of a changed file.
    const atS = Math.floor(statSync(path).mtimeMs) / 1000;
    const write = (content: string): void => {
      writeFileSync(path, content);
      utimesSync(path, atS, atS);
    };
    write('SMALL\n');
    const { last } = await lab.job('backup-restore-test').finally(() => write('small\n'));
    expect(last).toMatchObject({ outcome: 'disproven', reason: 'differs', counts: { identical: 2, different: 1 } });
  });

  it('one file with a name full of pattern signs is restored as it is named', async () => {
    const { last } = await lab.job('backup-restore-test', { restorePath: join(lab.source, 'small [1]*') });
    expect(last).toMatchObject({ outcome: 'proven', counts: { listed: 1, restored: 1, identical: 1, bytes: 6 } });
  });

  it('restored files are gone after the test, and so is what a killed test left', async () => {
    const folder = join(lab.dir, 'tmp');
    // Above the kernel's largest process id, so nobody's.
    const leftover = join(folder, 'compliance-agent-restore-4194305-left');
    mkdirSync(leftover);
    writeFileSync(join(leftover, 'file'), 'of a patient');
    const { last } = await lab.job('backup-restore-test');
    expect([last.outcome, readdirSync(folder)]).toEqual(['proven', []]);
  });

  it('a link, a folder of somebody else and one of a run that still works are left alone', async (context) => {
    context.skip(process.getuid?.() !== 0, 'needs root to make a folder of somebody else');
    const folder = join(lab.dir, 'tmp');
    const victim = join(lab.dir, 'victim');
    mkdirSync(victim);
    writeFileSync(join(victim, 'file'), 'precious');
    const name = (rest: string): string => join(folder, `compliance-agent-restore-${rest}`);
    symlinkSync(victim, name('4194305-link'));
    mkdirSync(name('4194305-theirs'));
    chownSync(name('4194305-theirs'), 65_534, 65_534);
    mkdirSync(name(`${process.pid}-ours`));
    mkdirSync(join(folder, 'of-another-program'));
    const before = readdirSync(folder);
    await lab.job('backup-restore-test');
    expect([readdirSync(folder), readdirSync(victim)]).toEqual([before, ['file']]);
  });

  it('a run that cannot tell keeps what was proven before', async () => {
    const result = await lab.job('backup-check', { passwordFile: join(lab.dir, 'nothing') });
    expect([result.last.outcome, result.conclusive?.outcome]).toEqual(['inconclusive', 'proven']);
    expect(await judge()).toMatchObject({ result: 'pass', facts: { integrity_last_run: 'inconclusive' } });
  });

  it('what was proven about another repository proves nothing about this one', async () => {
    rmSync(lab.repository, { recursive: true });
    lab.restic('init');
    expect(await judge()).toMatchObject({ result: 'fail', facts: { integrity: 'never', restore: 'never' } });
  });

  it('a result that is not of its schema is unknown and never a pass', async () => {
    writeFileSync(
      join(lab.stateDir, 'jobs/backup-check.json'),
      '{"schema":"compliance-agent/job/v1","job":"backup-check"}',
    );
    expect(await judge()).toMatchObject({ result: 'unknown', facts: { unreadable_backup: 'unparsable' } });
  });
});
