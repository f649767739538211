// Prints a verb's result, as lines for people or as one JSON object for programs.
import type { CliContext } from './deps.ts';

/**
 * One JSON object on one line with `--json`, else the lines. `schema` names the shape (docs/cli.md); a shape may gain
 * fields, and never changes or loses one under the same name.
 */
export function print(
  context: Pick<CliContext, 'json' | 'stdout'>,
  schema: string,
  value: object,
  lines: () => readonly string[],
): void {
  const text = context.json
    ? JSON.stringify({ schema: `compliance-agent/cli-${schema}/v1`, ...value })
    : lines().join('\n');
  context.stdout.write(`${text}\n`);
}
