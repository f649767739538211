// Learnt rules as this appliance keeps them, in the store's settings; each change of state in one unit of work with its entry.
import * as v from 'valibot';
import { AgentError } from '../../errors/agent-error.ts';
import type { EvidenceLog } from '../../evidence/log.ts';
import type { Store } from '../../store/open-store.ts';
import type { RuleIndex } from '../rule-index.ts';
import { afterTime, beginTrial, type LearntRule } from './trial.ts';

const KEY = 'healing.learnt_rules';

const rows = v.record(
  v.string(),
  v.strictObject({
    ...{ id: v.string(), version: v.number(), sha256: v.string(), patternSha256: v.string() },
    state: v.picklist(['canary', 'active', 'demoted']),
    ...{ until: v.number(), targetId: v.nullable(v.string()), outcomes: v.array(v.boolean()) },
  }),
);

export interface LearntDeps {
  readonly store: Pick<Store, 'unit' | 'settings'>;
  readonly evidence: Pick<EvidenceLog, 'append'>;
}

/** By digest of the rule. @throws store_corrupt where it is not what this program writes */
export function learntRules({ settings }: Pick<Store, 'settings'>): ReadonlyMap<string, LearntRule> {
  const text = settings.get(KEY);
  if (text === null) return new Map();
  try {
    return new Map(Object.entries(v.parse(rows, JSON.parse(text))));
  } catch (cause) {
    throw new AgentError('store_corrupt', 'the learnt rules cannot be read', { cause });
  }
}

/** Keeps what `step` makes of it; where that is another state, an entry of kind `learning` says so. */
export function stepLearnt(deps: LearntDeps, sha256: string, step: (rule: LearntRule) => LearntRule): void {
  const { store } = deps;
  store.unit(() => {
    const all = new Map(learntRules(store));
    const before = all.get(sha256);
    const after = before === undefined ? undefined : step(before);
    if (after === undefined || after === before) return;
    keep(deps, all, after);
    if (after.state !== before?.state) say(deps, after);
  });
}

function keep({ store }: LearntDeps, all: ReadonlyMap<string, LearntRule>, rule: LearntRule): void {
  store.settings.set(KEY, JSON.stringify(Object.fromEntries([...all, [rule.sha256, rule]])));
}

function say({ evidence }: LearntDeps, { id, sha256, patternSha256, state, outcomes }: LearntRule): void {
  evidence.append('learning', {
    pattern_sha256: patternSha256,
    ...{ state, rule: { id, sha256 } },
    statistics: { tried: outcomes.length, verified: outcomes.filter(Boolean).length },
  });
}

/** What time makes of learnt rules, and the trial of those that came into force. `granted`: by digest. */
export function takeUpLearnt(
  deps: LearntDeps,
  index: Pick<RuleIndex, 'learnt'>,
  granted: (ruleSha256: string) => boolean,
  now: number,
): void {
  const known = learntRules(deps.store);
  for (const { file, sha256 } of index.learnt) {
    if (known.has(sha256) || file.learnt_from === undefined || !granted(sha256)) continue;
    const rule = beginTrial({ id: file.id, version: file.version, sha256, patternSha256: file.learnt_from }, now);
    deps.store.unit(() => {
      keep(deps, learntRules(deps.store), rule);
      say(deps, rule);
    });
  }
  for (const sha256 of known.keys()) stepLearnt(deps, sha256, (rule) => afterTime(rule, now));
}
