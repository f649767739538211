// What a phase printed: exactly one JSON document as the last line of stdout. Anything else is not known. Pure.
import * as v from 'valibot';
import { count, plainObject } from '../wire/schemas/primitives.ts';
import { MAX_DEPTH } from '../wire/strict-json.ts';
import type { UnseenReason } from '../wire/unseen-reasons.ts';
import { OVER_CPU_EXIT, OVER_CPU_WORD } from './bootstrap.ts';
import type { Phase, RunOutput } from './runner.ts';

export const FACTS_SCHEMA = 'compliance-agent/windows-facts/v1';
export const ACTIONS_SCHEMA = 'compliance-agent/windows-actions/v1';

const used = v.optional(v.strictObject({ cpu_ms: count }));
const scalar = v.union([
  v.null(),
  v.boolean(),
  v.pipe(v.number(), v.safeInteger()),
  v.pipe(v.string(), v.regex(/^[A-Za-z0-9{][A-Za-z0-9_.{}-]{0,63}$/)),
]);

/** One thing that a plan would change, or that was changed. */
const change = v.strictObject({
  what: v.pipe(v.string(), v.regex(/^[a-z][a-z0-9_]{0,63}$/)),
  from: scalar,
  to: scalar,
});
export type Change = v.InferOutput<typeof change>;

const actions = v.strictObject({
  /** `started`: something runs on that a later look has to judge. `managed_elsewhere`: a policy would undo the change. */
  status: v.picklist(['changed', 'nothing_to_do', 'managed_elsewhere', 'started']),
  reboot_required: v.boolean(),
  changes: v.pipe(v.array(change), v.maxLength(64)),
});
export type Actions = v.InferOutput<typeof actions>;

const factsDocument = v.strictObject({ schema: v.literal(FACTS_SCHEMA), facts: plainObject, used });
const actionsDocument = v.strictObject({ schema: v.literal(ACTIONS_SCHEMA), facts: actions, used });

/** What a phase used on its target; processor time is null where the script did not say it. */
export interface Used {
  readonly cpuMs: number | null;
  readonly bytes: number;
}

export type Reading<T> =
  | { readonly read: true; readonly value: T; readonly used: Used }
  | { readonly read: false; readonly reason: UnseenReason; readonly sentence: string; readonly used: Used };

export interface Budget {
  readonly cpuMs: number;
  readonly outputBytes: number;
}

const UTF8_BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** Windows PowerShell puts a UTF-8 byte order mark before its output; nothing else may stand there. */
function decode(stdout: Buffer): string | null {
  const bytes = stdout.subarray(0, 3).equals(UTF8_BOM) ? stdout.subarray(3) : stdout;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}

function parseDocumentLine(line: string): unknown {
  const first = line.trimStart()[0];
  if (first !== '{' && first !== '[') return undefined;
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}

/** Looks no deeper than that: what a machine prints must not decide how much of our stack is used. */
function nestsWithin(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((one) => nestsWithin(one, levels - 1));
}

/** The one document, or why there is none. Text before it (warnings of a module) is passed over; a second document is not. */
function lastDocument(stdout: Buffer): { readonly value: unknown } | { readonly sentence: string } {
  if (stdout.length === 0) return { sentence: 'the script printed nothing' };
  const text = decode(stdout);
  if (text === null) return { sentence: 'the output is not UTF-8 text' };
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const documents = lines.map(parseDocumentLine);
  const last = documents.at(-1);
  if (last === undefined) return { sentence: 'the last line of the output is no JSON document' };
  if (documents.filter((one) => one !== undefined).length > 1)
    return { sentence: 'the output holds two JSON documents' };
  return { value: last };
}

function readWith<T>(
  schema: v.GenericSchema<unknown, { facts: T; used?: { cpu_ms: number } | undefined }>,
  output: RunOutput,
  errors: number,
  budget: Budget,
): Reading<T> {
  const bytes = output.stdout.length + output.stderr.length;
  const fail = (reason: UnseenReason, sentence: string, cpuMs: number | null = null): Reading<T> => ({
    read: false,
    reason,
    sentence,
    used: { cpuMs, bytes },
  });
  if (output.truncated || bytes > budget.outputBytes) {
    return fail('over_budget', `the script printed more than the ${budget.outputBytes} bytes that it may`);
  }
  if (output.exitCode === OVER_CPU_EXIT) {
    const cpuMs = overCpuMs(output.stderr);
    const sentence = `the script was ended on the target: it may use ${budget.cpuMs} ms of processor time`;
    return fail('over_budget', sentence, cpuMs);
  }
  if (output.exitCode !== 0) {
    return fail('script_failed', `the script ended with exit code ${output.exitCode ?? 'unknown'}`);
  }
  if (errors > 0) return fail('script_failed', `the script reported ${errors} lines of errors`);
  const found = lastDocument(output.stdout);
  if ('sentence' in found) return fail('unparsable', found.sentence);
  if (!nestsWithin(found.value, MAX_DEPTH)) {
    return fail('wrong_shape', `the JSON document nests deeper than ${MAX_DEPTH} levels`);
  }
  const checked = v.safeParse(schema, found.value);
  if (!checked.success) return fail('wrong_shape', 'the JSON document has not the fields that this phase has to print');
  const cpuMs = checked.output.used?.cpu_ms ?? null;
  if (cpuMs !== null && cpuMs > budget.cpuMs) {
    return fail('over_budget', `the script used ${cpuMs} ms of processor time and may use ${budget.cpuMs}`, cpuMs);
  }
  return { read: true, value: checked.output.facts, used: { cpuMs, bytes } };
}

/** What the process had used when it was ended, as it said; null where that did not come through. */
function overCpuMs(stderr: Buffer): number | null {
  const text = stderr.toString('latin1');
  const at = text.lastIndexOf(OVER_CPU_WORD);
  const digits = at === -1 ? null : /^\d{1,12}/.exec(text.slice(at + OVER_CPU_WORD.length));
  return digits === null ? null : Number(digits[0]);
}

/**
 * Lines of error records in CLIXML (MS-PSRP 2.2.5) on stderr. Progress and warning records, and text of programs that write
 * their news there, are none.
 */
export function errorRecords(stderr: Buffer): number {
  return stderr.toString('latin1').match(/<(?:S|Obj) S="Error"[ >]/g)?.length ?? 0;
}

/** `errors`: what {@link errorRecords} counted. */
export function readFacts(
  output: RunOutput,
  errors: number,
  budget: Budget,
): Reading<v.InferOutput<typeof plainObject>> {
  return readWith(factsDocument, output, errors, budget);
}

export function readActions(output: RunOutput, errors: number, budget: Budget): Reading<Actions> {
  return readWith(actionsDocument, output, errors, budget);
}

/** Phases that only look: they may run again after a lost connection. */
export const ONLY_LOOKS: ReadonlySet<Phase> = new Set(['detect', 'plan', 'verify']);
