// What the refresher opened, until when and why: /run/compliance-agent/egress/state.json, in memory, root's to write and
// everybody's to read.
import * as v from 'valibot';

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const port = v.strictObject({ protocol: v.picklist(['tcp', 'udp']), port: whole });

const openDoor = v.strictObject({
  who: v.picklist(['agent', 'root']),
  host: v.string(),
  ports: v.array(port),
  why: v.array(v.string()),
  /** `until`: milliseconds on the clock of the boot. */
  addresses: v.array(v.strictObject({ address: v.string(), until: whole })),
  /** Why its name gave no address this time; null where it did. */
  problem: v.nullable(v.string()),
});
export type OpenDoor = v.InferOutput<typeof openDoor>;

const egressStateSchema = v.strictObject({
  schema: v.literal('compliance-agent/egress/v1'),
  boot_id: v.string(),
  /** Unix seconds, wall clock, of the last run that opened something; null before the first. */
  refreshed_at: v.nullable(whole),
  period_s: whole,
  /** Of the site policy that counts; null where none does. */
  policy_version: v.nullable(whole),
  doors: v.array(openDoor),
  networks: v.array(v.strictObject({ prefix: v.string(), ports: v.array(port), until: whole })),
  /** Plain sentences: what is left out, and why. */
  warnings: v.array(v.string()),
  /** Why the last run failed; null where it did not. */
  problem: v.nullable(v.strictObject({ code: v.string(), sentence: v.string() })),
});
export type EgressState = v.InferOutput<typeof egressStateSchema>;

/** Null for what is no such file: then nothing is carried over. */
export function parseEgressState(text: string): EgressState | null {
  try {
    const parsed = v.safeParse(egressStateSchema, JSON.parse(text));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}
