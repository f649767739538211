// What people on the appliance said of candidates. It puts nothing into force: a rule is in force once it is signed into the content list.
import * as v from 'valibot';
import { AgentError } from '../../errors/agent-error.ts';
import type { EvidenceLog } from '../../evidence/log.ts';
import type { Store } from '../../store/open-store.ts';
import type { Runbook } from '../../execution/runbook.ts';
import { sha256Hex } from '../../wire/digest.ts';
import type { RuleFile } from '../rule.ts';
import { draftRule, learntId, ruleText } from './draft-rule.ts';
import { learntRules } from './learnt-rules.ts';
import { patternIn } from './pattern-store.ts';
import { judgeCandidate, statisticsOf } from './statistics.ts';

const KEY = 'healing.learning_decisions';

const rows = v.record(
  v.string(),
  v.strictObject({
    state: v.picklist(['approved', 'rejected']),
    /** Digest of the drafted file that was handed out to be signed. */
    ruleSha256: v.nullable(v.string()),
    /** Unix seconds. */
    at: v.number(),
  }),
);
export type Decision = v.InferOutput<typeof rows>[string];

/** Between two decisions about one pattern: each is an entry, and whoever may leave requests could fill the log with them. */
const PAUSE_S = 60;

type Settings = Pick<Store, 'settings'>;

const all = ({ settings }: Settings): Record<string, Decision> => {
  const text = settings.get(KEY);
  if (text === null) return {};
  try {
    return v.parse(rows, JSON.parse(text));
  } catch (cause) {
    throw new AgentError('store_corrupt', 'the decisions about candidates cannot be read', { cause });
  }
};

/** The last one about a pattern, or null. */
export function decisionOn(store: Settings, patternSha256: string): Decision | null {
  const kept = all(store);
  return Object.hasOwn(kept, patternSha256) ? (kept[patternSha256] ?? null) : null;
}

export interface Drafted {
  readonly id: string;
  readonly file: RuleFile;
  readonly text: string;
  /** Of the text, as the content list will name it. */
  readonly sha256: string;
  readonly runbook: Runbook;
}

/** Of a digest; null where it is not here. */
export type RunbookOf = (sha256: string) => Runbook | null;

/** The rule of a pattern as it would be signed now, or why there is none, as one clause. */
export function draftOf(
  store: Pick<Store, 'learning' | 'settings'>,
  patternSha256: string,
  runbookOf: RunbookOf,
): Drafted | string {
  const row = store.learning.pattern(patternSha256);
  if (row === null) return 'there is no such pattern';
  const verdict = judgeCandidate(statisticsOf(store.learning.cases(patternSha256)));
  if (!verdict.candidate) return verdict.because;
  const runbook = runbookOf(verdict.remedy.runbookSha256);
  const before = [...learntRules(store).values()].filter(({ id }) => id === learntId(patternSha256));
  const version = 1 + Math.max(0, ...before.map((rule) => rule.version));
  const draft = draftRule(patternIn(row), verdict.remedy, runbook, version);
  if (typeof draft === 'string' || runbook === null)
    return typeof draft === 'string' ? draft : 'its runbook is not here';
  const text = ruleText(draft);
  return { id: draft.id, file: draft, text, sha256: sha256Hex(Buffer.from(text)), runbook };
}

/**
 * Keeps what a person decided, with its entry. An approval counts only for the draft that this process would make itself.
 *
 * @returns why it does not count, as one clause; null where it does
 */
export function decide(
  deps: {
    readonly store: Pick<Store, 'unit' | 'learning' | 'settings'>;
    readonly evidence: Pick<EvidenceLog, 'append'>;
    readonly runbookOf: RunbookOf;
  },
  patternSha256: string,
  decision: { readonly state: Decision['state']; readonly ruleSha256: string | null },
  now: number,
): string | null {
  const { store, evidence } = deps;
  if (store.learning.pattern(patternSha256) === null) return 'there is no such pattern';
  const drafted = decision.state === 'approved' ? draftOf(store, patternSha256, deps.runbookOf) : null;
  if (typeof drafted === 'string') return drafted;
  if (drafted !== null && drafted.sha256 !== decision.ruleSha256) return 'the draft is another one by now';
  const last = decisionOn(store, patternSha256);
  if (last !== null && Math.abs(now - last.at) < PAUSE_S) return 'it was decided on less than a minute ago';
  const { occurrences, remedies } = statisticsOf(store.learning.cases(patternSha256));
  const [best] = remedies;
  store.unit(() => {
    const row = { ...decision, ruleSha256: drafted?.sha256 ?? null, at: now };
    store.settings.set(KEY, JSON.stringify({ ...all(store), [patternSha256]: row }));
    evidence.append('learning', {
      pattern_sha256: patternSha256,
      state: decision.state,
      ...(drafted === null ? {} : { rule: { id: drafted.id, sha256: drafted.sha256 } }),
      statistics: { occurrences, tried: best?.tried ?? 0, verified: best?.verified ?? 0 },
    });
  });
  return null;
}
