// Does the daemon run, and what does it say keeps it from its work? Pure.
import type { AgentStatus } from '../../system/status-file.ts';
import type { Liveness } from '../liveness.ts';
import type { ErrorCode } from '../../errors/codes.ts';
import { CODES } from '../../errors/codes.ts';
import { ok, problem, quoted, type Verdict } from './verdict.ts';

export type DaemonReading =
  | { readonly found: 'status'; readonly status: AgentStatus; readonly liveness: Liveness }
  | { readonly found: 'none' }
  | { readonly found: 'unreadable'; readonly sentence: string };

const WORDS: Readonly<Record<Exclude<Liveness, 'running'>, string>> = {
  stopped: 'the daemon was stopped',
  gone: 'the process of the daemon is gone without a word',
  silent: 'the daemon exists and has not written its status for a minute',
};

const DOWN = 'nothing is checked, recorded or uploaded';
const START = 'systemctl start compliance-agent; if it ends again: journalctl -u compliance-agent -p warning';

export function judgeDaemon(reading: DaemonReading): Verdict {
  const down = (sentence: string, remedy = START): Verdict =>
    problem({ code: 'daemon_not_running', sentence, meaning: DOWN, remedy }, { breaks: false });
  if (reading.found === 'none') return down('no daemon ever ran with this state directory');
  if (reading.found === 'unreadable') {
    return problem(
      {
        code: 'status_unreadable',
        sentence: quoted(reading.sentence),
        meaning: 'whether the daemon runs is not known',
        remedy: CODES.status_unreadable.remedy,
      },
      { breaks: false },
    );
  }
  const { status, liveness } = reading;
  if (liveness === 'silent') {
    return down(WORDS.silent, 'systemctl restart compliance-agent, and report it with the journal');
  }
  if (liveness !== 'running') return down(WORDS[liveness]);
  const { blocking_reason: reason } = status;
  if (reason === null) return ok('the daemon runs and says that nothing keeps it from its work');
  return problem(
    {
      code: Object.hasOwn(CODES, reason.code) ? (reason.code as ErrorCode) : 'daemon_not_running',
      sentence: `the daemon runs and says: ${quoted(reason.sentence, 300)} (${reason.code})`,
      meaning: 'this is its own view; the steps above may show the cause',
      remedy: reason.remedy,
    },
    { breaks: false },
  );
}
