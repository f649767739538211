// What ends a command: one clear line for people, one JSON object for programs, and the exit code of the code's table row.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { ConfigError } from '../config/config-error.ts';
import { mistakeLine, ProvisionError } from '../identity/provision-mistake.ts';
import type { CliContext } from './deps.ts';
import { harmless } from './style.ts';

/** Any error as an AgentError: what is none is a defect of this program. */
export function toAgentError(error: unknown): AgentError {
  if (isAgentError(error)) return error;
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new AgentError('internal', message, { cause: error });
}

/** The object under `error` of the JSON form. */
function jsonOf(error: AgentError): object {
  return {
    code: error.code,
    sentence: error.message,
    place: error.place ?? null,
    remedy: error.remedy,
    retryable: error.retryable,
    details: error.details,
    ...(error instanceof ConfigError ? { problems: error.problems } : {}),
    ...(error instanceof ProvisionError ? { problems: error.mistakes } : {}),
  };
}

/** One line per mistake; an error with a single cause is one line. */
function textOf(error: AgentError): string {
  if (!(error instanceof ProvisionError)) return error.describe();
  return error.mistakes
    .map((one) => `${error.code}: ${mistakeLine(one)} (at ${error.place ?? ''}) — ${error.remedy}`)
    .join('\n');
}

/** Prints the error and returns the exit code. A defect also gets its stack on stderr: it has to be reported. */
export function reportError(error: unknown, context: Pick<CliContext, 'json' | 'stdout' | 'stderr'>): number {
  const known = toAgentError(error);
  if (context.json) {
    context.stdout.write(`${JSON.stringify({ schema: 'compliance-agent/cli-error/v1', error: jsonOf(known) })}\n`);
  } else context.stderr.write(`${harmless(textOf(known))}\n`);
  if (known.code === 'internal' && error instanceof Error) context.stderr.write(`${harmless(error.stack ?? '')}\n`);
  return known.exitCode === EXIT.ok ? EXIT.internal : known.exitCode;
}
