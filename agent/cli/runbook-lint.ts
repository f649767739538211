// `runbook lint`: all mistakes of all folders, each with its place. Exit 2 where there is one.
import { isAgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import type { CliContext } from './deps.ts';
import { load } from './find-runbook.ts';
import { print } from './print.ts';
import { harmless } from './style.ts';

export function runbookLint(context: CliContext, folders: readonly string[]): number {
  const results = folders.map((folder) => {
    try {
      const { runbook, sha256 } = load(folder);
      return { folder, id: runbook.id, sha256, mistake: null };
    } catch (error) {
      if (!isAgentError(error) || error.code === 'internal') throw error;
      const { code, message, place = folder } = error;
      return { folder, id: null, sha256: null, mistake: { code, message, place } };
    }
  });
  print(context, 'runbook-lint', { results }, () =>
    results.map(({ folder, id, sha256, mistake }) =>
      harmless(
        mistake === null
          ? `${folder}: ${id} is good, ${sha256}`
          : `${mistake.place}: ${mistake.code}: ${mistake.message}`,
      ),
    ),
  );
  return results.every(({ mistake }) => mistake === null) ? EXIT.ok : EXIT.usage;
}
