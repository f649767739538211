import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runJob } from '../../../agent/facts/jobs.ts';
import type { JobResult } from '../../../agent/facts/job-result.ts';
import { parseJournal } from '../../../agent/facts/journal-query.ts';
import { readJournalFiles } from '../../../agent/facts/journal-files.ts';
import { canaryFacts, countSuppressed } from '../../../agent/facts/logging.ts';
import { remembered } from '../../../agent/facts/logging-canary.ts';
import { fakeExec } from '../../support/fakes/fake-exec.ts';
import { fixture, probeContext, READ_AT } from '../../support/fixture-facts.ts';

const DAY = 86_400;
const MACHINE = 'c0ffee00c0ffee00c0ffee00c0ffee00';

describe('what journalctl prints', () => {
  it('is read line by line, and journald says how many messages it dropped', () => {
    const reports = parseJournal(fixture('journal/dropped.json'));
    expect(reports).toHaveLength(1);
    expect(countSuppressed(reports ?? [])).toBe(250);
  });

  it('no entry is an empty list, and a line that is no entry is not understood', () => {
    expect(parseJournal('')).toEqual([]);
    for (const line of ['-- No entries --', '[]', 'null', '{"a":1']) expect(parseJournal(`${line}\n`)).toBeNull();
  });

  it('a report without a usable number counts as one message', () => {
    const odd = [{}, { N_DROPPED: '-5' }, { N_DROPPED: '1e9' }, { N_DROPPED: null }, { N_DROPPED: '3' }];
    expect(countSuppressed(odd)).toBe(1 + 1 + 1_000_000_000 + 1 + 3);
  });
});

describe('the canaries of the last day', () => {
  const canary = fc.record({ id: fc.constant('ab'.repeat(16)), at: fc.integer({ min: 0, max: 2 * READ_AT }) });

  it('are those that were written within 24 hours before now, the newest 191 of them', () => {
    fc.assert(
      fc.property(fc.array(canary, { maxLength: 400 }), (canaries) => {
        const kept = remembered(canaries, READ_AT);
        const fitting = canaries.filter(({ at }) => at <= READ_AT && READ_AT - at < DAY);
        expect(kept).toEqual(fitting.slice(-191));
      }),
    );
  });

  it.each([
    ['proven', null, 'seen'],
    ['disproven', 'not_seen', 'not_seen'],
    ['disproven', 'not_written', 'not_written'],
    ['inconclusive', 'denied', 'not_known'],
  ] as const)('a job that was %s (%s) is a canary that was %s', (outcome, reason, expected) => {
    const last = { outcome, reason, subject: null, started_at: 1, finished_at: 2, counts: { latency_ms: 9 } };
    const result: JobResult = { schema: 'compliance-agent/job/v1', job: 'logging-canary', last, conclusive: null };
    const latencyMs = expected === 'seen' ? 9 : null;
    expect(canaryFacts(result)).toEqual({ at: 2, outcome: expected, latencyMs, expected: 0, missing: 0 });
  });

  it('none were written where the job never ran', () => {
    expect(canaryFacts(null)).toBeNull();
  });
});

describe('on a machine without journald', () => {
  let stateDir: string;
  beforeEach(() => (stateDir = mkdtempSync(join(tmpdir(), 'canary-'))));
  afterEach(() => rmSync(stateDir, { recursive: true }));
  const context = () =>
    probeContext({ stateDir, runDir: stateDir, exec: fakeExec({}), watch: { logging: { forwarder: null } } });

  const history = (): unknown[] => {
    const text = readFileSync(join(stateDir, 'jobs/logging-canaries.json'), 'utf8');
    return (JSON.parse(text) as { canaries: unknown[] }).canaries;
  };

  it('the canary is not written and that it should have been is remembered', async () => {
    const result = await runJob('logging-canary', context());
    expect(result?.last).toMatchObject({ outcome: 'disproven', reason: 'not_written', counts: {} });
    expect(history()).toEqual([{ id: expect.stringMatching(/^[0-9a-f]{32}$/) as string, at: READ_AT }]);
  });

  it('a memory of canaries that is damaged is begun anew and invents no gap', async () => {
    mkdirSync(join(stateDir, 'jobs'));
    for (const damage of ['', '{"schema":"compliance-agent/canaries/v1","canaries":[{"id":"x"}]}', '[1']) {
      writeFileSync(join(stateDir, 'jobs/logging-canaries.json'), damage);
      await runJob('logging-canary', context());
      expect(history()).toHaveLength(1);
    }
  });

  it('a baseline that declares no logging writes no canary', async () => {
    expect(await runJob('logging-canary', probeContext({ stateDir, runDir: stateDir }))).toBeNull();
  });
});

describe('the files of the journal', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'journal-'));
    put('etc/machine-id', `${MACHINE}\n`);
  });
  afterEach(() => rmSync(root, { recursive: true }));
  const put = (path: string, content: string | Buffer = ''): void => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  const read = () => readJournalFiles(root, join(root, 'run'));

  it('no file is no storage, and files of another machine do not count', () => {
    expect(read()).toEqual({ storage: 'none', usedMib: 0 });
    put('var/log/journal/00000000000000000000000000000000/system.journal');
    expect(read().storage).toBe('none');
  });

  it('an active file in memory says that what lies on disk is old', () => {
    put(`var/log/journal/${MACHINE}/system.journal`, randomBytes(3_000_000));
    expect(read()).toEqual({ storage: 'persistent', usedMib: 3 });
    put(`run/log/journal/${MACHINE}/system.journal`);
    expect(read().storage).toBe('volatile');
  });

  it('archived files take room, other files do not count', () => {
    put(`var/log/journal/${MACHINE}/system.journal`);
    put(`var/log/journal/${MACHINE}/system@1.journal~`, randomBytes(1_500_000));
    put(`var/log/journal/${MACHINE}/copy.bak`, randomBytes(9_000_000));
    expect(read()).toEqual({ storage: 'persistent', usedMib: 2 });
  });

  it('a machine id of another form is not understood', () => {
    put('etc/machine-id', 'uninitialized\n');
    expect(() => read()).toThrow(expect.objectContaining({ reason: 'unparsable' }) as Error);
  });
});
