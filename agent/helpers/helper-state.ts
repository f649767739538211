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
const MAX_STATE_BYTES = 1_048_576;
const ROOT = 0;
const OTHERS = 0o077;

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const runs = v.pipe(v.array(v.strictObject({ boot_id: v.string(), boot_ms: whole })), v.maxLength(1_000));
const stateSchema = v.strictObject({
  schema: v.literal('compliance-agent/helper-state/v1'),
  /** The highest signed time, and the boot clock when it was taken. */
  time: v.nullable(v.strictObject({ server_time: whole, boot_ms: whole, boot_id: v.string() })),
  runs: v.strictObject(v.entriesFromList(HELPER_VERBS, v.optional(runs, []))),
  heal: v.optional(healLedgerSchema, EMPTY_LEDGER),
  /** A restored packet filter that nobody has confirmed yet. */
  firewall: v.optional(v.nullable(v.strictObject({ run: nonceHex, boot_id: v.string() })), null),
  /** Whose key is sealed in the credential; `epoch` null where it was stored before the appliance was enrolled. */
  slot: v.nullable(v.strictObject({ spki: v.string(), epoch: v.nullable(whole), sealed_with: v.string() })),
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

/** @throws helper_state_damaged, helper_surroundings_unsafe */
export function readHelperState(dir: string): HelperState {
  const text = readOwn(join(dir, STATE_FILE), MAX_STATE_BYTES);
  if (text === null) return EMPTY;
  try {
    return v.parse(stateSchema, JSON.parse(text));
  } catch (cause) {
    throw new AgentError('helper_state_damaged', 'the state of the helpers does not fit its schema', {
      place: join(dir, STATE_FILE),
      cause,
    });
  }
}

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
