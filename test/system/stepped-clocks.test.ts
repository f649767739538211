// Real processes whose clocks are wrong or jump: the wall clock by libfaketime (TLS, SQLite and Node all see it), the boot clock by a
// file in the place of /proc/uptime. A machine that slept is a process that was stopped while both went on.
import { randomUUID, X509Certificate } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { createLogVerifier } from '../../agent/verify/log-verifier.ts';
import { openRecords } from '../../central/service/central.ts';
import { run } from '../../tools/demo/process.ts';
import type { Site } from '../../tools/demo/site.ts';
import { linesOnDisk } from '../support/crash-runs.ts';
import { demoSite, REPO } from '../support/demo-site.ts';
import { heldCertificate, lapseCertificate } from '../support/lapse-certificate.ts';
import { livesShiftedBy, whyNoWallFile } from '../support/day/wall-file.ts';

const THREE_YEARS_S = 3 * 365 * 86_400;
const HOUR_S = 3_600;
const SLEPT_S = 600;
const WITHIN_MS = 90_000;
/** Stages that are due every few seconds. */
const OFTEN = ['control', 'certificate', 'checkin', 'checks', 'evidence', 'upload', 'self_watch'];
/** Real seconds for which a process is stopped; `STOPPED_S=180` for minutes. */
const STOPPED_S = Number(process.env['STOPPED_S'] ?? 6);
const why = whyNoWallFile() ?? (process.getuid?.() === 0 ? null : 'needs root, for a mount namespace');

const dir = mkdtempSync(join(tmpdir(), 'clocks-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Shown as the distance of a wall clock from the true one. */
function shift(name: string): { path: string; set(seconds: number): void } {
  const path = join(dir, name);
  const set = (seconds: number): void =>
    // One write of one length: no reader sees half of it.
    writeFileSync(path, `${seconds < 0 ? '-' : '+'}${String(Math.abs(seconds)).padStart(10, '0')}\n`, { flag: 'r+' });
  writeFileSync(path, '+0000000000\n');
  return { path, set };
}

const alerts = (site: Site): string[] =>
  linesOnDisk(site).flatMap((line) => {
    const { predicate } = statementOf(line);
    return predicate.kind === 'alert' ? [`${predicate.code} ${predicate.state}`] : [];
  });

/** Everything is uploaded, and the log verifies. */
async function allIsWell(site: Site): Promise<void> {
  await site.untilStatus(
    'all is well and stored',
    (s) => s.blocking_reason === null && s.stored_size !== null && s.stored_size === s.log?.size,
    WITHIN_MS,
  );
  const lines = linesOnDisk(site);
  const records = openRecords(site.paths.data);
  const verifier = createLogVerifier({ root: records.trust.root().root });
  records.close();
  for (const line of lines) verifier.push(line);
  expect(verifier.finish()).toMatchObject({ ok: true, size: lines.length });
}

describe('a daemon whose wall clock is wrong', () => {
  const wall = shift('wall');
  const site = demoSite([], undefined, { agentEnv: livesShiftedBy(wall.path) });

  const clockResult = (s: { findings: readonly { check: string; result: string }[] }): string | undefined =>
    s.findings.find((one) => one.check === 'clock')?.result;

  it('enrols with a clock that is right', async (ctx) => {
    ctx.skip(why !== null, why ?? '');
    await site.provision();
    site.startAgent();
    await site.confirm();
    await allIsWell(site);
  });

  it.for([
    ['an hour ahead', HOUR_S],
    ['an hour behind', -HOUR_S],
  ] as const)(
    'goes on checking in when the clock steps %s in the middle of the cycle, says so, and has it back',
    async ([, seconds], ctx) => {
      ctx.skip(why !== null, why ?? '');
      wall.set(seconds);
      const { blocking_reason: reason } = await site.untilStatus(
        'the clock is named',
        (s) => s.blocking_reason?.code === 'clock_far_off' && clockResult(s) === 'fail',
        WITHIN_MS,
      );
      expect(Number(/\d+/.exec(reason?.sentence ?? '')?.[0])).toBeGreaterThan(HOUR_S - 60);
      const before = site.status()!;
      await site.untilStatus(
        'it checks in and writes on',
        (s) =>
          s.bytes.received > before.bytes.received &&
          s.log!.size > before.log!.size &&
          s.stored_size! > before.stored_size!,
        WITHIN_MS,
      );
      expect(site.status()?.stages.find((stage) => stage.name === 'checkin')?.failures_in_a_row).toBe(0);
      wall.set(0);
      await site.untilStatus('the check passes again', (s) => clockResult(s) === 'pass', WITHIN_MS);
      await allIsWell(site);
    },
  );

  it.for([
    ['three years ahead', THREE_YEARS_S],
    ['three years behind', -THREE_YEARS_S],
  ] as const)(
    'goes on with a clock %s: signed time judges certificates, the clock is named here and by the doctor, and evidence is uploaded',
    async ([, seconds], ctx) => {
      ctx.skip(why !== null, why ?? '');
      await site.endAgent('SIGTERM');
      wall.set(seconds);
      site.startAgent();
      const before = linesOnDisk(site).length;
      await site.untilStatus(
        'the clock is named, and entries are written and uploaded',
        (s) => s.blocking_reason?.code === 'clock_far_off' && (s.stored_size ?? 0) > before,
        WITHIN_MS,
      );
      // The doctor stands under the same clock.
      const argv = site.agentArgv(['doctor', '--config', site.paths.config, '--json']);
      const doctor = await run(argv, { cwd: REPO, env: livesShiftedBy(wall.path) });
      const { steps } = JSON.parse(doctor.output) as { steps: { step: string; problems: { code: string }[] }[] };
      const problems = (id: string): string[] =>
        steps.flatMap(({ step, problems: of }) => (step === id ? of.map(({ code }) => code) : []));
      expect([problems('clock'), problems('tls')]).toEqual([['clock_far_off'], ['tls_date_invalid']]);
      expect(alerts(site)).not.toContain('central_unreachable raised');
      wall.set(0);
      await allIsWell(site);
      expect(site.agentProcess()?.output()).not.toContain('defect');
    },
  );
});

describe('a box whose clock ran down, and which has heard no signed time in this boot', () => {
  const wall = shift('run-down');
  const boot = join(dir, 'boot-id');
  const newBoot = (): void => writeFileSync(boot, `${randomUUID()}\n`);
  newBoot();
  const site = demoSite([], undefined, {
    agentEnv: livesShiftedBy(wall.path),
    agentWrap: [
      ...['unshare', '--mount', 'sh', '-c'],
      `mount --bind ${boot} /proc/sys/kernel/random/boot_id && exec "$@"`,
      'sh',
    ],
  });
  const recovered = (): number =>
    (site.agentProcess()?.output() ?? '').split('time recovered from a signed answer').length - 1;

  it('enrols: a claim without a secret brings the time, and only then the token is sent', async (ctx) => {
    ctx.skip(why !== null, why ?? '');
    wall.set(-THREE_YEARS_S);
    await site.provision();
    site.startAgent();
    await site.confirm();
    expect(recovered()).toBe(1);
    await site.untilStatus('the clock is named', (s) => s.blocking_reason?.code === 'clock_far_off', WITHIN_MS);
  });

  it('checks in after a reboot: one exchange brings the time, and the next is judged by it', async (ctx) => {
    ctx.skip(why !== null, why ?? '');
    await site.endAgent('SIGTERM');
    newBoot();
    wall.set(THREE_YEARS_S);
    site.startAgent();
    const { log } = await site.untilStatus(
      'it is answered and uploads',
      (s) => s.last_answer_at !== null && s.blocking_reason?.code === 'clock_far_off' && s.stored_size === s.log?.size,
      WITHIN_MS,
    );
    expect(log?.origin).toMatch(/\/1$/);
    expect(recovered()).toBe(1);
    expect(site.agentProcess()?.output()).not.toContain('defect');
    wall.set(0);
    await allIsWell(site);
  });

  it.for([
    ['three years behind', -THREE_YEARS_S],
    ['three years ahead', THREE_YEARS_S],
  ] as const)(
    'comes back after 40 days off, its certificate lapsed and its clock %s: first a certificate, by that the time, and then all the rest',
    async ([, seconds], ctx) => {
      ctx.skip(why !== null, why ?? '');
      await site.endAgent('SIGTERM');
      const lapsed = await lapseCertificate(site, 40);
      newBoot();
      wall.set(seconds);
      site.startAgent();
      const { log } = await site.untilStatus(
        'it is answered and uploads',
        (s) =>
          s.last_answer_at !== null && s.blocking_reason?.code === 'clock_far_off' && s.stored_size === s.log?.size,
        WITHIN_MS,
      );
      expect(log?.origin).toMatch(/\/1$/);
      const held = heldCertificate(site);
      expect(held).not.toBe(lapsed);
      expect(new X509Certificate(held).validToDate.getTime()).toBeGreaterThan(Date.now());
      const output = site.agentProcess()?.output() ?? '';
      expect([...output.matchAll(/certificate recovered|time recovered/g)].map(String)).toEqual([
        'certificate recovered',
        'time recovered',
      ]);
      expect(output).not.toContain('defect');
      wall.set(0);
      await allIsWell(site);
    },
  );
});

describe('a daemon that was stopped', () => {
  const world = shift('world');
  const uptime = join(dir, 'uptime');
  let sleptS = 0;
  const showUptime = (): void => {
    const [up] = readFileSync('/proc/uptime', 'utf8').split(' ');
    const file = openSync(uptime, 'r+');
    writeSync(file, `${(Number(up) + sleptS).toFixed(2).padStart(14, '0')} 0.00\n`, 0);
    closeSync(file);
  };
  writeFileSync(uptime, '');
  showUptime();
  const timer = setInterval(showUptime, 20);
  afterAll(() => clearInterval(timer));
  const env = livesShiftedBy(world.path);
  const site = demoSite([], undefined, {
    agentEnv: env,
    centralEnv: env,
    agentWrap: ['unshare', '--mount', 'sh', '-c', `mount --bind ${uptime} /proc/uptime && exec "$@"`, 'sh'],
  });

  const stopped = async (whileStopped: () => void): Promise<void> => {
    const { pid } = site.agentProcess()!;
    process.kill(pid, 'SIGSTOP');
    await sleep(STOPPED_S * 1_000);
    whileStopped();
    process.kill(pid, 'SIGCONT');
  };

  it('by SIGSTOP goes on where it was, with every stage', async (ctx) => {
    ctx.skip(why !== null, why ?? '');
    await site.provision();
    site.startAgent();
    await site.confirm();
    const before = site.status()!;
    await stopped(() => undefined);
    const resumed = Math.floor(Date.now() / 1_000);
    await site.untilStatus(
      'every stage ran again that does so within seconds',
      (s) => OFTEN.every((name) => (s.stages.find((stage) => stage.name === name)?.last_finished_at ?? 0) >= resumed),
      WITHIN_MS,
    );
    expect(site.status()).toMatchObject({ pid: before.pid, started_at: before.started_at });
    await allIsWell(site);
  });

  it('by the sleep of the machine counts the time that it slept: time T is right at once, and nothing is called wrong', async (ctx) => {
    ctx.skip(why !== null, why ?? '');
    const before = site.status()!;
    await stopped(() => {
      // The world went on; only the process, and its monotonic clock but for the real seconds, stood still.
      sleptS += SLEPT_S;
      showUptime();
      world.set(SLEPT_S);
    });
    const after = await site.untilStatus(
      'it was answered after the sleep',
      (s) => (s.last_answer_at ?? 0) > before.last_answer_at! + SLEPT_S && s.blocking_reason === null,
      WITHIN_MS,
    );
    expect(Math.abs(after.clock_offset_s ?? SLEPT_S)).toBeLessThan(5);
    expect(after.pid).toBe(before.pid);
    expect(alerts(site).filter((alert) => alert.startsWith('signed_time_went_back'))).toEqual([]);
    await allIsWell(site);
  });
});
