// Reads runbooks from their folders. What runs is taken from the very bytes whose digest was computed.
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { WindowsCheck } from '../checks/windows/windows-check.ts';
import { readFileLimited } from '../system/files.ts';
import { MAX_SCRIPT_BYTES, packRunbook, unpackRunbook, type PackageFile } from '../wire/runbook-package.ts';
import { lintRunbook } from './lint-runbook.ts';
import { parseRunbook, SCRIPT_FILES, type Runbook, type ScriptFile } from './runbook.ts';

export interface LoadedRunbook {
  readonly runbook: Runbook;
  /** Of the blob; what orders, content lists and evidence name. */
  readonly sha256: string;
  /** The one blob. */
  readonly bytes: Buffer;
  readonly scripts: ReadonlyMap<ScriptFile, string>;
}

/** What may lie beside the files of a runbook and is no part of it. */
const BESIDE = ['fixtures', 'README.md'];

function readText(path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileLimited(path, MAX_SCRIPT_BYTES));
  } catch (error) {
    if (isAgentError(error) && error.code === 'file_too_large') {
      throw new AgentError('runbook_script_too_large', `the file is larger than ${MAX_SCRIPT_BYTES} bytes`, {
        place: path,
      });
    }
    if (isAgentError(error)) throw error;
    throw new AgentError('runbook_package_invalid', 'the file is not UTF-8', { place: path });
  }
}

function filesIn(dir: string): PackageFile[] {
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch (cause) {
    throw new AgentError('runbook_invalid', 'the folder of the runbook cannot be read', { place: dir, cause });
  }
  const own: readonly string[] = ['runbook.yaml', ...SCRIPT_FILES];
  const strange = names.find((name) => !own.includes(name) && !BESIDE.includes(name));
  if (strange !== undefined) {
    throw new AgentError('runbook_invalid', 'the folder holds a file that belongs to no runbook', {
      place: join(dir, strange),
    });
  }
  return names.filter((name) => own.includes(name)).map((name) => ({ path: name, text: readText(join(dir, name)) }));
}

/**
 * Reads, packs and lints one runbook's folder, which is named after its id.
 *
 * @throws runbook_invalid with every mistake; runbook_package_invalid; runbook_script_too_large
 */
export function loadRunbook(dir: string, checks: readonly WindowsCheck[]): LoadedRunbook {
  let packed;
  try {
    packed = packRunbook(filesIn(dir));
  } catch (error) {
    if (!isAgentError(error) || error.place !== undefined) throw error;
    throw new AgentError(error.code, error.message, { place: dir, cause: error });
  }
  const files = new Map(unpackRunbook(packed.bytes).map(({ path, text }) => [path, text]));
  const place = join(dir, 'runbook.yaml');
  const runbook = parseRunbook(Buffer.from(files.get('runbook.yaml') ?? ''), place);
  const mistakes = [
    ...(basename(dir) === runbook.id ? [] : [`the folder is not named ${runbook.id}`]),
    ...lintRunbook(runbook, files, checks),
  ];
  if (mistakes.length > 0) throw new AgentError('runbook_invalid', mistakes.join('; '), { place });
  const scripts = new Map(
    SCRIPT_FILES.flatMap((name) => (files.has(name) ? [[name, files.get(name) ?? ''] as const] : [])),
  );
  return { runbook, ...packed, scripts };
}

/** Folders of runbooks below `dir`, sorted; none where there is no such folder. */
export function runbookFolders(dir: string): string[] {
  try {
    const entries = readdirSync(dir, { withFileTypes: true });
    return entries.flatMap((entry) => (entry.isDirectory() ? [join(dir, entry.name)] : [])).sort();
  } catch {
    return [];
  }
}
