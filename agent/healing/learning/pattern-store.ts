// Patterns as rows of the store.
import * as v from 'valibot';
import { AgentError } from '../../errors/agent-error.ts';
import type { PatternRow } from '../../store/open-store.ts';
import { PLATFORMS } from '../rule-fields.ts';
import type { Pattern } from './pattern.ts';

const platform = v.picklist(PLATFORMS);
const shape = v.strictObject({
  role: v.string(),
  facts: v.record(v.string(), v.union([v.string(), v.array(v.string())])),
});

/** @throws store_corrupt where a row is not what this program writes */
export function patternIn(row: PatternRow): Pattern {
  try {
    const common = v.parse(shape, JSON.parse(row.shape));
    return { sha256: row.patternSha256, platform: v.parse(platform, row.platform), check: row.checkId, ...common };
  } catch (cause) {
    throw new AgentError('store_corrupt', 'a pattern cannot be read', {
      details: { pattern: row.patternSha256 },
      cause,
    });
  }
}
