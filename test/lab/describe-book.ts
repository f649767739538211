// The tests of one runbook's scenarios, and their table. One test file for each runbook calls this.
import { afterAll, describe, expect, it } from 'vitest';
import { scrubSentence } from '../../agent/evidence/scrub-sentence.ts';
import { classOfRunbook } from '../../agent/execution/runbook.ts';
import { findPowerShell } from './powershell.ts';
import { judgeWithout, labRunbook, playScenario, propertiesRead, type Played } from './play-scenario.ts';
import { Recordings } from './recordings.ts';
import { canonical } from './run-step.ts';
import type { ExpectedActions, Scenario, ScenarioBook, ScenarioStep } from './scenario.ts';

/** Real PowerShell where there is one, held against the recordings; else the recordings. */
const powershell = findPowerShell();
const mode = powershell === null ? 'replay' : 'real';
/** Of a whole scenario in real PowerShell on a loaded machine. */
const REAL_TIMEOUT_MS = 300_000;

const nameOf = (step: ScenarioStep): string =>
  'phase' in step ? step.phase : 'wait' in step ? `wait ${step.wait} s` : step.change;

function outcomeOf({ step, judgement, actions }: Played): string {
  if (judgement !== null) return judgement.result;
  if (actions !== null)
    return actions.changes.length > 0 ? `${actions.status} (${actions.changes.length})` : actions.status;
  return 'phase' in step ? 'refused' : '';
}

/** Phases that may change nothing, whatever they see. */
const ONLY_LOOKS = ['detect', 'verify', 'plan'];

function expectActions(expected: ExpectedActions, actions: Played['actions'], where: string): void {
  if ('fails' in expected) {
    expect(actions, where).toBeNull();
    return;
  }
  expect(actions, where).toMatchObject({ status: expected.status });
  expect(actions?.changes.map(({ what }) => what).toSorted()).toEqual(expected.changes.toSorted());
  expect(actions?.reboot_required).toBe(expected.rebootRequired ?? false);
}

function expectStep(played: Played): void {
  const { step, judgement, actions } = played;
  if (!('phase' in step)) return;
  const where = `${step.phase}: ${played.output?.stdout ?? ''} ${played.output?.stderr ?? ''}`;
  if (step.phase === 'detect' || step.phase === 'verify') {
    expect(judgement?.result, `${judgement?.sentence} ${where}`).toBe(step.expect.result);
    for (const part of step.expect.says ?? []) expect(judgement?.sentence).toContain(part);
    expect(judgement?.facts).toMatchObject(step.expect.facts ?? {});
    for (const text of [judgement?.sentence, judgement?.remedy].filter((one) => one !== undefined)) {
      expect(
        scrubSentence(text, () => undefined),
        'what the scrubber leaves of it',
      ).toBe(text);
    }
  } else {
    expectActions(step.expect as ExpectedActions, actions, where);
  }
  const changedNothing =
    ONLY_LOOKS.includes(step.phase) ||
    (actions !== null && actions.changes.length === 0 && actions.status !== 'started');
  if (changedNothing)
    expect(canonical(played.after), `${step.phase} changed the machine`).toBe(canonical(played.before));
}

/** Tests of all scenarios of `book`, then of each property taken away; afterwards a table of what came of each. */
export function describeBook(
  book: ScenarioBook,
  more?: (played: ReadonlyMap<string, readonly Played[]>) => void,
): void {
  const { runbook } = labRunbook(book.runbook).loaded;
  const rows: string[] = [];
  const all = new Map<string, readonly Played[]>();

  describe(`${book.runbook} on the simulated machine`, { timeout: REAL_TIMEOUT_MS }, () => {
    it.each(book.scenarios.map((scenario): [string, Scenario] => [scenario.title, scenario]))(
      '%s',
      async (_title, scenario) => {
        const recordings = new Recordings(`${book.runbook}/${scenario.name}`, mode, powershell);
        const played = await playScenario(book, scenario, recordings);
        all.set(scenario.name, played);
        rows.push(
          `${book.runbook}  ${scenario.name.padEnd(30)}  ${played
            .map((one) => `${nameOf(one.step)}${outcomeOf(one) === '' ? '' : ` → ${outcomeOf(one)}`}`)
            .join(' · ')}`,
        );
        for (const one of played) expectStep(one);
      },
    );

    it(`is unknown without any one of the properties that detect and verify read`, async () => {
      const scenario = book.scenarios.find(({ name }) => name === book.removal);
      if (scenario === undefined) throw new Error(`no scenario ${book.removal}`);
      const recordings = new Recordings(`${book.runbook}/without-a-property`, mode, powershell);
      const wrong: string[] = [];
      let tried = 0;
      for (const phase of ['detect', 'verify'] as const) {
        for (const property of await propertiesRead(book, scenario, phase, recordings)) {
          const { result } = await judgeWithout(book, scenario, phase, property, recordings);
          tried += 1;
          if (result !== 'unknown' && book.removalExempt?.[property] === undefined)
            wrong.push(`${phase} ${property} → ${result}`);
        }
      }
      expect(tried).toBeGreaterThan(4);
      expect(wrong).toEqual([]);
      rows.push(`${book.runbook}  ${'without-a-property'.padEnd(30)}  ${tried} times unknown`);
    });

    more?.(all);

    afterAll(() => {
      const how =
        mode === 'real'
          ? `real PowerShell ${powershell?.version}`
          : 'recordings of real PowerShell, since none is here';
      process.stdout.write(`${book.runbook} (${classOfRunbook(runbook)}), ${how}:\n${rows.join('\n')}\n`);
    });
  });
}
