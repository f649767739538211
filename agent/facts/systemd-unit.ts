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

/** Pure: lines of Key=value as `systemctl show --timestamp=unix` prints them. Null where one is missing. */
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
  const seconds = exited === '' ? null : /^@(\d{1,12})$/.exec(exited)?.[1];
  if (!/^\d{1,10}$/.test(mainPid) || seconds === undefined) return null;
  return {
    loadState,
    activeState,
    mainPid: mainPid === '0' ? null : Number(mainPid),
    result,
    exitedAt: seconds === null || seconds === '0' ? null : Number(seconds),
  };
}

/** A unit that systemd does not know is an answer too (`not-found`). Needs systemd 248 (`--timestamp`). */
export async function readUnit(context: ProbeContext, unit: string): Promise<UnitState> {
  const argv = ['systemctl', 'show', '--timestamp=unix', `--property=${PROPERTIES.join(',')}`, '--', unit] as const;
  const state = parseUnit((await runTool(context, [...argv])).toString('utf8'));
  if (state === null) throw new Unreadable('unparsable', 'the output of systemctl is not what it documents');
  return state;
}
