// Runs one tool of a step; whatever else than success ends the step.
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { Exec, ExecOptions } from '../../agent/system/ports.ts';

/** Most tools answer within a second; a slow eMMC may flush for a minute. */
export const TOOL_DEADLINE_MS = 300_000;

/**
 * @param argv holds no secret: those go by standard input or as files in memory
 * @throws installer_step_failed
 */
export async function tool(
  exec: Exec,
  argv: readonly [string, ...string[]],
  options: Partial<ExecOptions> = {},
): Promise<Buffer> {
  const { status, code, stdout, stderr } = await exec.run(argv, { deadlineMs: TOOL_DEADLINE_MS, ...options });
  if (status === 'exited' && code === 0) return stdout;
  const said = stderr.toString('latin1').trim().split('\n').at(-1) ?? '';
  const how = status === 'exited' ? `exit code ${code}` : status.replaceAll('_', ' ');
  throw new AgentError('installer_step_failed', `${argv[0]}: ${how}${said === '' ? '' : `: ${printable(said)}`}`, {
    details: { tool: argv[0], status, exit: code },
  });
}

const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
