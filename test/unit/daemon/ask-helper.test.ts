import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askHelper, healRequestOf, type AskDeps } from '../../../agent/daemon/ask-helper.ts';
import type { HelperRequest } from '../../../agent/execution/appliance/appliance-run.ts';
import { parseHealRequest, type HealVerb } from '../../../agent/helpers/heal-request.ts';
import { sha256Hex } from '../../../agent/wire/digest.ts';
import { shippedRunbook } from '../../support/appliance-lab.ts';
import { fakeExec } from '../../support/fakes/fake-exec.ts';
import { fakeIds } from '../../support/fakes/fake-ids.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';

const never = new AbortController().signal;
const BASELINE = Buffer.from('id: appliance\n');
const baseline = { sha256: sha256Hex(BASELINE), bytes: BASELINE };
const loaded = shippedRunbook('RB-APP-AV-001');
const ACT: HelperRequest = {
  step: 'act',
  loaded,
  arguments: ['av_edr'],
  grounds: { kind: 'order', envelope: '{"signed":"order"}' },
};

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ask-helper-'));
  for (const name of ['drop', 'helpers']) mkdirSync(join(dir, name));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

interface Unit {
  readonly load?: string;
  /** What the helper does once it is started; absent: systemd refuses to start it. */
  readonly runs?: () => void;
  /** Exit status of its process. */
  readonly status?: number;
}

/** systemd with one unit. */
function depsWith(unit: Unit): AskDeps {
  let starts = 0;
  return {
    folders: { dropDir: join(dir, 'drop'), resultDir: join(dir, 'helpers') },
    exec: fakeExec({
      systemctl: (argv) => {
        if (argv.includes('show')) {
          const main = `ExecMainStartTimestampMonotonic=${starts}\nExecMainCode=1\nExecMainStatus=${unit.status ?? 0}`;
          return { stdout: `LoadState=${unit.load ?? 'loaded'}\n${main}\n` };
        }
        if (unit.runs === undefined) return { code: 1, stderr: 'Access denied' };
        starts += 1;
        unit.runs();
        return { code: 0 };
      },
    }),
    ids: fakeIds(3),
    log: memoryLog(),
    baseline,
    rootUid: process.getuid?.() ?? 0,
  };
}

const handedOver = (): ReturnType<typeof parseHealRequest> =>
  parseHealRequest(readFileSync(join(dir, 'drop/request')), 'restart-unit');

/** Leaves a result as the helper does. */
function leave(verb: HealVerb, change: Record<string, unknown>, requestId = handedOver().request_id): void {
  const result = {
    schema: 'compliance-agent/helper-result/v1',
    ...{ verb, at: 1, boot_id: 'b', outcome: 'done', sentence: 'Done.' },
    ...change,
    details: { request_id: requestId, ...(change['details'] as object | undefined) },
  };
  writeFileSync(join(dir, 'helpers', `${verb}.json`), JSON.stringify(result), { mode: 0o644 });
}

describe('asking a helper', () => {
  it('leaves the request, the baseline and the runbook, takes the answer to this very request, and tidies up', async () => {
    const deps = depsWith({
      runs: () => {
        expect(handedOver()).toMatchObject({
          ...{ verb: 'restart-unit', what: 'av_edr', grounds: { kind: 'order' }, baseline_sha256: baseline.sha256 },
          runbook: { id: 'RB-APP-AV-001', version: 1, sha256: loaded.sha256 },
        });
        expect(readFileSync(join(dir, 'drop/baseline'))).toEqual(BASELINE);
        expect(sha256Hex(readFileSync(join(dir, 'drop/runbook')))).toBe(loaded.sha256);
        leave('restart-unit', { details: { run: 'ab12' } });
      },
    });
    expect(await askHelper('restart-unit', ACT, deps, never)).toEqual({
      answer: 'done',
      run: 'ab12',
      sentence: 'Done.',
    });
    expect(readdirSync(join(dir, 'drop'))).toEqual([]);
  });

  it('takes a refusal with its code', async () => {
    const deps = depsWith({ runs: () => leave('restart-unit', { outcome: 'refused', code: 'helper_not_granted' }) });
    expect(await askHelper('restart-unit', ACT, deps, never)).toMatchObject({
      ...{ answer: 'refused', code: 'helper_not_granted' },
    });
  });

  it.each<[string, Unit, object]>([
    ['a unit that is not there', { load: 'not-found' }, { answer: 'absent', code: 'helper_not_installed' }],
    ['a unit that may not be started', {}, { answer: 'absent', code: 'helper_not_started' }],
    ['a helper that leaves nothing', { runs: () => undefined }, { answer: 'silent' }],
    ['a helper that fails and leaves nothing', { runs: () => undefined, status: 1 }, { answer: 'silent' }],
    // Of the main process: 219/CGROUP.
    [
      'a process that never became the helper',
      { runs: () => undefined, status: 219 },
      { answer: 'absent', code: 'helper_not_started' },
    ],
    [
      'an answer to another request',
      { runs: () => leave('restart-unit', {}, '01890000-0000-7000-8000-000000000000') },
      { answer: 'silent' },
    ],
    [
      'an answer that is no result',
      { runs: () => writeFileSync(join(dir, 'helpers/restart-unit.json'), '{"outcome":"done"}') },
      { answer: 'silent' },
    ],
  ])('knows %s from one that did something', async (_name, unit, answer) => {
    expect(await askHelper('restart-unit', ACT, depsWith(unit), never)).toMatchObject(answer);
    expect(readdirSync(join(dir, 'drop'))).toEqual([]);
  });

  it('says that there is no helper where there is no unit of the agent, or none for what is asked', async () => {
    const none = { answer: 'absent', code: 'helper_not_installed' };
    const deps = depsWith({ runs: () => undefined });
    expect(await askHelper('restart-unit', ACT, { ...deps, folders: null }, never)).toMatchObject(none);
    const journald = { ...ACT, arguments: ['journald'] };
    expect(await askHelper('restart-unit', journald, deps, never)).toMatchObject(none);
  });

  it('never takes the end of this process for an answer', async () => {
    const controller = new AbortController();
    const deps = depsWith({ runs: () => controller.abort(new Error('the process ends')) });
    await expect(askHelper('restart-unit', ACT, deps, controller.signal)).rejects.toThrow('the process ends');
  });

  it('gives every verb of a runbook the request that its helper reads, and follows up nothing but a packet filter', () => {
    const o = { requestId: fakeIds(3).uuidv7(), baselineSha256: baseline.sha256 };
    const plain = { ...ACT, arguments: [] };
    expect(healRequestOf('run-backup', plain, o)).toMatchObject({ verb: 'run-backup' });
    expect(healRequestOf('restore-test', plain, o)).toMatchObject({ verb: 'restore-test' });
    expect(healRequestOf('restore-firewall', plain, o)).toMatchObject({ verb: 'restore-firewall', step: 'restore' });
    const follow = { step: 'confirm', run: 'ab'.repeat(16) } as const;
    expect(healRequestOf('restore-firewall', follow, o)).toMatchObject({ step: 'confirm', run: follow.run });
    expect(healRequestOf('restart-unit', follow, o)).toBeNull();
  });
});
