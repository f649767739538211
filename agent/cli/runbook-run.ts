// `runbook run`: only where the developer's part is there. The package is built without it (tools/strip-types.ts), so that no
// switch can turn it on there.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import type { CliContext } from './deps.ts';
import type { RunbookRunOptions } from './runbook-run-options.ts';

/** @throws developer_mode_absent where this build has no developer's part */
export async function runbookRun(context: CliContext, folder: string, o: RunbookRunOptions): Promise<number> {
  if (!existsSync(join(import.meta.dirname, 'developer'))) {
    throw new AgentError('developer_mode_absent', 'this build runs runbooks on signed orders and standing grants only');
  }
  return (await import('./developer/run-runbook.ts')).runRunbookHere(context, folder, o);
}
