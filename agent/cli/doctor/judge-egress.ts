// Is the way out to Central Command open in this machine's own egress table? By what its refresher left. Pure.
import type { EgressState } from '../../egress/egress-state.ts';
import { CODES, type ErrorCode } from '../../errors/codes.ts';
import { notLookedAt, ok, problem, type Verdict } from './verdict.ts';

export interface EgressReading {
  /** Null where there is none, or one of another boot. */
  readonly state: EgressState | null;
  /** Clock of the boot. */
  readonly bootMs: number;
}

const MEANING = 'nothing leaves this machine but what the table lets out, so the agent cannot reach Central Command';

export function judgeEgress({ state, bootMs }: EgressReading): Verdict {
  if (state === null) return notLookedAt('nothing of the agent closes the way out of this machine');
  const { problem: said, doors, warnings } = state;
  const notes = warnings.slice(0, 8);
  if (said !== null) {
    const code = said.code as ErrorCode;
    const { sentence } = said;
    return problem({ code, sentence, meaning: MEANING, remedy: CODES[code].remedy }, { breaks: false, notes });
  }
  const open = doors.flatMap(({ addresses }) => addresses).filter(({ until }) => until > bootMs).length;
  if (open > 0 || doors.every(({ addresses }) => addresses.length === 0)) {
    return ok(`the way out is open to ${open} addresses (compliance-agent egress show)`, notes);
  }
  const { remedy } = CODES.egress_never_refreshed;
  const sentence = `nothing has opened the egress table for ${3 * state.period_s} s, so every door has closed`;
  return problem({ code: 'egress_never_refreshed', sentence, meaning: MEANING, remedy }, { breaks: false, notes });
}
