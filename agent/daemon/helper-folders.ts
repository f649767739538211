// Where the daemon meets the privileged helpers: a folder of its own in memory that it leaves files in, and root's folder of
// results. Only a unit has them (nix/module.nix); elsewhere the agent works without helpers.
import { join } from 'node:path';
import * as v from 'valibot';
import { isAgentError } from '../errors/agent-error.ts';
import { helperResultSchema, type HelperResult } from '../helpers/helper-result.ts';
import type { HelperVerb } from '../helpers/verbs.ts';
import { readUnforgeableFile, writeFileAtomic } from '../system/files.ts';

export interface HelperFolders {
  readonly dropDir: string;
  readonly resultDir: string;
}

const MAX_RESULT_BYTES = 16_384;
/** The group of the daemon's user, which root's helpers join to read. */
const DROP_MODE = 0o640;

/** Null where systemd made no such folder (`RuntimeDirectory=` of systemd.exec(5)). */
export function helperFolders(environment: NodeJS.ProcessEnv): HelperFolders | null {
  const dropDir = environment['RUNTIME_DIRECTORY'];
  if (dropDir === undefined || !dropDir.endsWith('/drop') || dropDir.includes(':')) return null;
  return { dropDir, resultDir: join(dropDir, '../helpers') };
}

/** In memory, so nothing is synced. @throws file_… */
export function leaveForHelpers({ dropDir }: HelperFolders, name: string, content: string | Buffer): void {
  writeFileAtomic(join(dropDir, name), content, { mode: DROP_MODE, sync: false });
}

/** Null where there is none, or none that root wrote. */
export function helperResult({ resultDir }: HelperFolders, verb: HelperVerb, rootUid = 0): HelperResult | null {
  try {
    const text = readUnforgeableFile(join(resultDir, `${verb}.json`), MAX_RESULT_BYTES, rootUid).toString('utf8');
    const read = v.safeParse(helperResultSchema, JSON.parse(text));
    return read.success && read.output.verb === verb ? read.output : null;
  } catch (error) {
    if (isAgentError(error) || error instanceof SyntaxError) return null;
    throw error;
  }
}
