import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../tools/demo/process.ts';
import { makeCentral, run, type RunningCentral, type TestCentral } from '../support/central-process.ts';
import { enrolDevice, evidenceLines, upload, type Enrolled } from '../support/device.ts';

const WITHIN_MS = 60_000;
const LOG = 'acme.internal_north-1_1';

interface Audit {
  readonly store: string;
  readonly protection: string;
  readonly state: { readonly pass: number; readonly completed_at: number | null; readonly completed_objects: number };
  readonly findings: readonly {
    readonly kind: string;
    readonly object_id: string;
    readonly resolved_at: number | null;
  }[];
}

let central: TestCentral;
let server: RunningCentral;
let me: Enrolled;
beforeAll(async () => {
  central = await makeCentral();
  server = await central.serve();
  me = await enrolDevice(central, server.url, 'north-1');
}, 60_000);
afterAll(async () => central.remove());

/** The audit after a pass that began with the next start of the server. */
async function auditedAnew(): Promise<Audit & { code: number }> {
  const shown = async (): Promise<Audit & { code: number }> => {
    const { code, stdout } = await central.cli('evidence', 'audit', '--json');
    return { ...(JSON.parse(stdout) as Audit), code };
  };
  const { state: before } = await shown();
  await server.stop();
  server = await central.serve();
  return await until(
    'a whole pass of the audit',
    async () => {
      const now = await shown();
      return now.state.pass > (before?.pass ?? 0) && now.state.completed_at !== null ? now : null;
    },
    WITHIN_MS,
    () => server.log(),
  );
}

describe('the place that init chooses', () => {
  it('is remembered and used by serve, which says so when it has no credentials for it; an impossible one makes nothing', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'central-place-'));
    const kept = { ...process.env };
    // Nowhere to find credentials, not even on the network.
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) delete process.env[name];
    const none = join(dir, 'none');
    Object.assign(process.env, {
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_SHARED_CREDENTIALS_FILE: none,
      AWS_CONFIG_FILE: none,
    });
    const init = (place: string) =>
      run([
        'init',
        '--data',
        join(dir, 'data'),
        '--keys',
        join(dir, 'keys'),
        '--partner',
        'acme',
        '--evidence-store',
        place,
        '--json',
      ]);
    try {
      expect(await init('s3://key:secret@evidence/x')).toMatchObject({ code: 2 });
      expect(readdirSync(dir)).toEqual([]);
      const made = await init('s3://evidence/x?endpoint=http://127.0.0.1:1');
      expect(JSON.parse(made.stdout)).toMatchObject({ evidence_store: expect.stringMatching(/^s3:/) as string });
      const serve = await run([
        'serve',
        '--plain-keys',
        '--data',
        join(dir, 'data'),
        '--listen',
        '127.0.0.1:0',
        '--json',
      ]);
      expect([serve.code, serve.stderr]).toEqual([7, expect.stringContaining('evidence_store_denied')]);
    } finally {
      for (const name of ['AWS_EC2_METADATA_DISABLED', 'AWS_SHARED_CREDENTIALS_FILE', 'AWS_CONFIG_FILE'])
        delete process.env[name];
      Object.assign(process.env, kept);
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('the audit of Central Command', () => {
  it('runs when serve starts, says what it found with exit code 4 and an alarm, and closes both when all is in order', async () => {
    const lines = evidenceLines(me, 6);
    await upload(central, server.url, me, 0, lines.slice(0, 3));
    await upload(central, server.url, me, 3, lines.slice(3, 6));
    expect(await auditedAnew()).toMatchObject({
      code: 0,
      store: 'folder',
      protection: expect.stringContaining('read-only files') as string,
      state: { completed_objects: 2 },
      findings: [],
    });
    const folder = join(central.dataDir, 'evidence', LOG);
    const file = join(folder, '000000000000-000000000002.jsonl');
    const stranger = join(central.dataDir, 'evidence', 'acme.internal_nobody_1');
    mkdirSync(stranger);
    writeFileSync(join(stranger, 'notes.txt'), 'not evidence');
    chmodSync(file, 0o644);
    const found = await auditedAnew();
    expect(found.code).toBe(4);
    expect(found.findings.map(({ kind }) => kind).sort()).toEqual(['added', 'weak']);
    expect(server.log()).toContain('audit of stored evidence');
    const alarms = (): Promise<unknown> => central.json('appliance', 'alarms');
    const alarm = { kind: 'evidence_audit', cleared_at: null };
    expect(await alarms()).toMatchObject({ alarms: [alarm, alarm] });
    rmSync(stranger, { recursive: true });
    chmodSync(file, 0o444);
    const fixed = await auditedAnew();
    expect(fixed.code).toBe(0);
    expect(fixed.findings.map(({ resolved_at: at }) => at)).not.toContain(null);
    const cleared = { kind: 'evidence_audit', cleared_at: expect.any(Number) as number };
    expect(await alarms()).toMatchObject({ alarms: [cleared, cleared] });
    expect((await central.cli('evidence', 'audit')).stdout).toMatch(/^evidence in +folder\nprotection/);
  });

  it('is for evidence that is kept as long as the policy of its site says, and seven years without one', async () => {
    const other = await enrolDevice(central, server.url, 'north-2');
    const first = await upload(central, server.url, other, 0, evidenceLines(other, 1));
    const years = ({ retain_until: to, stored_at: from }: typeof first) => Math.floor((to - from) / (365.25 * 86_400));
    expect(years(first)).toBe(7);
    const policy = join(central.dir, 'policy.yaml');
    writeFileSync(policy, 'time_zone: America/New_York\nretention_years: 10\n');
    await central.json('policy', 'sign', policy, '--site', 'north', '--keys', central.keysDir);
    const another = await enrolDevice(central, server.url, 'north-3');
    expect(years(await upload(central, server.url, another, 0, evidenceLines(another, 1)))).toBe(10);
  });
});
