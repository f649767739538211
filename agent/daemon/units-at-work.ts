// Units that systemd is asked to start: one that is starting is not started again, and does what it does from what was before.
import type { Exec } from '../system/ports.ts';

const SHOW_MS = 10_000;
/** The states of a service that does not run; any other may still do what it was started for. */
const OVER: ReadonlySet<string> = new Set(['inactive', 'failed']);

/** Null where systemd does not say. Throws the signal's reason. */
export async function isAnyAtWork(units: readonly string[], exec: Exec, signal: AbortSignal): Promise<boolean | null> {
  const argv = ['systemctl', 'show', '--property=ActiveState,Job', '--', ...units] as const;
  const { status, code, stdout } = await exec.run(argv, { deadlineMs: SHOW_MS, signal });
  signal.throwIfAborted();
  if (status !== 'exited' || code !== 0) return null;
  const text = stdout.toString('utf8');
  const states = [...text.matchAll(/^ActiveState=(.*)$/gm)].map(([, state = '']) => state);
  // A job that waits has not begun yet.
  const isQueued = /^Job=[1-9]/m.test(text);
  return isQueued || states.length !== units.length || states.some((state) => !OVER.has(state));
}

/**
 * A run of this unit from its beginning: one that is under way is waited for first. Best effort: where it may not be started, nothing
 * is said. Throws the signal's reason.
 */
export async function runAnew(unit: string, deadlineMs: number, exec: Exec, signal: AbortSignal): Promise<void> {
  const start = (): Promise<unknown> =>
    exec.run(['systemctl', 'start', '--no-ask-password', unit], { deadlineMs, signal });
  if (await isAnyAtWork([unit], exec, signal)) await start();
  signal.throwIfAborted();
  await start();
  signal.throwIfAborted();
}
