// `learning list | show`: what drift has in common, what healed it, and what rule that would make.
import { AgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { draftRule, ruleText } from '../healing/learning/draft-rule.ts';
import { patternIn } from '../healing/learning/pattern-store.ts';
import { judgeCandidate, statisticsOf, type Remedy } from '../healing/learning/statistics.ts';
import { readRunbooks } from '../healing/read-rules.ts';
import type { PatternRow, Store } from '../store/open-store.ts';
import type { CliContext } from './deps.ts';
import { stateDirOf, withEnrolledStore } from './open-state.ts';
import { print } from './print.ts';
import { columns, harmless, painter, utc } from './style.ts';

/** As short as a digest may be typed; one that fits several is refused. */
const MIN_TYPED = 8;
const MAX_PATTERNS = 10_000;

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
      if (rows.length === 0) return ['nothing was counted: the daemon of this version counts nothing yet'];
      return columns(
        rows.map(({ fields: f }) => [
          f.pattern.slice(0, 16),
          `${f.check} on ${f.role}`,
          `seen ${f.occurrences}`,
          utc(f.last_at),
          f.candidate ? 'candidate' : (f.because ?? ''),
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

/** One pattern whole, with the rule that it would make. Nothing is put into force. */
export async function learningShow(context: CliContext, typed: string): Promise<number> {
  const runbooks = readRunbooks(context.contentDir);
  return withEnrolledStore(context, stateDirOf(context), (store) => {
    const { pattern, statistics, verdict, fields } = seen(found(store, typed), store);
    const best = verdict.candidate ? verdict.remedy : null;
    const draft = best === null ? null : draftRule(pattern, best, runbooks.get(best.runbookId) ?? null);
    const rule = typeof draft === 'string' ? null : draft;
    const remedies = statistics.remedies.map(remedyFields);
    const whyNoRule = typeof draft === 'string' ? draft : null;
    print(context, 'learning-show', { ...fields, facts: pattern.facts, remedies, rule, no_rule: whyNoRule }, () => [
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
      fields.candidate ? 'candidate: a person may make a rule of it' : `no candidate: ${fields.because ?? ''}`,
      ...(whyNoRule === null ? [] : [`no rule can be drafted: ${whyNoRule}`]),
      ...(rule === null ? [] : ruleText(rule).trimEnd().split('\n')),
    ]);
    return EXIT.ok;
  });
}
