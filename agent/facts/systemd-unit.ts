// Reads what systemd knows about one unit.
import { runTool, Unreadable, type ProbeContext } from './probe.ts';

export interface UnitState {
  /** `loaded`, `not-found`, `masked` … (org.freedesktop.systemd1(5)). */
  readonly loadState: string;
  /** `active`, `inactive`, `failed`, `activating` … */
  readonly activeState: string;
  /** Main process; null where none runs. */
  readonly mainPid: number | null;
  /** `success`, or why the last run ended otherwise. */
  readonly result: string;
  /** When the main process ended last, Unix seconds; null where it has not ended since the unit was loaded. */
  readonly exitedAt: number | null;
}

const PROPERTIES = ['LoadState', 'ActiveState', 'MainPID', 'Result', 'ExecMainExitTimestamp'] as const;

/** As systemctl spells a time where the time zone is UTC: `Sun 2026-11-22 16:11:29 UTC`. */
const SPELLED = /^[A-Z][a-z]{2} (\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}) UTC$/;

/** Unix seconds; null where nothing happened yet, undefined where the text is no such time. */
function timeOf(text: string): number | null | undefined {
  if (text === '') return null;
  const match = SPELLED.exec(text);
  const ms = match === null ? Number.NaN : Date.parse(`${match[1]}T${match[2]}Z`);
  return Number.isFinite(ms) ? ms / 1000 : undefined;
}

/** Pure: lines of Key=value as `systemctl show` prints them in UTC. Null where one is missing. */
export function parseUnit(text: string): UnitState | null {
  const values = new Map(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf('=');
      return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
    }),
  );
  const [loadState, activeState, mainPid, result, exited] = PROPERTIES.map((key) => values.get(key));
  // A unit that is not a service has no main process; asking for its properties is not an error.
  if (!loadState || !activeState || mainPid === undefined || result === undefined || exited === undefined) return null;
  const exitedAt = timeOf(exited);
  if (!/^\d{1,10}$/.test(mainPid) || exitedAt === undefined) return null;
  return {
    loadState,
    activeState,
    mainPid: mainPid === '0' ? null : Number(mainPid),
    result,
    exitedAt,
  };
}

/** How often systemd started a service again by itself, since somebody started it; and when it started last. */
export interface Restarts {
  readonly count: number;
  /** Unix seconds. */
  readonly startedAt: number;
}

/** Pure: what `systemctl show` prints in UTC. Null where the unit never ran, or systemd does not say. */
export function parseRestarts(text: string): Restarts | null {
  const count = /^NRestarts=(\d{1,10})$/m.exec(text)?.[1];
  const startedAt = timeOf(/^ExecMainStartTimestamp=(.*)$/m.exec(text)?.[1] ?? '');
  return count === undefined || startedAt === null || startedAt === undefined
    ? null
    : { count: Number(count), startedAt };
}

/** Null where systemd does not say: nothing else hangs on it. */
export async function readRestarts(context: ProbeContext, unit: string): Promise<Restarts | null> {
  const argv = ['systemctl', 'show', '--property=NRestarts,ExecMainStartTimestamp', '--', unit] as const;
  try {
    return parseRestarts((await runTool(context, [...argv], { env: { TZ: 'UTC' } })).toString('utf8'));
  } catch (error) {
    if (error instanceof Unreadable) return null;
    throw error;
  }
}

/** A unit that systemd does not know is an answer too (`not-found`). Older ones know no `--timestamp`, so the zone is set. */
export async function readUnit(context: ProbeContext, unit: string): Promise<UnitState> {
  const argv = ['systemctl', 'show', `--property=${PROPERTIES.join(',')}`, '--', unit] as const;
  const state = parseUnit((await runTool(context, [...argv], { env: { TZ: 'UTC' } })).toString('utf8'));
  if (state === null) throw new Unreadable('unparsable', 'the output of systemctl is not what it documents');
  return state;
}
