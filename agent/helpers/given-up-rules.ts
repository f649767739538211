// Learnt rules that this appliance gave up: the daemon demotes them, and hands their files over beside the documents. From then on no
// helper acts in their name, whoever has the daemon by then. It can only take away, and only what was learnt. Pure.
import * as v from 'valibot';
import { parseDataFile } from '../checks/data-file.ts';
import { AgentError } from '../errors/agent-error.ts';
import { sha256Hex } from '../wire/digest.ts';
import type { ContentList } from '../wire/schemas/content.ts';
import { encodeStrict, parseStrict } from '../wire/strict-json.ts';
import { MAX_KEPT } from './heal-ledger.ts';

/** Name of the file in the drop folder. */
export const GIVEN_UP_FILE = 'given-up';
/** A drafted rule has about two kilobytes. */
export const MAX_GIVEN_UP_BYTES = 262_144;
const MAX_RULES = 64;

const handedSchema = v.strictObject({
  schema: v.literal('compliance-agent/given-up-rules/v1'),
  /** Texts of the rules' files: what was signed is their digest. */
  rules: v.pipe(v.array(v.string()), v.maxLength(MAX_RULES)),
});
/** Which rules are learnt ones (docs/formats/rules.md); the rest is healing's. */
const ruleHead = v.looseObject({ source: v.string() });

/** The bytes of the file; null where there are none. What does not fit in is left out, the last first. */
export function encodeGivenUp(rules: readonly Buffer[]): Buffer | null {
  const texts = rules.slice(0, MAX_RULES).map((bytes) => bytes.toString('utf8'));
  while (texts.length > 0) {
    const bytes = encodeStrict({ schema: 'compliance-agent/given-up-rules/v1', rules: texts });
    if (bytes.length <= MAX_GIVEN_UP_BYTES) return bytes;
    texts.pop();
  }
  return null;
}

/**
 * Digests of all rules that were given up: those that are known, and of the ones that are handed over each that a grant for the
 * appliance names in the list that the helpers hold and that was learnt. What was not learnt can be taken from nobody this way.
 *
 * @param bytes of the file; null where none was handed over
 * @throws json_not_strict, json_too_large, json_too_deep, helper_request_invalid
 */
export function judgeGivenUp(
  bytes: Buffer | null,
  content: Pick<ContentList, 'grants'> | null,
  known: readonly string[],
): readonly string[] {
  if (bytes === null) return known;
  const read = v.safeParse(handedSchema, parseStrict(bytes, { maxBytes: MAX_GIVEN_UP_BYTES, place: GIVEN_UP_FILE }));
  if (!read.success) {
    const sentence = 'what was handed over does not fit compliance-agent/given-up-rules/v1';
    throw new AgentError('helper_request_invalid', sentence, { place: GIVEN_UP_FILE });
  }
  const isGranted = (sha256: string): boolean =>
    content?.grants.some(({ rule, scope }) => rule.sha256 === sha256 && scope === 'appliance') === true;
  // The digest first: only bytes that somebody signed are parsed.
  const added = read.output.rules
    .map((text) => Buffer.from(text))
    .filter((rule) => isGranted(sha256Hex(rule)) && isLearnt(rule))
    .map(sha256Hex);
  return [...new Set([...known, ...added])].slice(0, MAX_KEPT);
}

const isLearnt = (rule: Buffer): boolean =>
  parseDataFile(rule, GIVEN_UP_FILE, ruleHead, 'helper_request_invalid').value.source === 'promoted';
