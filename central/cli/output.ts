import { isAgentError } from '../../agent/errors/agent-error.ts';
import { EXIT } from '../../agent/errors/exit-codes.ts';

/** Options that every verb has. */
export interface Common {
  readonly json?: boolean;
}

/** Prints a result: `value` as one JSON line with --json, else `text`. */
export function print(o: Common, value: unknown, text: string): void {
  process.stdout.write(o.json === true ? `${JSON.stringify(value)}\n` : text.endsWith('\n') ? text : `${text}\n`);
}

/** Aligned columns, two spaces apart. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => (row[i] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Unix seconds as people read them; a dash for null. */
export const when = (unixS: number | null): string =>
  unixS === null ? '-' : new Date(unixS * 1_000).toISOString().replace('.000Z', 'Z');

/** Says on stderr what went wrong. @returns the exit code */
export function reportError(error: unknown, json: boolean): number {
  if (!isAgentError(error)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(json ? `${JSON.stringify({ code: 'internal', message: text })}\n` : `internal: ${text}\n`);
    return EXIT.internal;
  }
  const { code, message, remedy, place } = error;
  process.stderr.write(
    json
      ? `${JSON.stringify({ code, message, remedy, ...(place === undefined ? {} : { place }) })}\n`
      : `${error.describe()}\n`,
  );
  return error.exitCode;
}
