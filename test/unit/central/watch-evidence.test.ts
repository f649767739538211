import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../tools/demo/process.ts';
import {
  AUDIT_EVERY_MS,
  auditOnce,
  watchEvidence,
  type EvidenceWatch,
} from '../../../central/service/watch-evidence.ts';
import { HOURLY } from '../../../central/evidence-store/audit-evidence.ts';
import { makeInProcessCentral, type InProcessCentral } from '../../support/central-in-process.ts';
import { FOLDER, linesOf, ORIGIN } from '../../support/evidence-lab.ts';

const WITHIN_MS = 30_000;
const SOON_MS = 20;

describe('the watch over stored evidence', () => {
  let central: InProcessCentral;
  let watch: EvidenceWatch | null = null;
  let found: string[];
  let failures: unknown[];
  beforeEach(async () => {
    central = await makeInProcessCentral();
    found = [];
    failures = [];
    await central.evidence.append(ORIGIN, linesOf(0, 2), central.now() + 1);
  });
  afterEach(async () => {
    await watch?.stop();
    central.remove();
  });
  const start = (everyMs?: number): void => {
    watch = watchEvidence(central, {
      onFinding: ({ kind }) => found.push(kind),
      onFailure: (error) => failures.push(error),
      ...(everyMs === undefined ? {} : { everyMs }),
    });
  };
  const passes = (): number => central.store.audit.state()?.pass ?? 0;
  const done = (pass: number) => () => (passes() >= pass ? true : null);

  it('runs again and again, an hour apart, and sees what happened in between', async () => {
    expect(AUDIT_EVERY_MS).toBe(3_600_000);
    start(SOON_MS);
    await until('the first pass', done(1), WITHIN_MS);
    writeFileSync(join(central.dataDir, 'evidence', FOLDER, 'notes.txt'), 'x');
    await until('it is found', () => (found.includes('added') ? true : null), WITHIN_MS);
    expect(central.store.alarms.isOpen(['evidence_audit'], ORIGIN)).toBe(true);
    expect(failures).toEqual([]);
  });

  it('tells of a run that failed, and the next one goes on', async () => {
    const stranger = join(central.dataDir, 'evidence', 'nobody_1_1');
    writeFileSync(stranger, 'a file where a folder belongs');
    start(SOON_MS);
    await until('it failed twice', () => (failures.length > 1 ? true : null), WITHIN_MS);
    expect(central.store.audit.state()?.last_error).not.toBeNull();
  });

  it('names that failure until a run ended without one, and not only until the next has begun', async () => {
    const stranger = join(central.dataDir, 'evidence', 'nobody_1_1');
    writeFileSync(stranger, 'a file where a folder belongs');
    const run = (signal: AbortSignal): Promise<void> => auditOnce(central, HOURLY, signal, () => undefined);
    const [live, over] = [new AbortController().signal, AbortSignal.abort()];
    await expect(run(live)).rejects.toThrow(/./);
    const said = central.store.audit.state()?.last_error;
    expect(said).toMatch(/./);
    rmSync(stranger);
    // It was ended before it looked at anything.
    await run(over);
    expect(central.store.audit.state()?.last_error).toBe(said);
    await run(live);
    expect(central.store.audit.state()?.last_error).toBeNull();
  });
});
