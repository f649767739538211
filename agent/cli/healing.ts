// `healing pause | status`: the switch that anybody on the appliance may throw, and how healing stands.
import { AgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { dropControl, LONGEST_PAUSE_S, readStatus, type HealingStanding } from '../system/status-file.ts';
import { nowSeconds, type CliContext } from './deps.ts';
import { runningStatus } from './liveness.ts';
import { stateDirOf } from './open-state.ts';
import { print } from './print.ts';
import { ago, columns, duration, harmless, utc } from './style.ts';

const DEFAULT_PAUSE_S = 4 * 3_600;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Seconds of a pause. @throws usage */
export function pauseLength(o: { readonly for?: string; readonly until?: string }, now: number): number {
  if (o.for !== undefined && o.until !== undefined) throw new AgentError('usage', 'say --for or --until, not both');
  let length = DEFAULT_PAUSE_S;
  if (o.for !== undefined) {
    const [, count, unit] = /^([1-9][0-9]{0,8})([smhd])$/.exec(o.for) ?? [];
    if (count === undefined || unit === undefined) {
      throw new AgentError('usage', `--for must be a length like 90s, 30m, 4h or 2d, not "${o.for}"`);
    }
    length = Number(count) * (SECONDS[unit] ?? 1);
  }
  if (o.until !== undefined) {
    const isTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})$/.test(o.until);
    const until = isTime ? Date.parse(o.until) / 1_000 : Number.NaN;
    if (Number.isNaN(until)) {
      throw new AgentError('usage', `--until must be a time like 2027-01-15T06:00:00Z, not "${o.until}"`);
    }
    length = Math.ceil(until - now);
    if (length <= 0) throw new AgentError('usage', 'the time of --until is over');
  }
  if (length > LONGEST_PAUSE_S) {
    throw new AgentError('usage', `a pause by hand lasts at most ${LONGEST_PAUSE_S / 86_400} days`);
  }
  return length;
}

export function healingPause(context: CliContext, options: { for?: string; until?: string }): number {
  const now = nowSeconds(context);
  const forS = pauseLength(options, now);
  const dir = stateDirOf(context);
  dropControl(dir, 'healing_pause', context.ids.uuidv7(), { for_s: forS });
  const isRunning = runningStatus(dir, now) !== null;
  print(context, 'healing-pause', { for_s: forS, daemon_running: isRunning }, () => [
    isRunning
      ? `healing changes nothing for ${duration(forS)}, counted in signed time; a run that is under way ends first`
      : `the daemon is not running; the pause of ${duration(forS)} begins when it starts`,
    'a longer pause that is in force stays; only two persons can end one sooner (order set_healing enable)',
  ]);
  return EXIT.ok;
}

const MODES: Readonly<Record<HealingStanding['mode'], string>> = {
  off: 'off: no site policy allows it, or the configuration does not',
  dry_run: 'dry run: what would be done is said, nothing is changed',
  on: 'on',
};

function linesOf(healing: HealingStanding, now: number): string[] {
  const pause = (until: number | null): string =>
    until === null || until <= now ? 'no' : `until ${utc(until)} (${ago(now, until)})`;
  const counts = Object.entries(healing.incidents).map(([state, count]) => `${count} ${state}`);
  const refused = healing.rules_refused === 0 ? '' : `, ${healing.rules_refused} cannot be used`;
  const { stopped_runbooks: stopped } = healing;
  return columns([
    ['mode', MODES[healing.mode]],
    ['paused by order', pause(healing.paused_by_order)],
    ['paused by hand', pause(healing.paused_by_hand)],
    ['rules', `${healing.rules} in force${refused}`],
    ['grants', String(healing.grants)],
    ...(healing.memory_lost ? [['held', 'the epoch of the log is one that nobody ordered (set_healing enable)']] : []),
    [
      'stopped',
      stopped.length === 0 ? 'no runbook' : harmless(`${stopped.join(', ')} (set_healing close_breaker, or enable)`),
    ],
    ['incidents', counts.length === 0 ? 'none' : counts.join(', ')],
  ]);
}

/** Exit 3 where no daemon runs. */
export function healingStatus(context: CliContext): number {
  const dir = stateDirOf(context);
  const now = nowSeconds(context);
  const status = readStatus(dir);
  if (status === null)
    throw new AgentError('daemon_not_running', 'no daemon ever ran with this state directory', { place: dir });
  const isRunning = runningStatus(dir, now) !== null;
  const healing = status.healing ?? null;
  print(context, 'healing-status', { daemon_running: isRunning, healing }, () => [
    ...(isRunning ? [] : ['the daemon is not running; this is what it said last']),
    ...(healing === null ? ['not enrolled: nothing is healed'] : linesOf(healing, now)),
  ]);
  return isRunning ? EXIT.ok : EXIT.unavailable;
}
