// The one thing that the unit that switches the system is handed: a plan that a verifier wrote into root's folder. It is kept over
// restarts, so that a switch that was cut off is known as one.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { readUnforgeableFile, writeFileAtomic } from '../system/files.ts';
import { declaredSystem, storePath } from '../wire/schemas/declared-system.ts';
import { nonceHex } from '../wire/schemas/primitives.ts';

const PLAN_FILE = 'update.json';
const MAX_PLAN_BYTES = 8_192;
const ROOT = 0;
/** Pull, switch, gate and way back together take less; a plan that is older is of a run that is gone. */
const GIVEN_UP_MS = 90 * 60_000;

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const planSchema = v.strictObject({
  schema: v.literal('compliance-agent/update-plan/v1'),
  /** Names this update in results. */
  run: nonceHex,
  boot_id: v.string(),
  /** Boot clock when it was planned. */
  boot_ms: whole,
  system: declaredSystem,
  /**
   * `planned`: the verifier has left it. `armed`: the way back to `before` is armed. `keeping`: the new system is healthy and is
   * being made the one that starts. `ended`: nothing is left to be done.
   */
  step: v.picklist(['planned', 'armed', 'keeping', 'ended']),
  /** What ran before, and runs again where the new system does not hold. */
  before: v.nullable(storePath),
});
export type UpdatePlan = v.InferOutput<typeof planSchema>;

/** A switch of this boot that is still at work, or that the timer will undo. Pure. */
export function isUnderWay(
  plan: UpdatePlan | null,
  now: { readonly bootId: string; readonly bootMs: number },
): boolean {
  if (plan === null || plan.step === 'ended' || plan.boot_id !== now.bootId) return false;
  return now.bootMs - plan.boot_ms < GIVEN_UP_MS;
}

/**
 * Which system runs again where `closure` does not hold: the one that starts, also where another one runs for now. A system that runs
 * and never became the one that starts was tried by hand, or is one that a way back did not get rid of. Null where neither is known. Pure.
 */
export function systemBefore(
  closure: string,
  { starts, running }: { readonly starts: string | null; readonly running: string | null },
): string | null {
  const known = [starts, running].filter((path): path is string => v.is(storePath, path));
  return known.find((path) => path !== closure) ?? known[0] ?? null;
}

/** Null before the first. @throws helper_state_damaged, helper_surroundings_unsafe */
export function readPlan(dir: string): UpdatePlan | null {
  const path = join(dir, PLAN_FILE);
  if (!existsSync(path)) return null;
  try {
    return v.parse(planSchema, JSON.parse(readUnforgeableFile(path, MAX_PLAN_BYTES, ROOT).toString('utf8')));
  } catch (cause) {
    const isOthers = isAgentError(cause) && cause.code === 'file_permissions';
    throw new AgentError(
      isOthers ? 'helper_surroundings_unsafe' : 'helper_state_damaged',
      'the plan of an update cannot be read',
      { place: path, cause },
    );
  }
}

/** On the disk before it returns. */
export function writePlan(dir: string, plan: UpdatePlan): void {
  writeFileAtomic(join(dir, PLAN_FILE), `${JSON.stringify(plan)}\n`);
}
