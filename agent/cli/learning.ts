// `learning list | show | approve | reject`: what drift has in common, what healed it, what rule that would make, and how those stand that
// were made.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { WINDOWS_CHECKS } from '../checks/windows/registry.ts';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { loadPackage } from '../execution/load-package.ts';
import { decisionOn, draftOf, type Drafted, type RunbookOf } from '../healing/learning/decisions.ts';
import { learntRules } from '../healing/learning/learnt-rules.ts';
import { patternIn } from '../healing/learning/pattern-store.ts';
import { judgeCandidate, statisticsOf, type Remedy } from '../healing/learning/statistics.ts';
import type { LearntRule } from '../healing/learning/trial.ts';
import type { PatternRow, Store } from '../store/open-store.ts';
import { writeFileAtomic } from '../system/files.ts';
import { dropControl } from '../system/status-file.ts';
import { nowSeconds, type CliContext } from './deps.ts';
import { load, shippedFolders } from './find-runbook.ts';
import { runningStatus } from './liveness.ts';
import { baselineOf, stateDirOf, withEnrolledStore } from './open-state.ts';
import { print } from './print.ts';
import { columns, harmless, painter, utc } from './style.ts';

/** As short as a digest may be typed; one that fits several is refused. */
const MIN_TYPED = 8;
const MAX_PATTERNS = 10_000;

/** A grant as it is drafted ends then, and lets its rule run so often. People who sign it may say otherwise. */
const GRANT_S = 90 * 86_400;
const PER_DAY = 2;

/** Of several versions that were learnt from one pattern the newest. */
function newestOf(store: Store, patternSha256: string): LearntRule | null {
  const own = [...learntRules(store).values()].filter((rule) => rule.patternSha256 === patternSha256);
  return own.toSorted((a, b) => b.version - a.version)[0] ?? null;
}

/** What became of it, in one word: what its rule is here, else what people said, else whether it is a candidate. */
function standingOf(store: Store, patternSha256: string, isCandidate: boolean): string {
  const word = newestOf(store, patternSha256)?.state ?? decisionOn(store, patternSha256)?.state;
  return word ?? (isCandidate ? 'candidate' : 'counted');
}

function seen(row: PatternRow, store: Store) {
  const cases = store.learning.cases(row.patternSha256);
  const statistics = statisticsOf(cases);
  const verdict = judgeCandidate(statistics);
  const pattern = patternIn(row);
  return {
    pattern,
    statistics,
    verdict,
    fields: {
      pattern: pattern.sha256,
      ...{ platform: pattern.platform, check: pattern.check, role: pattern.role },
      ...{ first_at: row.firstAt, last_at: cases.at(-1)?.at ?? row.firstAt, occurrences: statistics.occurrences },
      candidate: verdict.candidate,
      because: verdict.candidate ? null : verdict.because,
      standing: standingOf(store, pattern.sha256, verdict.candidate),
    },
  };
}

const remedyFields = (remedy: Remedy) => ({
  runbook: remedy.runbookId,
  runbook_sha256: remedy.runbookSha256,
  params: JSON.parse(remedy.params) as unknown,
  ...{ tried: remedy.tried, verified: remedy.verified, l2_verified: remedy.l2Verified },
  ...{ success_percent: remedy.successPercent, mean_ms: remedy.meanMs },
});

/** Patterns, the one that was seen last first. */
export async function learningList(context: CliContext, options: { limit: number }): Promise<number> {
  return withEnrolledStore(context, stateDirOf(context), (store) => {
    const rows = store.learning.patterns(options.limit).map((row) => seen(row, store));
    const paint = painter(context.stdout, context.env);
    print(context, 'learning-list', { patterns: rows.map(({ fields }) => fields) }, () => {
      if (rows.length === 0) return ['nothing was counted yet'];
      return columns(
        rows.map(({ fields: f }) => [
          f.pattern.slice(0, 16),
          `${f.check} on ${f.role}`,
          `seen ${f.occurrences}`,
          utc(f.last_at),
          f.standing === 'counted' ? (f.because ?? '') : f.standing,
        ]),
        (text, column, row) => (column === 4 && rows[row]?.fields.candidate === true ? paint('green', text) : text),
      );
    });
    return EXIT.ok;
  });
}

/** @throws pattern_unknown */
function found(store: Store, typed: string): PatternRow {
  const fits = /^[0-9a-f]{8,64}$/.test(typed)
    ? store.learning.patterns(MAX_PATTERNS).filter(({ patternSha256 }) => patternSha256.startsWith(typed))
    : [];
  const [only] = fits;
  if (only === undefined || fits.length > 1) {
    const what = fits.length > 1 ? 'more than one pattern begins' : 'no pattern begins';
    throw new AgentError('pattern_unknown', `${what} with ${harmless(typed)}; at least ${MIN_TYPED} digits are needed`);
  }
  return only;
}

/** Among the runbooks of the content list that are here, and those that shipped. */
function runbooksOf(context: CliContext, store: Store): RunbookOf {
  const loaded = shippedFolders(context.contentDir).flatMap((folder) => loadedOrNone(() => load(folder)));
  return (sha256) => {
    const bytes = store.content.read(sha256);
    const listed = bytes === null ? [] : loadedOrNone(() => loadPackage(bytes, WINDOWS_CHECKS, sha256));
    return [...listed, ...loaded].find((one) => one.sha256 === sha256)?.runbook ?? null;
  };
}

function loadedOrNone<T>(read: () => T): T[] {
  try {
    return [read()];
  } catch (error) {
    if (!isAgentError(error)) throw error;
    return [];
  }
}

const learntFields = ({ id, version, sha256, state, until, targetId, outcomes }: LearntRule) => ({
  ...{ rule: id, version, sha256, state, until, target: targetId },
  ...{ tried: outcomes.length, verified: outcomes.filter(Boolean).length },
});

const ruleLine = ({ id, version, state, until, targetId, outcomes }: LearntRule): string => {
  const runs = `${outcomes.filter(Boolean).length} of its newest ${outcomes.length} runs verified`;
  const trial = state === 'canary' ? `, on ${harmless(targetId ?? 'no target yet')}, at least until ${utc(until)}` : '';
  return `rule ${id} version ${version}: ${state}${trial}; ${runs}`;
};

/** One pattern whole, with the rule that it would make, and the one that was made of it. Nothing is put into force. */
export async function learningShow(context: CliContext, typed: string): Promise<number> {
  return withEnrolledStore(context, stateDirOf(context), (store) => {
    const { pattern, statistics, verdict, fields } = seen(found(store, typed), store);
    const draft = verdict.candidate ? draftOf(store, pattern.sha256, runbooksOf(context, store)) : null;
    const drafted = draft === null || typeof draft === 'string' ? null : draft;
    const remedies = statistics.remedies.map(remedyFields);
    const whyNoRule = typeof draft === 'string' ? draft : null;
    const learnt = newestOf(store, pattern.sha256);
    const more = {
      rule: drafted?.file ?? null,
      no_rule: whyNoRule,
      learnt: learnt === null ? null : learntFields(learnt),
    };
    print(context, 'learning-show', { ...fields, facts: pattern.facts, remedies, ...more }, () => [
      `${pattern.sha256}: ${pattern.check} on ${pattern.role}, seen ${statistics.occurrences} times`,
      ...columns(Object.entries(pattern.facts).map(([key, shape]) => ['', key, [shape].flat().join(' ')])),
      ...columns(
        remedies.map((r) => [
          '',
          r.runbook,
          `${r.verified} of ${r.tried} verified`,
          `${r.l2_verified} by a plan`,
          r.mean_ms === null ? 'not timed' : `${r.mean_ms} ms on average`,
        ]),
      ),
      ...(learnt === null ? [] : [ruleLine(learnt)]),
      fields.candidate ? 'candidate: a person may make a rule of it' : `no candidate: ${fields.because ?? ''}`,
      ...(whyNoRule === null ? [] : [`no rule can be drafted: ${whyNoRule}`]),
      ...(drafted === null ? [] : drafted.text.trimEnd().split('\n')),
    ]);
    return EXIT.ok;
  });
}

/** One grant as `content sign --grants` reads it, to be put among the others. */
function grantText({ id, runbook }: Drafted, baseline: string, now: number): string {
  const end = new Date((now + GRANT_S) * 1_000).toISOString().replace('.000Z', 'Z');
  return [
    `  - grant_id: ${id}`,
    `    rule: ${id}`,
    `    runbook: ${runbook.id}`,
    `    baseline: ${baseline}`,
    `    class: ${runbook.disruptive ? 'disruptive' : 'routine'}`,
    `    scope: ${runbook.platform === 'appliance' ? 'appliance' : 'targets'}`,
    `    limits: { per_day: ${PER_DAY} }`,
    `    not_after: "${end}"`,
    '',
  ].join('\n');
}

/**
 * Writes what people then sign into the content list: the rule's file, and the grant that would let it run. It is in force when that is
 * signed, and not before; the daemon enters into the log that it was approved.
 *
 * @throws pattern_unknown, learning_no_rule
 */
export async function learningApprove(context: CliContext, typed: string, options: { dir: string }): Promise<number> {
  const dir = stateDirOf(context);
  const now = nowSeconds(context);
  return withEnrolledStore(context, dir, (store) => {
    const { patternSha256 } = found(store, typed);
    const draft = draftOf(store, patternSha256, runbooksOf(context, store));
    if (typeof draft === 'string') throw new AgentError('learning_no_rule', `no rule can be made of it: ${draft}`);
    const rule = join(options.dir, 'rules', `${draft.id}.yaml`);
    // No name that `content sign` takes for a file of the list.
    const grant = join(options.dir, `${draft.id}.grant.txt`);
    mkdirSync(join(options.dir, 'rules'), { recursive: true });
    writeFileAtomic(rule, draft.text, { mode: 0o644 });
    writeFileAtomic(grant, grantText(draft, baselineOf(context).id, now), { mode: 0o644 });
    dropControl(dir, 'learning_approve', context.ids.uuidv7(), { pattern: patternSha256, rule: draft.sha256 });
    const isRunning = runningStatus(dir, now) !== null;
    const fields = { pattern: patternSha256, rule, rule_sha256: draft.sha256, grant, daemon_running: isRunning };
    print(context, 'learning-approve', fields, () => [
      `${rule}: the rule, to be put into the folder of the content, below rules/`,
      `${grant}: the grant, to be put among the others`,
      'neither is in force before central-command content sign has signed both; the rule is then on trial for 48 hours',
      ...(isRunning ? [] : ['the daemon is not running; it enters the approval into the log when it starts']),
    ]);
    return EXIT.ok;
  });
}

/** No rule is wanted of it: it is not announced as a candidate again. @throws pattern_unknown */
export async function learningReject(context: CliContext, typed: string): Promise<number> {
  const dir = stateDirOf(context);
  return withEnrolledStore(context, dir, (store) => {
    const { patternSha256: pattern } = found(store, typed);
    dropControl(dir, 'learning_reject', context.ids.uuidv7(), { pattern });
    const isRunning = runningStatus(dir, nowSeconds(context)) !== null;
    print(context, 'learning-reject', { pattern, daemon_running: isRunning }, () => [
      isRunning ? 'rejected; the log says so' : 'the daemon is not running; it enters this into the log when it starts',
      'a rule that is signed already goes on: take it and its grant out of the content list',
    ]);
    return EXIT.ok;
  });
}
