// Why a stick was not taken, for the screen of the machine: whoever plugged it in stands in front of it.
import { join } from 'node:path';
import * as v from 'valibot';
import { isAgentError } from '../errors/agent-error.ts';
import { helperResultSchema } from '../helpers/helper-result.ts';
import { STICK_VERB } from '../helpers/verbs.ts';
import { readUnforgeableFile } from '../system/files.ts';

/** Where root's helpers leave their results; set by the unit of the console. */
export const RESULTS_VARIABLE = 'COMPLIANCE_AGENT_RESULTS';
const ROOT = 0;
const MAX_BYTES = 16_384;

/** One line each; null where no stick was refused since the start of the machine. */
export function shownStick(resultDir: string | undefined, rootUid = ROOT): readonly string[] | null {
  if (resultDir === undefined) return null;
  try {
    const text = readUnforgeableFile(join(resultDir, `${STICK_VERB}.json`), MAX_BYTES, rootUid).toString('utf8');
    const read = v.safeParse(helperResultSchema, JSON.parse(text));
    if (!read.success || read.output.outcome !== 'refused') return null;
    const { sentence, details } = read.output;
    return typeof details['lines'] === 'string' ? details['lines'].split('\n') : [sentence];
  } catch (error) {
    if (isAgentError(error) || error instanceof SyntaxError) return null;
    throw error;
  }
}
