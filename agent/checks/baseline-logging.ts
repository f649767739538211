// What the baseline declares for `logging`.
import * as v from 'valibot';
import { int } from '../wire/schemas/primitives.ts';
import { serviceName } from './expected-none.ts';
import { stabilityBaseline } from './stability.ts';

export const loggingBaseline = v.strictObject({
  expected: v.literal('declared'),
  /** True where the journal must survive a restart. */
  persistent_required: v.boolean(),
  /** The service that sends the journal elsewhere, or `none`. */
  forwarder: v.union([v.literal('none'), serviceName], 'must be a service, or none'),
  /** Where it is to be judged whether the forwarder stays up. */
  stability: v.optional(stabilityBaseline),
  /** The last canary may be so old. */
  canary_minutes: int(1, 1_440),
  /** So many canaries of the last 24 hours may be missing from the journal. */
  canaries_missing: int(0, 96),
  /** So many messages may have been suppressed in the last 24 hours. */
  suppressed_messages: int(0, 1_000_000),
  /** The journal may take so much room. */
  journal_mib: int(1, 1_000_000),
});
export type LoggingBaseline = v.InferOutput<typeof loggingBaseline>;
