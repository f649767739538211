// Reads whether the clock is disciplined, and how far it is from Central Command's signed time.
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { runTool, Unreadable, type Probe, type ProbeContext } from './probe.ts';
import { parseChronyTracking, parseTimedatectl, type NtpState } from './time-tools.ts';

export interface ClockFacts {
  /** `none`: no tool could say; then only the skew is known. */
  readonly source: 'chrony' | 'timedatectl' | 'timesyncd' | 'none';
  /** Null only with source `none`. */
  readonly synchronized: boolean | null;
  readonly offsetMs: number | null;
  readonly stratum: number | null;
  /** Wall clock minus time T. */
  readonly skewMs: number | null;
}

function parsed(state: NtpState | null, tool: string): NtpState {
  if (state === null) throw new Unreadable('unparsable', `the output of ${tool} is not what it documents`);
  return state;
}

/** systemd-timesyncd leaves this file once it has synchronised in this boot; it can be read without D-Bus. */
function readTimesyncd(context: ProbeContext): NtpState {
  try {
    lstatSync(join(context.runDir ?? '/run', 'systemd/timesync/synchronized'));
    return { synchronized: true, offsetMs: null, stratum: null };
  } catch (cause) {
    throw new Unreadable('missing_tool', 'systemd-timesyncd has not synchronised in this boot', cause);
  }
}

const SOURCES: readonly {
  readonly name: Exclude<ClockFacts['source'], 'none'>;
  readonly read: (c: ProbeContext) => Promise<NtpState>;
}[] = [
  {
    name: 'chrony',
    read: async (c) =>
      parsed(parseChronyTracking((await runTool(c, ['chronyc', '-c', 'tracking'])).toString()), 'chronyc'),
  },
  {
    name: 'timedatectl',
    read: async (c) => parsed(parseTimedatectl((await runTool(c, ['timedatectl', 'show'])).toString()), 'timedatectl'),
  },
  { name: 'timesyncd', read: async (c) => readTimesyncd(c) },
];

/** The first source that answers counts; all are asked at once, as each may take its whole deadline. */
export const clockProbe: Probe<ClockFacts> = {
  name: 'clock',
  async read(context) {
    const answers = await Promise.allSettled(SOURCES.map((source) => source.read(context)));
    // Whole milliseconds; adding 0 turns −0, which signed JSON refuses, into 0.
    const skewMs = typeof context.skewMs === 'number' ? Math.round(context.skewMs) + 0 : null;
    for (const [i, answer] of answers.entries()) {
      const source = SOURCES[i];
      if (answer.status === 'fulfilled' && source !== undefined)
        return { source: source.name, ...answer.value, skewMs };
    }
    if (skewMs !== null) return { source: 'none', synchronized: null, offsetMs: null, stratum: null, skewMs };
    const reasons = answers.flatMap((a) => (a.status === 'rejected' ? [a.reason as Error] : []));
    // What is there but broken says more than what is missing.
    const telling = reasons.find((r) => r instanceof Unreadable && r.reason !== 'missing_tool');
    const reason = telling instanceof Unreadable ? telling.reason : 'missing_tool';
    throw new Unreadable(reason, reasons.map((r) => r.message).join('; '));
  },
};
