// A month in the life of a site, as real processes: both clocks of everybody jump by most of a day at a time, keys of every role are
// replaced, Central Command comes back from yesterday's backup, and the box is off for 40 days. A tenth of the month's days here, all
// of them by MONTH_DAYS=30; every event of the list comes in both.
import { randomUUID } from 'node:crypto';
import { closeSync, cpSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { openStore } from '../../agent/store/open-store.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { run } from '../../tools/demo/process.ts';
import { SITE } from '../../tools/demo/site.ts';
import { linesOnDisk } from '../support/crash-runs.ts';
import { demoSite, REPO } from '../support/demo-site.ts';
import { livesShiftedBy, whyNoWallFile } from '../support/day/wall-file.ts';

const DAYS = Number(process.env['MONTH_DAYS'] ?? 3);
const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;
/** Beyond two thirds of a certificate's life and the 5 % by which boxes differ, and within it. */
const STEP_S = 18 * HOUR_S;
const OFF_S = 40 * DAY_S;
const WITHIN_MS = 90_000;
const ONLINE = ['order', 'timestamp', 'registrar', 'witness', 'receipt'];
const OFFLINE = ['root', 'content', 'operator'];
const PEOPLE = ['alice-ames', 'bob-brown'];

const why = whyNoWallFile() ?? (process.getuid?.() === 0 ? null : 'needs root, for a mount namespace');

describe('a month of simulated life', () => {
  const dir = mkdtempSync(join(tmpdir(), 'month-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const [world, uptime, boot, passphrase] = ['world', 'uptime', 'boot-id', 'passphrase'].map((name) =>
    join(dir, name),
  ) as [string, string, string, string];
  writeFileSync(passphrase, 'six quiet words about nothing much\n');
  let passedS = 0;
  const showUptime = (): void => {
    const [up] = readFileSync('/proc/uptime', 'utf8').split(' ');
    const file = openSync(uptime, 'r+');
    writeSync(file, `${(Number(up) + passedS).toFixed(2).padStart(14, '0')} 0.00\n`, 0);
    closeSync(file);
  };
  writeFileSync(uptime, '');
  writeFileSync(world, '+0000000000\n');
  writeFileSync(boot, `${randomUUID()}\n`);
  showUptime();
  const timer = setInterval(showUptime, 20);
  afterAll(() => clearInterval(timer));

  const env = livesShiftedBy(world);
  const binds = [`mount --bind ${uptime} /proc/uptime`, `mount --bind ${boot} /proc/sys/kernel/random/boot_id`];
  const site = demoSite([], ['Alice Ames', 'Bob Brown'], {
    agentEnv: env,
    centralEnv: { ...env, CENTRAL_KEYS_PASSPHRASE_FILE: passphrase },
    serve: ['--checkin-interval', '1', '--claim-interval', '1', '--plain-keys'],
    agentWrap: ['unshare', '--mount', 'sh', '-c', `${binds.join(' && ')} && exec "$@"`, 'sh'],
  });
  const { paths } = site;
  const now = (): number => Math.floor(Date.now() / 1_000) + passedS;
  /** Both clocks of everybody at once; a process that is stopped sees no time between the two. */
  const jump = (seconds: number): void => {
    const agent = site.agentProcess();
    if (agent !== null) process.kill(agent.pid, 'SIGSTOP');
    passedS += seconds;
    showUptime();
    writeFileSync(world, `+${String(passedS).padStart(10, '0')}\n`, { flag: 'r+' });
    if (agent !== null) process.kill(agent.pid, 'SIGCONT');
  };
  const allIsWell = async (): Promise<void> => {
    const from = now();
    await site.untilStatus(
      'all is well and stored',
      (s) => (s.last_answer_at ?? 0) >= from && s.blocking_reason === null && s.stored_size === s.log?.size,
      WITHIN_MS,
    );
  };
  const certificateEnds = (): number => {
    const store = openStore({ dir: paths.state, clock: systemClock, readOnly: true });
    try {
      return new X509Certificate(store.trust.identity()!.certificatePem).validToDate.getTime() / 1_000;
    } finally {
      store.close();
    }
  };
  const rootsTaken = (): number[] =>
    linesOnDisk(site).flatMap((line) => {
      const { predicate } = statementOf(line);
      return predicate.kind === 'trust' && predicate.what === 'root' ? [predicate.version] : [];
    });
  const draftOf = (version: number): string => join(dir, `root-${version}.json`);
  /** Drafted, signed by both and published; `folders` hold the keys that sign it. */
  const nextRoot = async (version: number, changes: readonly string[], folders = [paths.keys]): Promise<void> => {
    await site.central('root', 'draft', '--out', draftOf(version), ...changes);
    for (const person of PEOPLE) {
      for (const keys of folders) {
        const argv = ['root', 'sign', draftOf(version), '--keys', keys, '--person', person, '--yes', '--json'];
        const signed = await run([process.execPath, join(REPO, 'central/main.ts'), ...argv], {
          cwd: dir,
          env: { ...env, CENTRAL_KEYS_PASSPHRASE_FILE: passphrase },
        });
        expect([signed.code, signed.output]).toEqual([0, signed.output]);
      }
    }
    await site.central('root', 'publish', draftOf(version));
  };
  const shownRoot = async () =>
    ((await site.central('root', 'show')) as { root: { roles: Record<string, { keyids: string[] }> } }).root;
  const month = (name: string, live: () => Promise<void>): void =>
    it(
      name,
      async (ctx) => {
        ctx.skip(why !== null, why ?? '');
        await live();
      },
      WITHIN_MS * Math.max(4, DAYS),
    );

  month('begins with an appliance that two people run', async () => {
    await site.provision();
    site.startAgent();
    await site.confirm();
    await allIsWell();
  });

  month('renews the certificate day by day, and never loses touch', async () => {
    for (let lived = 0; lived < DAYS * DAY_S; lived += STEP_S) {
      const before = certificateEnds();
      jump(STEP_S);
      await allIsWell();
      await site.untilStatus('the certificate is renewed', () => certificateEnds() > before, WITHIN_MS);
    }
    expect(site.status()?.stages.find(({ name }) => name === 'certificate')?.last_error).toBeNull();
  });

  month('follows the replacement of every key of the server, with no person at the box', async () => {
    const before = (await shownRoot()).roles;
    await nextRoot(
      2,
      ONLINE.flatMap((role) => ['--online', role]),
    );
    await site.untilStatus('root 2 is in force', (s) => s.root_version === 2, WITHIN_MS);
    jump(STEP_S);
    await allIsWell();
    const after = (await shownRoot()).roles;
    for (const role of ONLINE) expect(after[role]?.keyids, role).not.toEqual(before[role]?.keyids);
  });

  month('follows the replacement of every key of a person: root, content and operator', async () => {
    const before = (await shownRoot()).roles;
    const fresh = join(dir, 'new-keys');
    const changes: string[] = [];
    for (const role of OFFLINE) {
      for (const person of PEOPLE) {
        const argv = ['keys', 'create', '--role', role, '--person', person, '--keys', fresh, '--json'];
        const made = await run([process.execPath, join(REPO, 'central/main.ts'), ...argv], {
          cwd: dir,
          env: { ...env, CENTRAL_KEYS_PASSPHRASE_FILE: passphrase },
        });
        changes.push('--add', `${role}:${person}=${(JSON.parse(made.output) as { spki: string }).spki}`);
      }
      for (const keyid of before[role]?.keyids ?? []) changes.push('--remove', keyid);
    }
    await nextRoot(3, changes, [paths.keys, fresh]);
    await site.untilStatus('root 3 is in force', (s) => s.root_version === 3, WITHIN_MS);
    jump(STEP_S);
    await allIsWell();
    const policy = join(dir, 'policy.json');
    writeFileSync(policy, JSON.stringify({ time_zone: 'America/New_York' }));
    await site.central('policy', 'sign', policy, '--site', SITE, '--keys', fresh);
    await site.untilStatus('a policy of the new operators is in force', (s) => s.policy_version !== null, WITHIN_MS);
  });

  month("goes on with a Central Command restored from yesterday's backup, which gets back what it lacks", async () => {
    await site.endCentral('SIGTERM');
    const backup = join(dir, 'backup');
    cpSync(paths.data, backup, { recursive: true });
    await site.startCentral();
    await allIsWell();
    jump(STEP_S);
    await allIsWell();
    const sizeBefore = site.status()?.log?.size ?? 0;
    await site.endCentral('SIGTERM');
    rmSync(paths.data, { recursive: true });
    cpSync(backup, paths.data, { recursive: true });
    await site.startCentral();
    await allIsWell();
    expect(site.status()?.stored_size).toBeGreaterThanOrEqual(sizeBefore);
    expect(site.status()?.log?.origin).toMatch(/\/1$/);
  });

  month('comes back after 40 days off, with a lapsed certificate and a timestamp key that it never saw', async () => {
    await site.endAgent('SIGTERM');
    jump(OFF_S / 2);
    await nextRoot(4, ['--online', 'timestamp'], [join(dir, 'new-keys')]);
    jump(OFF_S / 2);
    writeFileSync(boot, `${randomUUID()}\n`);
    expect(certificateEnds()).toBeLessThan(now() - 38 * DAY_S);
    site.startAgent();
    await allIsWell();
    expect(site.status()?.root_version).toBe(4);
    expect(certificateEnds()).toBeGreaterThan(now());
    expect(site.agentProcess()?.output()).toContain('certificate recovered');
  });

  month('leaves one log that both sides verify, with every root that was taken and no defect', async () => {
    expect(rootsTaken()).toEqual([2, 3, 4]);
    const here = await site.cli('evidence', 'verify', '--root-sha256', site.rootDigest(), '--json');
    expect(JSON.parse(here.output)).toMatchObject({ ok: true });
    const { logs } = (await site.central('evidence', 'verify')) as { logs: { ok: boolean; size: number }[] };
    expect(logs).toMatchObject([{ ok: true }]);
    expect(site.agentProcess()?.output()).not.toContain('defect');
  });
});
