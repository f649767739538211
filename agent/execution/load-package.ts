// A runbook out of its one blob, as the content list brings it.
import { AgentError } from '../errors/agent-error.ts';
import type { WindowsCheck } from '../checks/windows/windows-check.ts';
import { sha256Hex } from '../wire/digest.ts';
import { unpackRunbook } from '../wire/runbook-package.ts';
import { lintRunbook } from './lint-runbook.ts';
import type { LoadedRunbook } from './load-runbook.ts';
import { parseRunbook, SCRIPT_FILES } from './runbook.ts';

/**
 * Unpacks and lints a blob; what runs is taken from the very bytes whose digest was computed.
 *
 * @param place named in errors
 * @throws runbook_package_invalid; runbook_script_too_large; runbook_invalid with every mistake
 */
export function loadPackage(bytes: Buffer, checks: readonly WindowsCheck[], place: string): LoadedRunbook {
  const files = new Map(unpackRunbook(bytes).map(({ path, text }) => [path, text]));
  const runbook = parseRunbook(Buffer.from(files.get('runbook.yaml') ?? ''), place);
  const mistakes = lintRunbook(runbook, files, checks);
  if (mistakes.length > 0) throw new AgentError('runbook_invalid', mistakes.join('; '), { place });
  const scripts = new Map(
    SCRIPT_FILES.flatMap((name) => (files.has(name) ? [[name, files.get(name) ?? ''] as const] : [])),
  );
  return { runbook, bytes, sha256: sha256Hex(bytes), scripts };
}
