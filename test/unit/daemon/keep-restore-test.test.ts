import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keepRestoreTest } from '../../../agent/daemon/keep-restore-test.ts';
import { readJobResult } from '../../../agent/facts/job-result.ts';
import type { HelperResult } from '../../../agent/helpers/helper-result.ts';

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'restore-test-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const result = (finishedAt: number, test: string, change: Partial<HelperResult> = {}): HelperResult => ({
  schema: 'compliance-agent/helper-result/v1',
  verb: 'restore-test',
  at: finishedAt,
  boot_id: 'b0',
  outcome: 'done',
  sentence: '',
  details: { test, repository: 'ab'.repeat(32), started_at: 1, finished_at: finishedAt, count_listed: 2 },
  ...change,
});
const kept = () => readJobResult(dir, 'backup-restore-test');

describe('what the helper restore-test proved', () => {
  it('is the result of the job from then on, and no older one replaces it', () => {
    keepRestoreTest(dir, result(100, 'proven'));
    expect(kept()?.conclusive).toMatchObject({ outcome: 'proven', finished_at: 100, counts: { listed: 2 } });
    keepRestoreTest(dir, result(90, 'disproven'));
    expect(kept()?.last.outcome).toBe('proven');
    keepRestoreTest(dir, result(110, 'inconclusive'));
    expect([kept()?.last.outcome, kept()?.conclusive?.outcome]).toEqual(['inconclusive', 'proven']);
  });

  it('is nothing where the helper refused or has not run, and replaces what cannot be read', () => {
    keepRestoreTest(dir, undefined);
    keepRestoreTest(dir, result(100, 'proven', { outcome: 'refused', details: {} }));
    expect(kept()).toBeNull();
    keepRestoreTest(dir, result(100, 'proven'));
    writeFileSync(join(dir, 'jobs/backup-restore-test.json'), '{');
    keepRestoreTest(dir, result(100, 'proven'));
    expect(kept()?.last.outcome).toBe('proven');
  });
});
