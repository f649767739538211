// The check `logging` beside a journal of real entries that is far larger than usual: JOURNAL_MIB=4096 for all of it.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROBE_DEADLINE_MS, type Fact } from '../../agent/facts/probe.ts';
import type { LoggingFacts } from '../../agent/facts/logging.ts';
import type { JobResult } from '../../agent/facts/job-result.ts';
import { bootContainer, CHECKOUT, nspawnProblem, type Container } from '../support/nspawn.ts';

const MIB = Number(process.env['JOURNAL_MIB'] ?? 256);
const MESSAGE_BYTES = 700;
const PYTHON = '/usr/bin/python3';
const problem = nspawnProblem('journalctl', PYTHON);
const programs = join(CHECKOUT, 'test/fixtures/programs');
const CONF = `[Journal]
Storage=persistent
Compress=no
RateLimitIntervalSec=0
SystemMaxUse=16G
SystemKeepFree=1G
`;

describe(`a journal of ${MIB} MiB`, () => {
  let box: Container | null = null;
  beforeAll(async () => {
    if (problem !== null) return;
    box = await bootContainer({ files: { '/etc/systemd/journald.conf': CONF } });
    box.run(['mkdir', '-p', '/var/lib/lab']);
  });
  afterAll(() => box?.close());

  it('does not keep the canary from being read back, nor the probe from ending within its deadline', (ctx) => {
    ctx.skip(box === null, problem ?? '');
    const [entries, mib] = box!
      .run([PYTHON, join(programs, 'flood-journal.py'), String(MIB), String(MESSAGE_BYTES)])
      .trim()
      .split(' ')
      .map(Number);
    expect(mib).toBeGreaterThanOrEqual(MIB);
    const started = performance.now();
    const { job, facts } = JSON.parse(
      box!.run([process.execPath, join(programs, 'run-canary.ts'), '/var/lib/lab']),
    ) as {
      job: JobResult;
      facts: { logging: Fact<LoggingFacts> };
    };
    const ms = Math.round(performance.now() - started);
    expect(job.last.outcome).toBe('proven');
    // A probe that was not over by its deadline would be unreadable.
    expect(facts.logging).toMatchObject({ status: 'read', value: { canary: { outcome: 'seen' }, suppressed: 0 } });
    if (facts.logging.status !== 'read') return;
    expect(facts.logging.value.usedMib).toBeGreaterThanOrEqual(MIB);
    process.stdout.write(
      `journal of ${mib} MiB, ${entries} entries: canary seen after ${facts.logging.value.canary?.latencyMs} ms; both together ${ms} ms of ${PROBE_DEADLINE_MS} ms\n`,
    );
  });
});
