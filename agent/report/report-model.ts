// What a report says, gathered from the statements of one log as they pass by: memory grows with what is worth a line, and
// stops at MAX_ROWS. A view: the signed lines are the evidence. Pure.
import type { Predicate, PredicateOf } from '../wire/schemas/entry.ts';
import { alertTarget } from './alert-target.ts';
import { createCalendar, type CalendarRow } from './calendar.ts';
import { createCoverage, type Unobserved } from './coverage.ts';

/** Rows of one list; what is beyond is counted and said. The lines themselves are all in the bundle. */
export const MAX_ROWS = 1_000;

/** Unix seconds; from ≤ time < to. */
export interface Period {
  readonly from: number | null;
  readonly to: number | null;
}

export interface Listed<T> {
  readonly rows: readonly T[];
  /** How many more there were. */
  readonly more: number;
}

export type Finding = PredicateOf<'finding'>;

/** The last known result of one check on one target. */
export interface Current {
  readonly finding: Finding;
  /** When it was last read, by the finding itself or a heartbeat. */
  readonly lastReadAt: number;
  /** Entry that says so. */
  readonly lastSeq: number;
}

export interface AlertSpan {
  readonly code: string;
  readonly raised: PredicateOf<'alert'>;
  /** Entry that ended it: where it became more or less severe, the one that raised it anew. Null: it is still open. */
  readonly cleared: PredicateOf<'alert'> | null;
}

export interface ReportModel {
  /** Of entry 0, or of the newest `epoch` entry after it. */
  readonly epoch: PredicateOf<'epoch'> | null;
  readonly size: number;
  /** Entries within the period. */
  readonly inPeriod: number;
  /** The first and the last of them; null without any. */
  readonly span: { readonly first: number; readonly last: number } | null;
  /** Entries that the report rests on, wherever they stand: a bundle has to hold their lines. Ascending. */
  readonly cited: readonly number[];
  readonly firstAt: number | null;
  readonly lastAt: number | null;
  readonly current: readonly Current[];
  readonly unobserved: Listed<Unobserved>;
  /** Per check, the worst result of each day of the period. */
  readonly calendar: readonly CalendarRow[];
  readonly gaps: Listed<PredicateOf<'gap'>>;
  readonly refused: Listed<PredicateOf<'order'>>;
  readonly alerts: Listed<AlertSpan>;
  readonly changes: Listed<Finding>;
  readonly orders: Listed<PredicateOf<'order'>>;
  readonly actions: Listed<PredicateOf<'action'>>;
  readonly trust: Listed<PredicateOf<'trust'>>;
  readonly waivers: Listed<PredicateOf<'waiver'>>;
}

export interface ReportCollector {
  push(predicate: Predicate): void;
  finish(): ReportModel;
}

interface Bounded<T> {
  add(row: T): void;
  list(): Listed<T>;
}

function bounded<T>(): Bounded<T> {
  const rows: T[] = [];
  let more = 0;
  return {
    add: (row) => void (rows.length < MAX_ROWS ? rows.push(row) : (more += 1)),
    list: () => ({ rows, more }),
  };
}

export function createReportCollector(period: Period): ReportCollector {
  const coverage = createCoverage();
  const calendar = createCalendar();
  const current = new Map<string, Current>();
  const gaps = bounded<PredicateOf<'gap'>>();
  const refused = bounded<PredicateOf<'order'>>();
  const changes = bounded<Finding>();
  const orders = bounded<PredicateOf<'order'>>();
  const actions = bounded<PredicateOf<'action'>>();
  const trust = bounded<PredicateOf<'trust'>>();
  const waivers = bounded<PredicateOf<'waiver'>>();
  const closed = bounded<AlertSpan>();
  const open = new Map<string, PredicateOf<'alert'>>();
  let epoch: PredicateOf<'epoch'> | null = null;
  let [size, inPeriod] = [0, 0];
  let span: { first: number; last: number } | null = null;
  const epochSeqs: number[] = [];
  let scopeSeq: number | null = null;
  let firstAt: number | null = null;
  let lastAt: number | null = null;

  const isBefore = (at: number): boolean => period.from !== null && at < period.from;
  const isAfter = (at: number): boolean => period.to !== null && at >= period.to;

  const endAlert = (entry: PredicateOf<'alert'>): void => {
    const raised = open.get(alertKey(entry));
    open.delete(alertKey(entry));
    if (raised !== undefined && !isBefore(entry.observed_to)) closed.add({ code: entry.code, raised, cleared: entry });
  };

  /** What was known before the period carries over into it; what came after is not looked at. */
  const carry = (entry: Predicate): void => {
    switch (entry.kind) {
      case 'epoch':
        epoch = entry;
        epochSeqs.push(entry.seq);
        break;
      case 'scope':
        coverage.scope(entry);
        if (scopeSeq === null || isBefore(entry.observed_to)) scopeSeq = entry.seq;
        break;
      case 'finding':
        coverage.finding(entry);
        calendar.finding(entry);
        current.set(`${entry.target.id} ${entry.check.id}`, {
          finding: entry,
          lastReadAt: entry.facts_read_at,
          lastSeq: entry.seq,
        });
        break;
      case 'heartbeat':
        coverage.heartbeat(entry);
        for (const { check, last_read_at: lastReadAt, since_seq: since } of entry.unchanged) {
          const key = `${entry.target.id} ${check}`;
          const known = current.get(key);
          if (known?.finding.seq === since) current.set(key, { ...known, lastReadAt, lastSeq: entry.seq });
        }
        break;
      case 'alert':
        endAlert(entry);
        if (entry.state === 'raised') open.set(alertKey(entry), entry);
        break;
      default:
        break;
    }
  };

  const list = (entry: Predicate): void => {
    if (entry.kind === 'gap') gaps.add(entry);
    else if (entry.kind === 'finding') changes.add(entry);
    else if (entry.kind === 'action') actions.add(entry);
    else if (entry.kind === 'trust') trust.add(entry);
    else if (entry.kind === 'waiver') waivers.add(entry);
    else if (entry.kind === 'order') (entry.state === 'refused' ? refused : orders).add(entry);
  };

  return {
    push(entry) {
      size += 1;
      if (isAfter(entry.observed_to)) return;
      firstAt ??= entry.observed_from;
      lastAt = Math.max(lastAt ?? entry.observed_to, entry.observed_to);
      carry(entry);
      if (isBefore(entry.observed_to)) return;
      inPeriod += 1;
      span = { first: span?.first ?? entry.seq, last: entry.seq };
      list(entry);
    },
    finish() {
      for (const raised of open.values()) closed.add({ code: raised.code, raised, cleared: null });
      const end = period.to === null ? (lastAt ?? 0) : Math.min(period.to, lastAt ?? 0);
      const missing = bounded<Unobserved>();
      const silent = coverage.finish(end).filter((one) => !isBefore(one.to));
      for (const one of silent) missing.add(one);
      const alerts = closed.list();
      const cited = new Set([...epochSeqs, ...(scopeSeq === null ? [] : [scopeSeq])]);
      for (const one of current.values()) cited.add(one.finding.seq).add(one.lastSeq);
      for (const { raised, cleared } of alerts.rows) cited.add(raised.seq).add((cleared ?? raised).seq);
      const byName = (one: Current): string => `${one.finding.target.id} ${one.finding.check.id}`;
      return {
        epoch,
        size,
        inPeriod,
        span,
        cited: [...cited].toSorted((a, b) => a - b),
        firstAt,
        lastAt,
        current: [...current.values()].toSorted((a, b) => (byName(a) < byName(b) ? -1 : 1)),
        unobserved: missing.list(),
        calendar: calendar.finish(Math.min(period.from ?? firstAt ?? 0, end), end + 1, silent),
        gaps: gaps.list(),
        refused: refused.list(),
        alerts,
        changes: changes.list(),
        orders: orders.list(),
        actions: actions.list(),
        trust: trust.list(),
        waivers: waivers.list(),
      };
    },
  };
}

const alertKey = (entry: PredicateOf<'alert'>): string => `${entry.code} ${alertTarget(entry) ?? ''}`;
