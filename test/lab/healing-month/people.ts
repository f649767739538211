// The people of a simulated site. They read what the log says, and nothing else; they order what a language model proposed once they
// have looked at it, put right by hand a day later what was left to them, and let healing go on where it broke itself off.
import type { Predicate } from '../../../agent/wire/schemas/entry.ts';
import type { MonthSite } from '../../support/month/month-site.ts';
import type { Part } from '../healing-host.ts';
import type { Machines } from './machines.ts';

const HOUR_MS = 3_600_000;
/** An order may meet a machine that is away, or another change: then they order it again. */
const MOST_ORDERS = 3;

export const PART_OF_CHECK: Readonly<Record<string, Part>> = {
  windows_firewall: 'firewall',
  windows_logging: 'logging',
  windows_av: 'av',
};
export const BREAKER_WORDS = 'several targets needed this runbook within an hour';
export const PROPOSAL_WORDS = 'a language model proposes';

interface Task {
  readonly target: string;
  readonly part: Part;
  readonly proposed: boolean;
  readonly sinceMs: number;
  dueMs: number;
  orders: number;
}

export interface People {
  /** What they do between two moments; `atMs`: true time. */
  work(atMs: number): Promise<void>;
}

export function createPeople(
  world: Pick<MonthSite, 'entries' | 'order' | 'enable'>,
  machines: Machines,
  between: (low: number, high: number) => number,
): People {
  const tasks = new Map<string, Task>();
  let read = 0;
  let enableAtMs: number | null = null;

  function hear(one: Predicate, atMs: number): void {
    if (one.kind === 'finding') {
      if (one.result === 'pass') tasks.delete(`${one.target.id}/${one.check.id}`);
      return;
    }
    if (one.kind === 'action' && one.code === 'runbook_rollback_failed') enableAtMs ??= atMs + between(8, 20) * HOUR_MS;
    if (one.kind !== 'incident' || one.state !== 'ticketed') return;
    if (one.sentence.includes(BREAKER_WORDS)) enableAtMs ??= atMs + between(8, 20) * HOUR_MS;
    const part = PART_OF_CHECK[one.check.id];
    const key = `${one.target.id}/${one.check.id}`;
    if (part === undefined || tasks.has(key)) return;
    const proposed = one.sentence.includes(PROPOSAL_WORDS);
    const dueMs = atMs + (proposed ? between(1, 5) : between(12, 30)) * HOUR_MS;
    tasks.set(key, { target: one.target.id, part, proposed, sinceMs: atMs, dueMs, orders: 0 });
  }

  return {
    async work(atMs) {
      const news = world.entries(read);
      read += news.length;
      for (const one of news) hear(one, atMs);
      for (const [key, task] of tasks) {
        if (atMs < task.dueMs) continue;
        if (task.proposed && task.orders < MOST_ORDERS) {
          world.order({ kind: 'run_runbook', runbook: task.part, target: task.target }, atMs);
          task.orders += 1;
          task.dueMs = atMs + between(4, 12) * HOUR_MS;
          continue;
        }
        machines.repair(task.target, task.part, atMs);
        tasks.delete(key);
      }
      if (enableAtMs !== null && atMs >= enableAtMs) {
        enableAtMs = null;
        await world.enable(atMs);
      }
    },
  };
}
