// A month of healing with the real daemon as a process of its own, which is killed again and again: machines drift, flap, are set back
// by group policies, restart, are away or lie; the appliance's clock jumps, Central Command is away; people come a day late.
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readStatus } from '../../../agent/system/status-file.ts';
import type { Predicate } from '../../../agent/wire/schemas/entry.ts';
import { APPLIANCE } from '../../../tools/demo/site.ts';
import { seededRandom } from '../../support/acknowledgements.ts';
import { createMonthDaemon, type Cut } from '../../support/month/month-daemon.ts';
import { makeMonthSite, type MonthSite, type Told } from '../../support/month/month-site.ts';
import type { Part } from '../healing-host.ts';
import { createMachines, type Machines, type Note } from './machines.ts';
import { createPeople } from './people.ts';

const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;
/** The last part of the month, in which nothing is killed: memory is judged in it. */
const QUIET_PART = 0.3;
const ENROLS_WITHIN_S = 2 * HOUR_S;

/** A file system in memory: a process that is killed takes nothing of it along, and a month flushes a hundred thousand times. */
const MEMORY = '/dev/shm';

/** Of drift by itself, in an hour, for each machine and part. */
const ODDS: Readonly<Record<Part, number>> = { firewall: 1 / 700, logging: 1 / 600, av: 1 / 450 };
const TROUBLED = 6;
const MEASURE_EVERY_S = 3 * HOUR_S;

export interface ClockStep {
  readonly fromMs: number;
  readonly toMs: number;
  readonly ms: number;
}

export interface HealingMonth {
  readonly seed: number;
  readonly days: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly entries: readonly Predicate[];
  readonly lines: readonly string[];
  /** What the machines noted. */
  readonly journal: readonly Note[];
  readonly looks: number;
  readonly tickets: readonly Told[];
  readonly steps: readonly ClockStep[];
  /** When the daemon was killed, in milliseconds, in order. */
  readonly kills: readonly number[];
  /** Of these, in the middle of a run on a machine, by the phase that it was in. */
  readonly cuts: Readonly<Record<string, number>>;
  readonly fate: Readonly<Record<string, number>>;
  readonly defects: readonly string[];
  /** MiB: medians in the life that was not cut short, after its first half and at its end. */
  readonly rss: { readonly samples: number; readonly afterWarmUp: number; readonly end: number };
  readonly realS: number;
}

export interface MonthOptions {
  readonly seed: number;
  readonly days: number;
  /** Scripts of runs between two kills, at least and at most. */
  readonly killEvery: readonly [number, number];
}

export async function runHealingMonth(
  { seed, days, killEvery }: MonthOptions,
  judge: (month: HealingMonth, site: MonthSite) => Promise<void> | void,
): Promise<void> {
  const began = performance.now();
  const dir = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'healing-month-'));
  // Whole seconds, as the wall clock that is shown.
  const startMs = Math.floor(Date.now() / 1_000) * 1_000;
  const world = await makeMonthSite(dir, startMs);
  try {
    const month = await live(world, { seed, days, killEvery }, { startMs, began });
    await judge(month, world);
  } finally {
    await world.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function live(
  world: MonthSite,
  { seed, days, killEvery }: MonthOptions,
  o: { startMs: number; began: number },
): Promise<HealingMonth> {
  const random = seededRandom(seed);
  const between = (low: number, high: number): number => Math.floor(low + random() * (high - low));
  const machines = createMachines();
  const cuts: Record<string, number> = {};
  const fate: Record<string, number> = {};
  const befell = (what: string): void => void (fate[what] = (fate[what] ?? 0) + 1);
  const { site } = world;
  let mayKill = false;
  let toCut = between(...killEvery);
  const daemon = createMonthDaemon({
    config: site.paths.config,
    walls: world.walls,
    wallMs: o.startMs,
    answer: (ask) => machines.answer(ask, world.logSize),
    cut: ({ phase }): Cut | null => {
      if (!mayKill || phase === 'detect') return null;
      toCut -= 1;
      if (toCut > 0) return null;
      toCut = between(...killEvery);
      const how = (['before', 'unanswered', 'after'] as const)[between(0, 3)] ?? 'before';
      cuts[`${phase} ${how}`] = (cuts[`${phase} ${how}`] ?? 0) + 1;
      return how;
    },
  });
  try {
    await daemon.start();
    await enrol(world, daemon);
    await world.equip(daemon.wallMs());
    await daemon.live(HOUR_S);
    const people = createPeople(world, machines, between);
    const steps: { fromMs: number; toMs: number; ms: number }[] = [];
    const beginMs = daemon.wallMs();
    const endMs = beginMs + days * DAY_S * 1_000;
    const quietMs = beginMs + (1 - QUIET_PART) * days * DAY_S * 1_000;
    let measuredMs = 0;
    let centralBackMs: number | null = null;
    while (daemon.wallMs() < endMs) {
      const seconds = between(10, 50) * MINUTE_S;
      const hours = seconds / HOUR_S;
      const atMs = daemon.wallMs();
      mayKill = atMs < quietMs;
      strike(machines, atMs, hours, random, befell);
      await people.work(atMs);
      if (centralBackMs !== null && atMs >= centralBackMs) {
        await site.startCentral();
        centralBackMs = null;
      } else if (centralBackMs === null && random() < hours / (6 * 24)) {
        befell('central_away');
        await site.endCentral('SIGKILL');
        centralBackMs = atMs + between(2, 8) * HOUR_S * 1_000;
      }
      const step = steps.at(-1);
      if (step !== undefined && step.toMs === Infinity && random() < hours / 9) {
        step.toMs = atMs;
        daemon.stepClock(0);
      } else if ((step === undefined || step.toMs < atMs) && random() < hours / (5 * 24)) {
        befell('clock_jump');
        const ms = between(20, 180) * MINUTE_S * 1_000 * (random() < 0.5 ? 1 : -1);
        steps.push({ fromMs: atMs, toMs: Infinity, ms });
        daemon.stepClock(ms);
      }
      if (centralBackMs === null && random() < hours / (8 * 24)) {
        befell('pause');
        world.order({ kind: 'set_healing', params: { action: 'pause', minutes: between(120, 700) } }, atMs);
      }
      // Besides what cuts a run: anywhere in whatever it does then.
      if (mayKill && random() < hours / 30) {
        befell('kill_anywhere');
        daemon.killAfter(between(0, 60));
      }
      const measures = !mayKill && atMs >= measuredMs + MEASURE_EVERY_S * 1_000;
      if (measures) measuredMs = atMs;
      if (!(await daemon.live(seconds, measures))) {
        const isReboot = random() < 0.25;
        if (isReboot) befell('reboot');
        if (isReboot) daemon.reboot(randomUUID());
        await daemon.start();
      }
    }
    for (const step of steps) if (step.toMs === Infinity) step.toMs = daemon.wallMs();
    // What waits for Central Command is heard before the end, or people would know nothing of the last hours.
    if (centralBackMs !== null) await site.startCentral();
    await daemon.live(2 * HOUR_S);
    const tickets = world.tickets();
    const rss = daemon.rss();
    await daemon.end('SIGTERM');
    return {
      ...{ seed, days, startMs: beginMs, endMs: daemon.wallMs(), steps, cuts, fate, tickets },
      ...{ entries: world.entries(0), lines: world.lines(), journal: machines.journal, looks: machines.looks() },
      ...{ kills: daemon.kills(), defects: daemon.defects },
      rss: { samples: rss.length, ...measured(rss) },
      realS: Math.round((performance.now() - o.began) / 1_000),
    };
  } finally {
    await daemon.end('SIGKILL');
  }
}

/** From its first start to its first answer, in two hours that pass at once. */
export async function enrol({ site }: MonthSite, daemon: ReturnType<typeof createMonthDaemon>): Promise<void> {
  const reached = async (what: string, when: () => boolean): Promise<void> => {
    for (let left = ENROLS_WITHIN_S; left > 0 && !when(); left -= 5 * MINUTE_S) await daemon.live(5 * MINUTE_S);
    if (!when()) throw new Error(`${what}: not within two hours\n${daemon.lines().slice(-20).join('\n')}`);
  };
  const status = () => readStatus(site.paths.state);
  await reached('it waits for its confirmation', () => status()?.state === 'pending');
  const { keys } = site.paths;
  await site.central('appliance', 'confirm', status()?.fingerprint ?? '', '--appliance-id', APPLIANCE, '--keys', keys);
  await reached('it is enrolled', () => status()?.state === 'enrolled' && status()?.last_answer_at !== null);
}

/** What befalls the machines in so many hours. */
function strike(
  machines: Machines,
  atMs: number,
  hours: number,
  random: () => number,
  befell: (what: string) => void,
): void {
  const isWave = random() < hours / (12 * 24);
  if (isWave) befell('wave');
  for (const one of machines.all) {
    if (one.offUntilMs < atMs && random() < hours / 200) {
      befell('machine_away');
      one.offUntilMs = atMs + Math.floor((1 + random() * 8) * HOUR_S) * 1_000;
    }
    for (const part of Object.keys(ODDS) as Part[]) {
      const odds = ODDS[part] * hours * (one.trait === 'plain' ? 1 : TROUBLED);
      const isHit = random() < odds || (isWave && part === 'av' && random() < 0.2);
      if (!isHit || !one.parts[part].good) continue;
      befell(`drift_${part}`);
      machines.drift(one.id, part);
    }
  }
}

/** Of so many samples. */
const MEDIAN_OF = 5;

function measured(rss: readonly number[]): { afterWarmUp: number; end: number } {
  const half = Math.floor(rss.length / 2);
  return { afterWarmUp: median(rss.slice(Math.max(0, half - MEDIAN_OF), half)), end: median(rss.slice(-MEDIAN_OF)) };
}

function median(bytes: readonly number[]): number {
  const middle = bytes.toSorted((a, b) => a - b)[Math.floor(bytes.length / 2)] ?? Number.NaN;
  return Math.round((middle / 1_048_576) * 10) / 10;
}
