// `console`: the screen of the machine itself, redrawn for as long as the process lives. It reads what the daemon wrote and takes no
// key: there is nothing to log in to.
import { EXIT } from '../errors/exit-codes.ts';
import { isAgentError } from '../errors/agent-error.ts';
import { isResetPending } from '../identity/reset.ts';
import { readStatus, type AgentStatus } from '../system/status-file.ts';
import { consoleScreen, consoleWords, type ConsoleView, type ScreenSize, type Tone } from './console-screen.ts';
import { nowSeconds, type CliContext } from './deps.ts';
import { livenessOf, processExists } from './liveness.ts';
import { stateDirOf } from './open-state.ts';
import { print } from './print.ts';
import { shownClaim } from './shown-claim.ts';
import { RESULTS_VARIABLE, shownStick } from './shown-stick.ts';
import { painter, type Colour } from './style.ts';

/** A person waits for a change no longer than this. */
const LOOK_MS = 2_000;
/** What the kernel wrote over the screen is gone after this. */
const REDRAW_MS = 30_000;
/** The console of a PC, and what is taken where nobody says. */
const PC_CONSOLE: ScreenSize = { columns: 80, rows: 25 };

const COLOURS: Readonly<Record<Tone, Colour | null>> = {
  plain: null,
  title: 'bold',
  good: 'green',
  bad: 'red',
  wait: 'yellow',
  dim: 'dim',
};

function statusOf(dir: string): AgentStatus | null {
  try {
    return readStatus(dir);
  } catch (error) {
    // Written anew within seconds by a daemon that runs.
    if (isAgentError(error) && error.code === 'status_unreadable') return null;
    throw error;
  }
}

function look(context: CliContext, dir: string): ConsoleView {
  const now = nowSeconds(context);
  const status = statusOf(dir);
  const liveness = status === null ? 'never' : livenessOf(status, now, processExists(status.pid));
  const isEnrolled = status?.state === 'enrolled';
  return {
    version: context.build.version,
    now,
    liveness,
    status,
    claim: isEnrolled || liveness !== 'running' ? null : shownClaim(dir, context.configPath, now),
    isReset: isResetPending(dir),
    stick: shownStick(context.env[RESULTS_VARIABLE]),
  };
}

/** The screen as text: left side painted, a code to its right as it is. */
function drawn(view: ConsoleView, context: CliContext): string[] {
  const size = context.stdout.size?.();
  // A serial line knows no size and says 0.
  const known = size !== undefined && size.columns > 0 && size.rows > 0 ? size : PC_CONSOLE;
  const { left, leftColumns, right } = consoleScreen(view, known);
  const paint = painter(context.stdout, context.env);
  const rows = Math.max(left.length, right.length);
  return Array.from({ length: rows }, (_, row) => {
    const { text, tone } = left[row] ?? { text: '', tone: 'plain' as const };
    const colour = COLOURS[tone];
    const code = right[row];
    const padded = code === undefined ? text : text.padEnd(leftColumns + 2);
    return `${colour === null ? padded : paint(colour, padded)}${code ?? ''}`.trimEnd();
  });
}

/** Redraws until it is told to stop; without a terminal, or with `--json`, says it once. Exit 0. */
export async function consoleVerb(context: CliContext): Promise<number> {
  const dir = stateDirOf(context);
  if (context.json || !context.stdout.isTTY) {
    const view = look(context, dir);
    const { headline, more, mayLeave } = consoleWords(view);
    const value = { headline, more, may_leave: mayLeave, daemon: view.liveness, claim: view.claim };
    print(context, 'console', value, () => drawn(view, context));
    return EXIT.ok;
  }
  const stop = context.stopSignal();
  let before = '';
  let drawnMs = Number.NEGATIVE_INFINITY;
  // Hides the cursor, and shows it again at the end (ECMA-48, DECTCEM).
  context.stdout.write('\u001b[?25l');
  while (!stop.aborted) {
    const lines = drawn(look(context, dir), context);
    const frame = lines.map((line) => `${line}\u001b[K`).join('\r\n');
    const isOld = context.clock.monoMs() - drawnMs >= REDRAW_MS;
    if (frame !== before || isOld) {
      context.stdout.write(`${isOld ? '\u001b[2J' : ''}\u001b[H${frame}\u001b[J`);
      before = frame;
      if (isOld) drawnMs = context.clock.monoMs();
    }
    try {
      await context.clock.sleep(LOOK_MS, stop);
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  }
  context.stdout.write('\u001b[?25h\r\n');
  return EXIT.ok;
}
