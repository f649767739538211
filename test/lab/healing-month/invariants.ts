// What must hold of a month of healing by the real daemon: computed from its log and from what the machines noted themselves, never
// from its database or from what a guard says.
import type { Predicate, PredicateOf } from '../../../agent/wire/schemas/entry.ts';
import { PARTS, type Part } from '../healing-host.ts';
import { WINDOW, ZONE } from '../../support/month/month-site.ts';
import { BREAKER_WORDS, PART_OF_CHECK } from './people.ts';
import type { HealingMonth } from './run-healing-month.ts';
import type { Note } from './machines.ts';

const DAY_MS = 86_400_000;
const SOUND_MS = 5_000;
/** By then the appliance has looked at its clock again. */
const NOTICED_MS = 30 * 60_000;
const TWO_LOOKS_MS = 300_000;
const RUNS_PER_DAY = 6;
/** As the rules say that are shipped. */
const LIMITS: Readonly<Record<Exclude<Part, 'logging'>, { readonly cooldownS: number; readonly maxAttempts: number }>> =
  {
    firewall: { cooldownS: 86_400, maxAttempts: 1 },
    av: { cooldownS: 14_400, maxAttempts: 2 },
  };

/** One run that was to change something, as its two entries tell it. */
export interface Run {
  readonly target: string;
  readonly part: Part;
  readonly incident: string | null;
  readonly byOrder: boolean;
  readonly intent: number;
  /** Entry with its result; infinite where there is none. */
  readonly result: number;
  readonly outcome: string | null;
  readonly code: string | null;
  /** What machines noted of it. */
  readonly notes: readonly Note[];
}

type Action = PredicateOf<'action'>;
const partOfRunbook = (id: string | undefined): Part | null =>
  (Object.keys(PARTS) as Part[]).find((part) => PARTS[part] === id) ?? null;
const isEnd = ({ outcome }: Action): boolean => outcome === 'success' || outcome === 'failed' || outcome === 'reverted';

export function runsOf({ entries, journal }: Pick<HealingMonth, 'entries' | 'journal'>): Run[] {
  const actions = entries.flatMap((one) => (one.kind === 'action' && one.llm === undefined ? [one] : []));
  return actions.flatMap((one): Run[] => {
    const part = partOfRunbook(one.runbook?.id);
    if (one.phase !== 'intent' || part === null) return [];
    const end = actions.find(
      (o) => o.seq > one.seq && o.target.id === one.target.id && o.plan_digest === one.plan_digest && isEnd(o),
    );
    const result = end?.seq ?? Infinity;
    const isOwn = (n: Note): boolean =>
      n.target === one.target.id && n.part === part && (n.logSize ?? 0) > one.seq && (n.logSize ?? 0) <= result;
    return [
      {
        ...{ target: one.target.id, part, incident: one.incident_id ?? null, byOrder: one.order_digest !== undefined },
        ...{ intent: one.seq, result, outcome: end?.outcome ?? null, code: end?.code ?? null },
        notes: journal.filter(isOwn),
      },
    ];
  });
}

const isChange = ({ phase }: Note): boolean => phase === 'remediate' || phase === 'rollback' || phase === 'confirm';
const changedAt = ({ notes }: Run): number | null => notes.find(({ phase }) => phase === 'remediate')?.atMs ?? null;
/**
 * By what its machine noted: from the first thing that it was asked to the last, but not beyond the end of the process that asked. What
 * comes after that is a look at what the run left, and orders of people do not wait for it.
 */
const isUnderWay = ({ notes }: Run, atMs: number | null, kills: readonly number[]): boolean => {
  const from = notes[0]?.atMs ?? Infinity;
  const until = Math.min(notes.at(-1)?.atMs ?? 0, kills.find((ms) => ms >= from) ?? Infinity);
  return atMs !== null && from <= atMs && atMs < until;
};
const hourIn = new Intl.DateTimeFormat('en-US', { timeZone: ZONE, hourCycle: 'h23', hour: 'numeric' });
const isInWindow = (atMs: number): boolean => {
  const hour = Number(hourIn.format(atMs));
  return hour >= WINDOW.start || hour < WINDOW.end;
};

/** By name of the invariant: what broke it. */
export function violations(month: HealingMonth): Readonly<Record<string, readonly string[]>> {
  const runs = runsOf(month);
  const byGrant = runs.filter(({ byOrder }) => !byOrder);
  const changes = month.journal.filter(isChange);
  const known = new Set(runs.flatMap(({ notes }) => notes));
  const at = (n: Note): string => `${n.phase} of ${n.part} on ${n.target} at ${new Date(n.atMs).toISOString()}`;
  const of = (r: Run): string => `run ${r.intent} to ${r.result} of ${r.part} on ${r.target} (${r.outcome} ${r.code})`;
  const which = (list: readonly Run[], broken: (run: Run, before: readonly Run[]) => boolean): string[] =>
    list
      .filter((run) =>
        broken(
          run,
          runs.filter((o) => o.intent < run.intent),
        ),
      )
      .map(of);
  const incidents = month.entries.flatMap((one) => (one.kind === 'incident' ? [one] : []));
  const isDc = (target: string): boolean => target.startsWith('dc');

  return {
    'a disruptive change outside the window': changes
      .filter((n) => n.phase === 'remediate' && n.part === 'firewall' && !isInWindow(n.atMs))
      .map(at),
    'two targets at once': which(runs, (run, before) =>
      before.some((o) => o.target !== run.target && isUnderWay(o, run.notes[0]?.atMs ?? null, month.kills)),
    ),
    'a run by itself while that of another target has no result': which(byGrant, (run, before) =>
      before.some((o) => o.result > run.intent && o.target !== run.target),
    ),
    'two runs at once on one target': which(runs, (run, before) =>
      before.some((o) => o.result > run.intent && o.target === run.target),
    ),
    'a domain controller while another was not left in order': which(
      byGrant.filter(({ target }) => isDc(target)),
      (run, before) => {
        const others = before.filter((o) => isDc(o.target) && o.target !== run.target);
        const lasts = new Map(others.map((o) => [o.target, o]));
        return [...lasts.values()].some(({ outcome }) => outcome !== 'success');
      },
    ),
    'a change without an intent in the log before it': changes.filter((n) => !known.has(n)).map(at),
    'a heal without a look of its own after the change': which(runs, ({ outcome, notes }) => {
      if (outcome !== 'success') return false;
      const last = notes.findLastIndex(({ phase }) => phase === 'remediate');
      return !notes.slice(last + 1).some(({ phase }) => phase === 'verify');
    }),
    'an attempt above the limit of its rule': which(byGrant, (run, before) => {
      const from = incidents.findLast((one) => one.incident_id === run.incident && one.seq < run.intent && isAnew(one));
      const failed = before.filter(
        (o) => o.incident === run.incident && o.intent > (from?.seq ?? -1) && o.outcome !== 'success',
      );
      return run.part !== 'logging' && failed.length >= LIMITS[run.part].maxAttempts;
    }),
    'a run within the pause after the last one': which(byGrant, (run, before) => {
      const last = before.findLast((o) => o.target === run.target && o.part === run.part);
      const [then, now] = [last === undefined ? null : changedAt(last), changedAt(run)];
      return run.part !== 'logging' && then !== null && now !== null && now - then < LIMITS[run.part].cooldownS * 1_000;
    }),
    'more than six runs of a day': which(runs, (run, before) => {
      const now = changedAt(run);
      if (now === null) return false;
      const day = before.filter((o) => {
        const then = o.target === run.target && o.part === run.part ? changedAt(o) : null;
        return then !== null && now - then < DAY_MS;
      });
      return day.length >= RUNS_PER_DAY;
    }),
    'a change of what was seen only once': byGrant
      .flatMap(({ notes }) => notes.filter(({ phase, part }) => phase === 'remediate' && part === 'firewall'))
      .filter((n) => n.wrongSinceMs === null || (n.lastLookMs ?? 0) - n.wrongSinceMs < TWO_LOOKS_MS)
      .map(at),
    'a run of what was left to people': which(byGrant, (run) => {
      const last = incidents.findLast(
        (one) => one.incident_id === run.incident && one.seq < run.intent && (one.state === 'ticketed' || isAnew(one)),
      );
      return last?.state === 'ticketed';
    }),
    'a run of what broke itself off': which(byGrant, ({ part, intent }) => {
      const broken = month.entries.findLast(
        (one) => one.seq < intent && (brokenOff(one) === part || (one.kind === 'order' && isEnabled(one))),
      );
      return broken !== undefined && broken.kind !== 'order';
    }),
    'a change while healing was paused': pausedRuns(month, runs).map(of),
    'a disruptive change by a wrong clock': changes
      .filter((n) => n.phase === 'remediate' && n.part === 'firewall')
      .filter((n) =>
        month.steps.some(
          ({ fromMs, toMs, ms }) => Math.abs(ms) > SOUND_MS && fromMs + NOTICED_MS < n.atMs && n.atMs < toMs,
        ),
      )
      .map(at),
    'a run by a rule that nobody granted': which(
      byGrant,
      ({ part, incident }) => part === 'logging' || incident === null,
    ),
    'a condition with two tickets': [...Map.groupBy(month.tickets, ({ condition }) => condition)]
      .filter(([, list]) => new Set(list.map(({ ticketId }) => ticketId)).size > 1)
      .map(([condition]) => condition),
    'an incident without an end': withoutEnd(month),
    'a run without a result': runs
      .filter((run) => run.result === Infinity && (changedAt(run) ?? 0) < month.endMs - DAY_MS)
      .map(of),
  };
}

/** Attempts begin anew, and healing may act again. */
const isAnew = ({ state, sentence }: PredicateOf<'incident'>): boolean =>
  state === 'closed' || (state === 'seen' && !sentence.includes('cut off'));

function brokenOff(one: Predicate): Part | null {
  if (one.kind === 'action' && one.code === 'runbook_rollback_failed') return partOfRunbook(one.runbook?.id);
  if (one.kind !== 'incident' || !one.sentence.includes(BREAKER_WORDS)) return null;
  return PART_OF_CHECK[one.check.id] ?? null;
}

const isHealingOrder = (one: PredicateOf<'order'>): boolean =>
  one.order_kind === 'set_healing' && one.state === 'result' && one.outcome === 'success';
/** What two people signed lets healing go on; a pause names when it ends. */
const isEnabled = (one: PredicateOf<'order'>): boolean =>
  isHealingOrder(one) && typeof one.result?.['paused_until'] !== 'number';

function pausedRuns({ entries }: HealingMonth, runs: readonly Run[]): Run[] {
  const orders = entries.flatMap((one) => (one.kind === 'order' && isHealingOrder(one) ? [one] : []));
  return runs.filter((run) => {
    const last = orders.findLast(({ seq }) => seq < run.intent);
    const until = last === undefined || isEnabled(last) ? null : last.result?.['paused_until'];
    const atMs = changedAt(run);
    return atMs !== null && typeof until === 'number' && atMs < until * 1_000;
  });
}

/** Each ends healed, passing, closed, with people, waived, or held back with a date; or is younger than a day. */
function withoutEnd({ entries, endMs, tickets }: HealingMonth): string[] {
  const told = new Set(tickets.flatMap(({ condition, state }) => (state === 'closed' ? [] : [condition])));
  const last = new Map<string, { readonly end: boolean; readonly atMs: number; readonly words: string }>();
  const results = new Map<string, { readonly result: string; readonly seq: number }>();
  for (const one of entries) {
    if (one.kind === 'finding') results.set(`${one.target.id}/${one.check.id}`, { result: one.result, seq: one.seq });
    if (one.kind === 'incident') {
      const { state, next_step_at: next } = one;
      const end =
        ['ticketed', 'closed', 'waived', 'healed', 'passing'].includes(state) || (state === 'waiting' && next !== null);
      last.set(one.incident_id, {
        end,
        atMs: one.observed_to * 1_000,
        words: `${one.target.id} ${one.check.id} ${state}: ${one.sentence}`,
      });
    }
    if (one.kind === 'action' && one.incident_id !== undefined && one.phase === 'result' && one.outcome !== undefined) {
      const words = `${one.target.id} ${one.outcome} ${one.code ?? ''}`;
      const end = one.outcome === 'success' || one.code === 'runbook_rollback_failed';
      if (one.llm === undefined) last.set(one.incident_id, { end, atMs: one.observed_to * 1_000, words });
    }
  }
  const targetOf = new Map(
    entries.flatMap((one) =>
      one.kind === 'incident' ? [[one.incident_id, `${one.target.id}/${one.check.id}`] as const] : [],
    ),
  );
  return [...last].flatMap(([id, { end, atMs, words }]) => {
    const about = targetOf.get(id) ?? '';
    const isGood = results.get(about)?.result === 'pass' || told.has(`finding/${about}`);
    return end || isGood || atMs > endMs - DAY_MS ? [] : [words];
  });
}

/** Who put right what had drifted, by the entries between the look that failed and the one that passed. */
export function shares({
  entries,
}: Pick<HealingMonth, 'entries'>): Readonly<Record<'L1' | 'L2' | 'people' | 'by itself', number>> {
  const count = { L1: 0, L2: 0, people: 0, 'by itself': 0 };
  const open = new Map<string, 'L1' | 'L2' | 'people' | 'by itself'>();
  for (const one of entries) {
    if (one.kind === 'finding' && PART_OF_CHECK[one.check.id] !== undefined) {
      const key = `${one.target.id}/${one.check.id}`;
      if (one.result === 'fail' && !open.has(key)) open.set(key, 'by itself');
      // The look that finds it good comes before the entry that says so of the run.
      const by = open.get(key);
      if (one.result !== 'pass' || by === undefined) continue;
      count[laterSuccess(entries, one) ?? by] += 1;
      open.delete(key);
    } else if (one.kind === 'incident' && one.state === 'ticketed') {
      const key = `${one.target.id}/${one.check.id}`;
      if (open.has(key)) open.set(key, 'people');
    }
  }
  return count;
}

/** Minutes of the appliance's clock from the look that found drift to the result that is verified, for each run by a rule that healed. */
export function minutesToHeal(
  month: Pick<HealingMonth, 'entries' | 'journal'>,
): Readonly<Record<string, readonly number[]>> {
  const at = new Map(month.entries.map((one) => [one.seq, one.observed_to]));
  const times: Record<string, number[]> = {};
  for (const run of runsOf(month)) {
    if (run.byOrder || run.outcome !== 'success') continue;
    const findings = month.entries.flatMap((one) =>
      one.kind === 'finding' && one.target.id === run.target && PART_OF_CHECK[one.check.id] === run.part ? [one] : [],
    );
    const before = findings.filter(({ seq, result }) => seq < run.intent && result !== 'unknown');
    const passed = before.findLastIndex(({ result }) => result !== 'fail');
    const found = before[passed + 1];
    if (found === undefined) continue;
    const minutes = Math.round(((at.get(run.result) ?? 0) - found.observed_to) / 60);
    times[run.part] = [...(times[run.part] ?? []), minutes].toSorted((a, b) => a - b);
  }
  return times;
}

/** The run that was under way when the look passed, where it ended well. */
function laterSuccess(entries: readonly Predicate[], look: PredicateOf<'finding'>): 'L1' | 'L2' | null {
  const part = PART_OF_CHECK[look.check.id];
  const own = entries.flatMap((one) =>
    one.kind === 'action' &&
    one.llm === undefined &&
    one.target.id === look.target.id &&
    partOfRunbook(one.runbook?.id) === part
      ? [one]
      : [],
  );
  const before = own.findLast(({ seq, plan_digest: plan }) => seq < look.seq && plan !== undefined);
  const after = own.find(({ seq }) => seq > look.seq);
  if (before?.phase !== 'intent' || after?.outcome !== 'success') return null;
  return before.order_digest === undefined ? 'L1' : 'L2';
}
