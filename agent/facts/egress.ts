// Reads when the egress table was opened last, as root's refresher left it for everybody to read (docs/egress.md).
import { lstatSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { isAgentError } from '../errors/agent-error.ts';
import { readUnforgeableFile } from '../system/files.ts';

/** A folder of root's, made by the unit of the refresher. */
export const EGRESS_STATE = '/run/compliance-agent/egress/state.json';
export const MAX_EGRESS_BYTES = 8 * 1024 * 1024;
/** Turns after which a door that was not opened again is closed; so often the refresher may fail. */
export const EGRESS_TURNS = 3;

const ROOT = 0;
const OTHERS_WRITE = 0o022;
const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** What of that file says how the refresher is. */
const refreshed = v.looseObject({
  schema: v.literal('compliance-agent/egress/v1'),
  /** Unix seconds, wall clock; null before the first success. */
  refreshed_at: v.nullable(whole),
  period_s: whole,
});

/** `late`: not once in the last three turns, so that every door has closed. `unreadable`: others could have written it, or it is damaged. */
export type EgressRefresh = 'current' | 'late' | 'never' | 'unreadable';

/** Never throws. `rootDir`: where `/` of the judged system is; `nowS`: Unix seconds. */
export function readEgressRefresh(rootDir: string, nowS: number): EgressRefresh {
  const path = join(rootDir, EGRESS_STATE);
  try {
    const folder = lstatSync(dirname(path));
    if (!folder.isDirectory() || folder.uid !== ROOT || (folder.mode & OTHERS_WRITE) !== 0) return 'unreadable';
    const text = readUnforgeableFile(path, MAX_EGRESS_BYTES, ROOT).toString('utf8');
    const { refreshed_at: at, period_s: period } = v.parse(refreshed, JSON.parse(text));
    if (at === null) return 'never';
    return Math.abs(nowS - at) > EGRESS_TURNS * period ? 'late' : 'current';
  } catch (error) {
    const isMissing = isAgentError(error)
      ? error.code === 'file_missing'
      : (error as NodeJS.ErrnoException).code === 'ENOENT';
    return isMissing ? 'never' : 'unreadable';
  }
}
