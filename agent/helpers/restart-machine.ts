// Starts the machine anew, in good order: systemd stops what runs and then restarts.
import type { Exec } from '../system/ports.ts';
import type { Acted } from './heal-acts.ts';
import { unitJob } from './unit-of-systemd.ts';

const TARGET = 'reboot.target';

/** Comes back before the machine goes down, so that its result is read. @throws helper_act_failed */
export async function restartMachine(exec: Exec): Promise<Acted> {
  // What `systemctl reboot` asks for; by this name no session manager is needed.
  await unitJob(exec, 'start', TARGET, '--no-block', '--job-mode=replace-irreversibly');
  return { outcome: 'started', sentence: 'The machine goes down to start anew.', details: {} };
}
