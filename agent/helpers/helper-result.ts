// What a helper leaves for the daemon and for people: /run/compliance-agent/helpers/<verb>.json.
import * as v from 'valibot';
import { HELPER_VERBS } from './verbs.ts';

export const helperResultSchema = v.strictObject({
  schema: v.literal('compliance-agent/helper-result/v1'),
  verb: v.picklist(HELPER_VERBS),
  /** Unix seconds, wall clock, when the run began. */
  at: v.number(),
  boot_id: v.string(),
  /** `started`: it goes on by itself, and only a later look can say what came of it. */
  outcome: v.picklist(['done', 'unchanged', 'started', 'refused']),
  /** Of a refusal. */
  code: v.optional(v.string()),
  sentence: v.string(),
  details: v.record(v.string(), v.union([v.string(), v.number()])),
});
export type HelperResult = v.InferOutput<typeof helperResultSchema>;
