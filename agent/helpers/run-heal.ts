// One run of a helper that heals: what it is asked, by what grounds, and then the act. What is remembered is on the disk before
// anything is changed.
import type { HandedOver } from '../system/handed-over.ts';
import { AgentError } from '../errors/agent-error.ts';
import { restartUnit, startBackup, testRestore, type Acted } from './heal-acts.ts';
import { applyUpdate, declaredUpdate } from './apply-update.ts';
import { MAX_BASELINE_BYTES, MAX_RUNBOOK_BYTES, type HealInputs } from './heal-inputs.ts';
import { MAX_REQUEST_BYTES, parseHealRequest, type HealAct, type HealVerb, type OrderedAct } from './heal-request.ts';
import { readHeldLines, signedTimeOf, writeHelperState, type HelperState } from './helper-state.ts';
import { judgeAct } from './judge-act.ts';
import { judgeOrdered } from './judge-ordered.ts';
import {
  confirmFirewall,
  restoreFirewall,
  revertFirewall,
  rollBackFirewall,
  type FirewallDeps,
} from './restore-firewall.ts';
import { clockReading, type HelperDeps } from './helper-deps.ts';
import { restartMachine } from './restart-machine.ts';

/** Told while it goes, so that a refusal says it too. */
export type Tell = (details: Acted['details']) => void;

export interface Healed {
  /** What is left to do. */
  readonly act: () => Promise<Acted>;
  /** True where the act changes the state, so that other helpers have to wait for it. */
  readonly alone: boolean;
}

/**
 * Everything up to the act.
 *
 * @throws what the judging modules throw
 */
export function judgeHeal(verb: HealVerb, state: HelperState, drop: HandedOver, deps: HelperDeps, tell: Tell): Healed {
  const bytes = drop.read('request', MAX_REQUEST_BYTES);
  if (bytes === null) throw new AgentError('helper_input_missing', 'no request was handed over');
  const request = parseHealRequest(bytes, verb);
  tell({ request_id: request.request_id });
  if ('run' in request) {
    const firewall = firewallDeps(state, deps);
    const follow = request.step === 'confirm' ? confirmFirewall : rollBackFirewall;
    return { alone: true, act: () => follow(request.run, firewall) };
  }
  if ('order' in request) return judgedOrder(request, state, deps);
  const files = {
    baseline: drop.read('baseline', MAX_BASELINE_BYTES),
    runbook: drop.read('runbook', MAX_RUNBOOK_BYTES),
  };
  const { inputs, stop, ledger } = judgeAct(request, files, {
    lines: readHeldLines(deps.places.stateDir),
    time: signedTimeOf(state),
    clock: clockReading(deps),
    ledger: state.heal,
    baselineId: deps.baselineId(),
  });
  const next = { ...state, heal: ledger };
  writeHelperState(deps.places.stateDir, next);
  if (stop !== null) throw stop;
  // What else is done keeps nothing: others need not wait until a service has stopped or a backup is restored.
  const alone = request.verb === 'restore-firewall' || request.verb === 'apply-update';
  return { alone, act: () => carryOut(request, inputs, next, deps) };
}

/** By an order of a kind of its own: it says everything, so nothing else is handed over. */
function judgedOrder(request: OrderedAct, state: HelperState, deps: HelperDeps): Healed {
  const { stop, ledger, system } = judgeOrdered(request, {
    lines: readHeldLines(deps.places.stateDir),
    time: signedTimeOf(state),
    clock: clockReading(deps),
    ledger: state.heal,
  });
  writeHelperState(deps.places.stateDir, { ...state, heal: ledger });
  if (stop !== null) throw stop;
  return { alone: true, act: () => (system === null ? restartMachine(deps.exec) : applyUpdate(system, deps)) };
}

/** What the timer starts. */
export const judgeRevert = (state: HelperState, deps: HelperDeps): Healed => ({
  alone: true,
  act: () => revertFirewall(firewallDeps(state, deps)),
});

function carryOut(request: HealAct, { baseline }: HealInputs, state: HelperState, deps: HelperDeps): Promise<Acted> {
  switch (request.verb) {
    case 'restart-unit':
      return restartUnit(deps.exec, baseline, request.what);
    case 'restore-firewall':
      return restoreFirewall(baseline, firewallDeps(state, deps));
    case 'run-backup':
      return startBackup(deps.exec, baseline);
    case 'restore-test':
      return testRestore(deps.exec, deps.clock, baseline);
    case 'apply-update':
      return applyUpdate(declaredUpdate(baseline), deps);
  }
}

function firewallDeps(state: HelperState, { exec, clock, places, newRun }: HelperDeps): FirewallDeps {
  const { stateDir } = places;
  return {
    exec,
    clock,
    stateDir,
    pending: state.firewall,
    keep: (firewall) => writeHelperState(stateDir, { ...state, firewall }),
    newRun,
  };
}
