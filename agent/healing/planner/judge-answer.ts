// An endpoint's answer, held against everything that a plan must be. What does not fit in one thing is no plan; nothing of it is used.
// Pure.
import * as v from 'valibot';
import { judgeRunbookParams } from '../../execution/order-params.ts';
import type { LoadedRunbook } from '../../execution/load-runbook.ts';
import { removeForbidden, REMOVED, scrubSentence } from '../../evidence/scrub-sentence.ts';
import type { RunbookParams } from '../../checks/windows/windows-check.ts';
import type { PlainJson } from '../../wire/schemas/primitives.ts';
import { isChoosable, PLAN_SCHEMA } from './prompt.ts';

/** Larger answers are not read to their end. A plan has some 500 bytes. */
export const MAX_ANSWER_BYTES = 262_144;
const MAX_CONTENT_CHARS = 16_384;
const MAX_RATIONALE_CHARS = 600;
const MAX_ALTERNATIVES = 8;

/** Words of ours for what is wrong with an answer; they go back to the model at the second try. */
export type AnswerFault =
  | 'not_json'
  | 'no_single_message'
  | 'cut_off'
  | 'refused_by_model'
  | 'calls_tools'
  | 'content_too_long'
  | 'content_not_json'
  | 'other_schema'
  | 'unknown_runbook'
  | 'params_out_of_limits'
  | 'media_type';

export interface AnswerHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

export type AnswerVerdict =
  | {
      readonly verdict: 'plan';
      readonly loaded: LoadedRunbook;
      readonly params: RunbookParams;
      readonly alternatives: readonly string[];
      readonly rationale: string;
    }
  /** The model says that no listed runbook would help. */
  | { readonly verdict: 'none' }
  | { readonly verdict: 'refused'; readonly fault: AnswerFault };

/** What of the frame is read; servers add fields of their own, and they are not looked at. */
const completion = v.object({
  choices: v.pipe(
    v.array(
      v.object({
        finish_reason: v.nullish(v.string()),
        message: v.object({
          role: v.optional(v.literal('assistant')),
          content: v.nullish(v.string()),
          refusal: v.nullish(v.string()),
          tool_calls: v.nullish(v.array(v.unknown())),
          function_call: v.nullish(v.unknown()),
        }),
      }),
    ),
    v.length(1),
  ),
});

const planSchema = v.strictObject({
  schema: v.literal(PLAN_SCHEMA),
  runbook_id: v.nullable(v.pipe(v.string(), v.maxLength(64))),
  params: v.custom<Record<string, unknown>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  ),
  rationale: v.pipe(v.string(), v.maxLength(MAX_CONTENT_CHARS)),
  alternatives: v.pipe(v.array(v.pipe(v.string(), v.maxLength(64))), v.maxLength(MAX_ALTERNATIVES)),
});

const refused = (fault: AnswerFault): AnswerVerdict => ({ verdict: 'refused', fault });

function parse(text: string): { readonly value: unknown } | null {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return null;
  }
}

/** `application/json` and nothing that only looks like it. */
export function isJson({ headers }: AnswerHead): boolean {
  const type = headers['content-type'];
  return typeof type === 'string' && /^application\/json\s*(?:;|$)/i.test(type.trim());
}

/** The answer of one request with status 200. `runbooks`: the closed list that was offered. */
export function judgeAnswer(head: AnswerHead, body: Buffer, runbooks: readonly LoadedRunbook[]): AnswerVerdict {
  if (!isJson(head)) return refused('media_type');
  const frame = parse(body.toString('utf8'));
  if (frame === null) return refused('not_json');
  const parsed = v.safeParse(completion, frame.value);
  const choice = parsed.success ? parsed.output.choices[0] : undefined;
  if (choice === undefined) return refused('no_single_message');
  const { message } = choice;
  if ((message.tool_calls?.length ?? 0) > 0 || (message.function_call ?? null) !== null) return refused('calls_tools');
  if ((message.refusal ?? '') !== '' || choice.finish_reason === 'content_filter') return refused('refused_by_model');
  if (choice.finish_reason !== 'stop') return refused('cut_off');
  const content = message.content ?? '';
  if (content.length > MAX_CONTENT_CHARS) return refused('content_too_long');
  return judgePlan(content, runbooks);
}

function judgePlan(content: string, runbooks: readonly LoadedRunbook[]): AnswerVerdict {
  const text = parse(content);
  if (text === null) return refused('content_not_json');
  const parsed = v.safeParse(planSchema, text.value);
  if (!parsed.success) return refused('other_schema');
  const { runbook_id: id, params, rationale, alternatives } = parsed.output;
  const known = new Set(runbooks.map(({ runbook }) => runbook.id));
  if (!alternatives.every((other) => known.has(other))) return refused('unknown_runbook');
  if (id === null) return Object.keys(params).length === 0 ? { verdict: 'none' } : refused('params_out_of_limits');
  const loaded = runbooks.find(({ runbook }) => runbook.id === id);
  if (loaded === undefined) return refused('unknown_runbook');
  const chosen = paramsOf(loaded, params);
  if (chosen === null) return refused('params_out_of_limits');
  const others = [...new Set(alternatives)].filter((other) => other !== id);
  return { verdict: 'plan', loaded, params: chosen, alternatives: others, rationale: wordsOf(rationale) };
}

/** The params as they would be run, or null. `names` keep their default: text of a model names no service and no file. */
function paramsOf({ runbook }: LoadedRunbook, given: Readonly<Record<string, unknown>>): RunbookParams | null {
  const values: Record<string, PlainJson> = {};
  for (const [key, value] of Object.entries(given)) {
    const param = Object.hasOwn(runbook.params, key) ? runbook.params[key] : undefined;
    if (param === undefined) return null;
    if (value === null) continue;
    if (!isChoosable(param)) return null;
    if (typeof value === 'number' && !Number.isSafeInteger(value)) return null;
    values[key] = value as PlainJson;
  }
  const verdict = judgeRunbookParams(runbook, values);
  return verdict.fits && verdict.action === 'remediate' ? verdict.params : null;
}

const ignore = (): void => undefined;

/** One line of plain words; what could be an address, a name or a command is taken out as from any sentence of an entry. */
function wordsOf(rationale: string): string {
  const line = rationale
    .normalize('NFC')
    .replaceAll(/[\p{C}\p{Z}\s]+/gu, ' ')
    .trim()
    .slice(0, MAX_RATIONALE_CHARS);
  if (line === '') return '';
  const kept = scrubSentence(removeForbidden(line, ignore), ignore);
  return kept === REMOVED ? '' : kept;
}
