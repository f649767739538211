// What the verifier of updates does once it may: it leaves a plan where only root writes, and starts the one unit that switches. It
// switches nothing itself.
import type { LoadedBaseline } from '../checks/baseline.ts';
import { AgentError } from '../errors/agent-error.ts';
import type { DeclaredSystem } from '../wire/schemas/declared-system.ts';
import { notDeclared } from './declared-units.ts';
import type { Acted } from './heal-acts.ts';
import { clockReading, type HelperDeps } from './helper-deps.ts';
import { profileSystem, runningSystem, SWITCH_UNIT } from './system-tools.ts';
import { unitJob } from './unit-of-systemd.ts';
import { isUnderWay, readPlan, writePlan, type UpdatePlan } from './update-plan.ts';

/** The system that the signed baseline declares. @throws helper_not_declared */
export function declaredUpdate({ checks }: LoadedBaseline): DeclaredSystem {
  const nixos = checks.patching?.expected === 'declared' ? checks.patching.nixos : undefined;
  if (nixos?.update === undefined || nixos.closure === 'none') throw notDeclared('system to update to');
  return { closure: nixos.closure, ...nixos.update };
}

/** @throws helper_update_under_way, helper_act_failed */
export async function applyUpdate(system: DeclaredSystem, deps: HelperDeps): Promise<Acted> {
  const { stateDir } = deps.places;
  const { bootId, bootMs } = clockReading(deps);
  const known = readPlan(stateDir);
  if (isUnderWay(known, { bootId, bootMs })) {
    throw new AgentError('helper_update_under_way', 'an update is under way already');
  }
  if (runningSystem() === system.closure && profileSystem() === system.closure) {
    return { outcome: 'unchanged', sentence: 'That system runs already, and is the one that starts.', details: {} };
  }
  const plan: UpdatePlan = {
    schema: 'compliance-agent/update-plan/v1',
    run: deps.newRun(),
    boot_id: bootId,
    boot_ms: Math.floor(bootMs),
    system,
    step: 'planned',
    before: null,
  };
  writePlan(stateDir, plan);
  try {
    await unitJob(deps.exec, 'start', SWITCH_UNIT, '--no-block');
  } catch (error) {
    writePlan(stateDir, { ...plan, step: 'ended' });
    throw error;
  }
  return { outcome: 'started', sentence: 'The update was verified and is under way.', details: { run: plan.run } };
}
