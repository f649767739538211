// Switches the system by a verified plan, looks whether the new one is healthy, and only then makes it the one that starts; else the
// old one is switched back to. Runs as the program of the old system, and a timer armed before the switch takes the same way back
// where this ends in the middle (docs/updates.md).
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { openHandedOver } from '../system/handed-over.ts';
import { STATUS_FILE } from '../system/status-file.ts';
import * as v from 'valibot';
import { clockReading, type HelperDeps } from './helper-deps.ts';
import type { Acted } from './heal-acts.ts';
import { judgeLooks, type Gate, type HealthLook } from './judge-health.ts';
import {
  activate,
  agentUnit,
  armRollback,
  assertBytes,
  BOOT_MS,
  disarmRollback,
  hasTable,
  leastFreeBytes,
  profileSystem,
  pullSystem,
  runningSystem,
  setProfile,
  stopSwitch,
  type UpdatePlaces,
} from './system-tools.ts';
import { readPlan, systemBefore, writePlan, type UpdatePlan } from './update-plan.ts';

const LOOK_MS = 1_000;
/** A healthy agent has to stay so for half of the time that it has, but for no longer than this. */
const LONGEST_STABLE_MS = 15_000;
/** Beyond the switch and the gate: what stopping a hung switch and a late look may take. */
const ROLLBACK_RESERVE_MS = 20_000;

/** With hundreds of targets and findings it has some hundred kilobytes. */
const MAX_STATUS_BYTES = 4 * 1024 * 1024;
const statusSchema = v.looseObject({
  agent_version: v.string(),
  pid: v.number(),
  last_answer_at: v.nullable(v.number()),
});

type Tell = (details: Acted['details']) => void;
type Why = Extract<Gate, { gate: 'failed' }>['why'] | 'switch_failed' | 'keep_failed' | 'interrupted';

interface Switching {
  readonly deps: HelperDeps;
  readonly places: UpdatePlaces;
  readonly tell: Tell;
  /** Wall clock minus boot clock before the switch, and whether it was synchronised then. */
  readonly clock: { readonly offsetMs: number; readonly isSynchronised: boolean };
  readonly beganS: number;
}

/** @throws update_…, helper_act_failed, helper_state_damaged, helper_update_under_way */
export async function switchSystem(deps: HelperDeps, tell: Tell): Promise<Acted> {
  const plan = readPlan(deps.places.stateDir);
  if (plan === null || plan.step === 'ended') return nothing();
  tell({ run: plan.run });
  const on = switching(deps, tell);
  if (plan.boot_id !== deps.clock.bootId()) return afterRestart(plan, on);
  if (plan.step === 'planned') return perform(plan, on);
  throw new AgentError('helper_update_under_way', 'the switch was begun and did not end here; its timer goes back');
}

/** What the timer starts. @throws update_reverted, update_rollback_failed */
export async function rollBackSystem(deps: HelperDeps, tell: Tell): Promise<Acted> {
  const on = switching(deps, tell);
  await stopSwitch(deps.exec, on.places);
  const plan = readPlan(deps.places.stateDir);
  if (plan === null || plan.step === 'ended' || plan.boot_id !== deps.clock.bootId()) return nothing();
  tell({ run: plan.run });
  return goBack(plan, 'interrupted', on);
}

const nothing = (): Acted => ({ outcome: 'unchanged', sentence: 'No update waits.', details: {} });

function switching(deps: HelperDeps, tell: Tell): Switching {
  if (deps.update === undefined) throw new AgentError('usage', 'this helper is started by its unit');
  const { wallMs, bootMs, synchronised } = clockReading(deps);
  return {
    deps,
    places: deps.update,
    tell,
    clock: { offsetMs: wallMs - bootMs, isSynchronised: synchronised },
    beganS: Math.floor(wallMs / 1_000),
  };
}

function keep(plan: UpdatePlan, change: Partial<UpdatePlan>, { deps }: Switching): UpdatePlan {
  const next = { ...plan, ...change };
  writePlan(deps.places.stateDir, next);
  return next;
}

async function perform(planned: UpdatePlan, on: Switching): Promise<Acted> {
  const { deps, places } = on;
  const { exec } = deps;
  const { closure, nar_hash: narHash } = planned.system;
  const armed = await prepare(planned, on, async () => {
    await pullSystem(exec, places, closure);
    await assertBytes(exec, places, closure, narHash);
    const before = systemBefore(closure, { starts: profileSystem(), running: runningSystem() });
    if (before === null) {
      throw new AgentError('helper_act_failed', 'the running system is none of the Nix store', { place: 'system' });
    }
    const plan = keep(planned, { step: 'armed', before }, on);
    await armRollback(exec, places, {
      afterMs: 2 * places.healthWithinMs + ROLLBACK_RESERVE_MS,
      env: rollbackEnv(deps, places),
    });
    return plan;
  });
  if (!(await activate(exec, closure, 'test', places.healthWithinMs))) return goBack(armed, 'switch_failed', on);
  const gate = await throughGate(armed, on);
  if (gate !== null) return goBack(armed, gate, on);
  const keeping = keep(armed, { step: 'keeping' }, on);
  const isKept = (await setProfile(exec, places, closure)) && (await activate(exec, closure, 'boot'));
  if (!isKept) return goBack(keeping, 'keep_failed', on);
  keep(keeping, { step: 'ended' }, on);
  await disarmRollback(exec, places);
  const central = heardOf(on) ? 'answered' : 'silent';
  return {
    outcome: 'done',
    sentence: 'The new system is healthy, and is the one that starts from now on.',
    details: { update: 'done', central },
  };
}

/** What fails up to here has changed nothing, and the plan is over. */
async function prepare(plan: UpdatePlan, on: Switching, work: () => Promise<UpdatePlan>): Promise<UpdatePlan> {
  try {
    return await work();
  } catch (error) {
    if (isAgentError(error)) {
      keep(plan, { step: 'ended' }, on);
      on.tell({ update: 'failed' });
    }
    throw error;
  }
}

/** The unit's own environment, for the transient one that goes back. */
const rollbackEnv = ({ places }: HelperDeps, { environment }: UpdatePlaces): Record<string, string> => ({
  ...environment,
  STATE_DIRECTORY: places.stateDir,
  RUNTIME_DIRECTORY: places.resultDir,
  CONFIGURATION_DIRECTORY: places.credentialDir,
});

/** Null where the new system may stay. */
async function throughGate({ system }: UpdatePlan, on: Switching): Promise<Why | null> {
  const { clock } = on.deps;
  const withinMs = on.places.healthWithinMs;
  const limits = { from: clock.monoMs(), withinMs, stableMs: Math.min(withinMs / 2, LONGEST_STABLE_MS) };
  const expected = { closure: system.closure, agentVersion: system.agent_version };
  const looks: HealthLook[] = [];
  for (;;) {
    looks.push(await look(on));
    const verdict = judgeLooks(looks, expected, limits);
    if (verdict.gate === 'passed') return null;
    if (verdict.gate === 'failed') return verdict.why;
    await clock.sleep(LOOK_MS);
  }
}

async function look(on: Switching): Promise<HealthLook> {
  const { exec, clock } = on.deps;
  const { egressTable, agentStateDir } = on.places;
  const now = clockReading(on.deps);
  const status = statusOf(on);
  return {
    at: clock.monoMs(),
    running: runningSystem(),
    unit: await agentUnit(exec, on.places),
    agent: status === null ? null : { version: status.agent_version, pid: status.pid },
    egress: egressTable === null ? null : await hasTable(exec, on.places, egressTable),
    clockMovedMs: now.wallMs - now.bootMs - on.clock.offsetMs,
    syncLost: on.clock.isSynchronised && !now.synchronised,
    freeBytes: leastFreeBytes(['/nix/store', agentStateDir]),
  };
}

/** The daemon's own word of who it is. Its folder is its own, so what lies there is read as what is handed over is; else null. */
function statusOf({ places }: Switching): v.InferOutput<typeof statusSchema> | null {
  try {
    const folder = openHandedOver(places.agentStateDir);
    try {
      const bytes = folder.read(STATUS_FILE, MAX_STATUS_BYTES);
      const read = v.safeParse(statusSchema, JSON.parse(bytes?.toString('utf8') ?? 'null'));
      return read.success ? read.output : null;
    } finally {
      folder.close();
    }
  } catch (error) {
    if (isAgentError(error) || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Central Command answered since the switch. */
function heardOf(on: Switching): boolean {
  const status = statusOf(on);
  return status !== null && (status.last_answer_at ?? 0) > on.beganS;
}

/** Always ends the plan, and never returns: whoever reads the result has to see that the update did not stay. */
async function goBack(plan: UpdatePlan, why: Why, on: Switching): Promise<never> {
  const { deps, places, tell } = on;
  const { exec, clock } = deps;
  const { before } = plan;
  tell({ update: 'reverted', why });
  if (before === null) {
    keep(plan, { step: 'ended' }, on);
    await disarmRollback(exec, places);
    throw new AgentError('update_reverted', `the update stopped before the switch (${why}); nothing was changed`);
  }
  if (profileSystem() !== before) await setProfile(exec, places, before);
  // Not less than a boot loader takes: the gate's time is for the new system.
  await activate(exec, before, 'switch', Math.max(places.healthWithinMs, BOOT_MS));
  const until = clock.monoMs() + places.healthWithinMs;
  let isBack = await runs(before, on);
  while (!isBack && clock.monoMs() < until) {
    await clock.sleep(LOOK_MS);
    isBack = await runs(before, on);
  }
  keep(plan, { step: 'ended' }, on);
  await disarmRollback(exec, places);
  if (isBack) {
    throw new AgentError('update_reverted', `the new system did not hold (${why}); the old one is back`);
  }
  tell({ update: 'failed' });
  throw new AgentError('update_rollback_failed', `the new system did not hold (${why}), and the old one is not back`);
}

async function runs(before: string, { deps, places }: Switching): Promise<boolean> {
  return runningSystem() === before && (await agentUnit(deps.exec, places)).isActive && profileSystem() === before;
}

/** The machine was started anew in the middle. What was never made the default is gone by that. */
async function afterRestart(plan: UpdatePlan, on: Switching): Promise<Acted> {
  const { exec } = on.deps;
  const running = runningSystem();
  if (running === plan.system.closure) {
    // Past the gate: only then a start can come from it.
    await setProfile(exec, on.places, running);
    keep(plan, { step: 'ended' }, on);
    return {
      outcome: 'done',
      sentence: 'The machine was started anew while the new system was made the default, and starts from it.',
      details: { update: 'done', central: 'silent' },
    };
  }
  if (running !== null && profileSystem() !== running) {
    await setProfile(exec, on.places, running);
    await activate(exec, running, 'boot');
  }
  keep(plan, { step: 'ended' }, on);
  on.tell({ update: 'reverted', why: 'interrupted' });
  throw new AgentError(
    'update_reverted',
    'the machine was started anew in the middle of the switch; the old system runs',
  );
}
