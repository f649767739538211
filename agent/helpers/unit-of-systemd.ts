// A service as systemd resolves its name: aliases and links included, and what goes down with it. journald is never among it.
import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import type { Exec, ExecResult } from '../system/ports.ts';

const DEADLINE_MS = 30_000;
/** Stopping a service that does not answer takes systemd a minute and a half. */
const JOB_MS = 110_000;

/** Stopped or restarted along with it (systemd.unit(5)). */
const TAKEN_ALONG = ['RequiredBy', 'BoundBy', 'ConsistsOf', 'PropagatesStopTo', 'Conflicts'] as const;
const COMMANDS = ['ExecStartPre', 'ExecStart', 'ExecStartPost', 'ExecStop', 'ExecStopPost'] as const;
const PROPERTIES = ['Id', 'Names', 'LoadState', 'ActiveState', 'Result', ...TAKEN_ALONG, ...COMMANDS] as const;

const JOURNALD_UNIT = /^systemd-journal|^journald|^syslog\.socket$/i;
const JOURNALD_COMMAND = /systemd-journal|journalctl\b.*--(?:vacuum|rotate)/;

export interface UnitOfSystemd {
  readonly activeState: string;
  readonly result: string;
}

/** Lines of Key=value as `systemctl show` prints them; a command that stands in several lines has several. */
function valuesOf(text: string): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    if (at < 0) continue;
    const key = line.slice(0, at);
    values.set(key, [...(values.get(key) ?? []), line.slice(at + 1)]);
  }
  return values;
}

const refuse = (sentence: string): AgentError => new AgentError('helper_unit_refused', sentence, { place: 'unit' });

/**
 * Pure. `shown`: what `systemctl show` printed of it. `program`: the file that it has to start, links resolved; null: any.
 *
 * @throws helper_unit_refused
 */
export function judgeUnit(
  unit: string,
  shown: string,
  program: string | null,
  resolve: (path: string) => string = realpathSync,
): UnitOfSystemd {
  if (unit.includes('@.')) throw refuse('the unit is a template');
  const values = valuesOf(shown);
  const words = (key: string): string[] => (values.get(key) ?? []).flatMap((value) => value.split(' ')).filter(Boolean);
  const one = (key: string): string => values.get(key)?.[0] ?? '';
  const names = [unit, ...words('Id'), ...words('Names')];
  if (names.some((name) => JOURNALD_UNIT.test(name))) throw refuse('the unit is journald, or another name of it');
  if (one('LoadState') !== 'loaded') throw refuse(`systemd has no such service: its state is ${one('LoadState')}`);
  if (!one('Id').endsWith('.service')) throw refuse('the unit is no service');
  const along = TAKEN_ALONG.find((key) => words(key).some((name) => JOURNALD_UNIT.test(name)));
  if (along !== undefined) throw refuse(`journald would be stopped along with the unit (${along})`);
  const commands = COMMANDS.flatMap((key) => values.get(key) ?? []);
  if (commands.some((command) => JOURNALD_COMMAND.test(command)))
    throw refuse('the unit starts journald or cuts its log');
  if (program !== null && !startsProgram(values.get('ExecStart') ?? [], program, resolve)) {
    throw refuse(`the unit does not start the declared program ${basename(program)}`);
  }
  return { activeState: one('ActiveState'), result: one('Result') };
}

/** `{ path=/usr/sbin/clamd ; argv[]=… }`, with links resolved. */
function startsProgram(commands: readonly string[], program: string, resolve: (path: string) => string): boolean {
  const paths = commands.map((command) => /^\{ path=(.*?) ; argv\[\]=/.exec(command)?.[1]);
  return (
    paths.length > 0 &&
    paths.every((path) => {
      if (path === undefined) return false;
      try {
        return resolve(path) === program;
      } catch {
        return false;
      }
    })
  );
}

const systemctl = (exec: Exec, deadlineMs: number, ...words: string[]): Promise<ExecResult> =>
  exec.run(['systemctl', '--no-ask-password', ...words], { deadlineMs, env: { TZ: 'UTC' } });

const complaint = ({ status, stderr }: ExecResult): string =>
  status === 'exited' ? (stderr.toString('utf8').trim().split('\n')[0] ?? '').slice(0, 300) : status;

/** @throws helper_unit_refused, helper_act_failed */
export async function readUnit(exec: Exec, unit: string, program: string | null): Promise<UnitOfSystemd> {
  const shown = await systemctl(exec, DEADLINE_MS, 'show', `--property=${PROPERTIES.join(',')}`, '--', unit);
  if (shown.status !== 'exited' || shown.code !== 0) {
    throw new AgentError('helper_act_failed', `systemd did not say what the unit is: ${complaint(shown)}`);
  }
  return judgeUnit(unit, shown.stdout.toString('utf8'), program);
}

/** @throws helper_act_failed with what systemctl said */
export async function unitJob(
  exec: Exec,
  job: 'start' | 'restart' | 'stop' | 'reset-failed',
  unit: string,
  ...options: readonly string[]
): Promise<void> {
  const result = await systemctl(exec, JOB_MS, job, ...options, '--', unit);
  if (result.status === 'exited' && result.code === 0) return;
  throw new AgentError('helper_act_failed', `systemd could not ${job} the unit: ${complaint(result)}`, { place: unit });
}
