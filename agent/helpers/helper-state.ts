// What the helpers keep in a folder of root's: the documents in force, as signed lines, and a few numbers. The documents are
// floors by themselves: nothing replaces them but what is newer.
import { existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { assertRootsWay } from '../system/handed-over.ts';
import { readUnforgeableFile, writeFileAtomic } from '../system/files.ts';
import type { SignedTime } from '../trust/signed-time.ts';
import { nonceHex } from '../wire/schemas/primitives.ts';
import { EMPTY_LEDGER, healLedgerSchema } from './heal-ledger.ts';
import { HELD_DOCUMENTS, type HeldLines } from './held-trust.ts';
import { HELPER_VERBS } from './verbs.ts';

const STATE_FILE = 'state.json';
/** The way back of a restored packet filter (restore-firewall.ts). */
export const BEFORE_FILE = 'firewall-before.nft';
const MAX_STATE_BYTES = 1_048_576;
const ROOT = 0;
const OTHERS = 0o077;

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const runs = v.pipe(v.array(v.looseObject({ boot_id: v.string(), boot_ms: whole })), v.maxLength(1_000));
/** What a newer version adds is kept as it is: after a rollback to this one it is still there. */
const stateSchema = v.looseObject({
  schema: v.literal('compliance-agent/helper-state/v1'),
  /** The highest signed time, and the boot clock when it was taken. */
  time: v.nullable(v.looseObject({ server_time: whole, boot_ms: whole, boot_id: v.string() })),
  /** This file was lost beside others of root's: what was done is not known until sync-trust begins anew. */
  lost: v.optional(v.boolean(), false),
  runs: v.looseObject(v.entriesFromList(HELPER_VERBS, v.optional(runs, []))),
  heal: v.optional(healLedgerSchema, EMPTY_LEDGER),
  /** A restored packet filter that nobody has confirmed yet. */
  firewall: v.optional(v.nullable(v.looseObject({ run: nonceHex, boot_id: v.string() })), null),
  /** Whose key is sealed in the credential; `epoch` null where it was stored before the appliance was enrolled. */
  slot: v.nullable(v.looseObject({ spki: v.string(), epoch: v.nullable(whole), sealed_with: v.string() })),
});
export type HelperState = v.InferOutput<typeof stateSchema>;
export type PendingFirewall = NonNullable<HelperState['firewall']>;

const EMPTY: HelperState = v.parse(stateSchema, {
  schema: 'compliance-agent/helper-state/v1',
  time: null,
  runs: {},
  slot: null,
});

export const signedTimeOf = ({ time }: HelperState): SignedTime | null =>
  time === null ? null : { serverTime: time.server_time, bootMs: time.boot_ms, bootId: time.boot_id };

export const withTime = (state: HelperState, { serverTime, bootMs, bootId }: SignedTime): HelperState => ({
  ...state,
  time: { server_time: serverTime, boot_ms: Math.floor(bootMs), boot_id: bootId },
});

/** The folder must be root's alone. @throws helper_surroundings_unsafe */
export function assertOwnFolder(dir: string): void {
  assertRootsWay(dir);
  const stat = lstatSync(dir);
  if (stat.isDirectory() && stat.uid === ROOT && (stat.mode & OTHERS) === 0) return;
  throw new AgentError('helper_surroundings_unsafe', "the state folder of the helpers is not root's alone", {
    place: dir,
  });
}

/**
 * Reads the state. Where only this file is missing beside others of root's, it is `lost`.
 *
 * @throws helper_state_damaged, helper_state_too_new, helper_surroundings_unsafe
 */
export function readHelperState(dir: string): HelperState {
  const place = join(dir, STATE_FILE);
  const text = readOwn(place, MAX_STATE_BYTES);
  if (text !== null) return parseHelperState(text, place);
  const others = [...Object.keys(HELD_DOCUMENTS).map((name) => `${name}.json`), BEFORE_FILE];
  return { ...EMPTY, lost: others.some((name) => existsSync(join(dir, name))) };
}

const NEWER_SCHEMA = /^compliance-agent\/helper-state\/v(?:[2-9]|[1-9]\d+)$/;

/** Pure. Fields that are not known are kept. @throws helper_state_damaged, helper_state_too_new */
export function parseHelperState(text: string, place: string): HelperState {
  let value: unknown;
  try {
    value = JSON.parse(text);
    return v.parse(stateSchema, value);
  } catch (cause) {
    const schema = (value as { schema?: unknown } | null | undefined)?.schema;
    if (typeof schema === 'string' && NEWER_SCHEMA.test(schema)) {
      const sentence =
        'a newer version of the agent keeps the state of the helpers in a form that this one does not know';
      throw new AgentError('helper_state_too_new', sentence, { place, cause });
    }
    throw new AgentError('helper_state_damaged', 'the state of the helpers does not fit its schema', { place, cause });
  }
}

/** What heals, and what could be tricked by what was forgotten, waits. @throws helper_state_lost */
export function assertNotLost({ lost }: Pick<HelperState, 'lost'>, dir: string): void {
  if (!lost) return;
  const sentence =
    'what the helpers remember was lost beside what they hold: they begin anew with a synchronised clock';
  throw new AgentError('helper_state_lost', sentence, { place: join(dir, STATE_FILE) });
}

/** Begun anew at T: no order and no authorisation from before then counts. */
export const recovered = (state: HelperState, now: number): HelperState => ({
  ...state,
  lost: false,
  heal: { ...EMPTY_LEDGER, remembers_from: now + 1 },
});

export function writeHelperState(dir: string, state: HelperState): void {
  writeFileAtomic(join(dir, STATE_FILE), `${JSON.stringify(state)}\n`);
}

/** @throws helper_state_damaged, helper_surroundings_unsafe */
export function readHeldLines(dir: string): HeldLines {
  const line = (name: keyof HeldLines): string | null =>
    readOwn(join(dir, `${name}.json`), HELD_DOCUMENTS[name].maxBytes);
  return {
    root: line('root'),
    revocations: line('revocations'),
    content: line('content'),
    policy: line('policy'),
    binding: line('binding'),
  };
}

/** The root last: what is signed under it is there before it counts, and a run that was cut off is simply done again. */
export function writeHeldLines(dir: string, before: HeldLines, after: HeldLines): void {
  for (const name of ['binding', 'revocations', 'content', 'policy', 'root'] as const) {
    const line = after[name];
    if (line !== null && line !== before[name]) writeFileAtomic(join(dir, `${name}.json`), `${line}\n`);
  }
}

function readOwn(path: string, maxBytes: number): string | null {
  if (!existsSync(path)) return null;
  try {
    return readUnforgeableFile(path, maxBytes, ROOT).toString('utf8').replace(/\n$/, '');
  } catch (error) {
    if (!isAgentError(error)) throw error;
    const code = error.code === 'file_permissions' ? 'helper_surroundings_unsafe' : 'helper_state_damaged';
    throw new AgentError(code, error.message, { place: path, cause: error });
  }
}
