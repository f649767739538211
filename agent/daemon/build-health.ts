// The health part of a check-in, from what the daemon knows. Pure.
import type { Health } from '../wire/schemas/checkin.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { Blocked, ClockHealth } from './agent-state.ts';

export interface HealthInputs {
  readonly findings: Iterable<Finding>;
  readonly queue: Health['queue'];
  readonly targets: Health['targets'];
  readonly blocked: Blocked | null;
  readonly disk: Health['disk'];
  readonly rssBytes: number;
  readonly clock: ClockHealth;
}

/** Texts in a check-in are at most so long. */
const MAX_SENTENCE = 400;

export function buildHealth(inputs: HealthInputs): Health {
  const { blocked } = inputs;
  return {
    results: [...inputs.findings].map((f) => ({ check: f.check.id, target: f.target.id, result: f.result })),
    queue: inputs.queue,
    targets: inputs.targets,
    ...(blocked === null
      ? {}
      : { blocking_reason: { code: blocked.code, sentence: blocked.sentence.slice(0, MAX_SENTENCE) } }),
    disk: inputs.disk,
    memory: { rss_bytes: inputs.rssBytes },
    clock: inputs.clock,
  };
}

/** Where times come from and how far the wall clock is off, for entries and check-ins alike. */
export function clockHealth(synchronised: boolean | null, offsetMs: number | null, timeKnown: boolean): ClockHealth {
  const source: ClockHealth['source'] = timeKnown ? 'central' : synchronised === true ? 'ntp' : 'unsynchronised';
  return { source, synchronized: synchronised === true, skew_ms: timeKnown ? negated(offsetMs) : null };
}

/** Skew is wall clock minus signed time; without `-0`. */
const negated = (offsetMs: number | null): number | null => (offsetMs === null ? null : 0 - offsetMs);
