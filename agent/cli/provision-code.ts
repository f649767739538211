// `provision code CODE`: hands the daemon a claim code that people typed or scanned at this machine.
import { AgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { dropControl } from '../system/status-file.ts';
import { parseTypedClaim } from '../wire/claim-code.ts';
import { nowSeconds, type CliContext } from './deps.ts';
import { runningStatus } from './liveness.ts';
import { stateDirOf } from './open-state.ts';
import { assertNotEnrolled } from './provision.ts';
import { print } from './print.ts';

export async function provisionCode(context: CliContext, typed: string): Promise<number> {
  const claim = parseTypedClaim(typed);
  if (claim === null || !('code' in claim)) {
    throw new AgentError('claim_code_malformed', 'this is not a whole claim code: 28 characters in groups of four');
  }
  const dir = stateDirOf(context);
  await assertNotEnrolled(context, dir);
  dropControl(dir, 'claim_code', context.ids.uuidv7(), claim);
  const isRunning = runningStatus(dir, nowSeconds(context)) !== null;
  print(context, 'provision-code', { daemon_running: isRunning }, () => [
    isRunning
      ? 'the daemon claims with this code now; see compliance-agent provision status'
      : 'the daemon is not running; start it to enrol: systemctl start compliance-agent',
  ]);
  return EXIT.ok;
}
