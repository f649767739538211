// Starts the machine anew, in good order: systemd stops what runs and then restarts.
import type { Exec } from '../system/ports.ts';
import type { Acted } from './heal-acts.ts';
import { unitJob } from './unit-of-systemd.ts';

/** Waits some seconds (nix/updates.nix): the daemon has to write down what it handed over before it is stopped with the rest. */
const TIMER = 'compliance-agent-restart-machine.timer';

/** Comes back before the machine goes down. @throws helper_act_failed */
export async function restartMachine(exec: Exec): Promise<Acted> {
  await unitJob(exec, 'start', TIMER);
  return { outcome: 'started', sentence: 'The machine goes down in some seconds, to start anew.', details: {} };
}
