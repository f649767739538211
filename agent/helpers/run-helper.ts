// One run of one helper: alone, not too often, on files of the daemon that are read once; what came of it is left where the
// daemon can read it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { tryFileLock } from '../system/file-lock.ts';
import { writeFileAtomic } from '../system/files.ts';
import { openHandedOver, type HandedOver } from '../system/handed-over.ts';
import { KEY_CREDENTIAL } from '../system/key-credential.ts';
import { keyidOf } from '../wire/keys.ts';
import { configStick } from './config-stick.ts';
import { readDeviceKey } from './device-key.ts';
import { dropped, MAX_KEY_BYTES } from './dropped.ts';
import { GIVEN_UP_FILE, judgeGivenUp, MAX_GIVEN_UP_BYTES } from './given-up-rules.ts';
import { clockReading, type HelperDeps } from './helper-deps.ts';
import type { Acted } from './heal-acts.ts';
import { HEAL_VERBS, type HealVerb } from './heal-request.ts';
import { readHeldTrust } from './held-trust.ts';
import {
  assertNotLost,
  assertOwnFolder,
  readHelperState,
  readHeldLines,
  recovered,
  signedTimeOf,
  withTime,
  writeHeldLines,
  writeHelperState,
  type HelperState,
} from './helper-state.ts';
import type { HelperResult } from './helper-result.ts';
import { judgeClock } from './judge-clock.ts';
import { judgeRun } from './judge-run.ts';
import { judgeSlot, UNKNOWN_SLOT } from './judge-slot.ts';
import { judgeAnswer, judgeSync } from './judge-sync.ts';
import { judgeHeal, judgeRevert, type Healed, type Tell } from './run-heal.ts';
import { sealDisk } from './seal-disk.ts';
import { sealDeviceKey } from './seal-credential.ts';
import { rollBackSystem, switchSystem } from './switch-system.ts';
import { isSwitchVerb, RUN_LIMITS, STICK_VERB, DISK_VERB, type HelperVerb, type SWITCH_VERBS } from './verbs.ts';

interface Done {
  readonly state: HelperState;
  readonly outcome: Acted['outcome'];
  readonly sentence: string;
  readonly details?: HelperResult['details'];
}

/** Another helper needs a second or two; a run that waits longer than this says so. */
const LOCK_TRIES = 20;
const LOCK_PAUSE_MS = 500;
/** The kernel's clock after it was set, read back. */
const SET_WITHIN_MS = 2_000;

/**
 * Never throws for what was handed over: the result says it, and is left in the folder of results.
 *
 * @throws helper_not_root, helper_surroundings_unsafe, helper_busy, helper_state_damaged, file_…
 */
export async function runHelper(verb: HelperVerb, deps: HelperDeps): Promise<HelperResult> {
  const { places } = deps;
  if (deps.uid !== 0) throw new AgentError('helper_not_root', 'this helper works as root only');
  assertOwnFolder(places.stateDir);
  const result = await told(verb, deps);
  writeFileAtomic(join(places.resultDir, `${verb}.json`), `${JSON.stringify(result)}\n`, { mode: 0o644, sync: false });
  return result;
}

async function takeTurn({ places: { stateDir }, clock }: HelperDeps): Promise<() => void> {
  for (let left = LOCK_TRIES; left > 0; left -= 1) {
    const release = tryFileLock(join(stateDir, 'lock'));
    if (release !== null) return once(release);
    await clock.sleep(LOCK_PAUSE_MS);
  }
  throw new AgentError('helper_busy', 'another helper has been at work for ten seconds', { place: stateDir });
}

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) act();
    isDone = true;
  };
}

async function told(verb: HelperVerb, deps: HelperDeps): Promise<HelperResult> {
  const { clock } = deps;
  let about: HelperResult['details'] = {};
  const common = {
    schema: 'compliance-agent/helper-result/v1' as const,
    verb,
    at: Math.floor(clock.wallMs() / 1_000),
    boot_id: clock.bootId(),
  };
  try {
    const tell: Tell = (details) => void (about = { ...about, ...details });
    const { outcome, sentence, details = {} } = await judged(verb, deps, tell);
    return { ...common, outcome, sentence, details: { ...about, ...details } };
  } catch (error) {
    // The result in the folder is of the one that is at work then.
    if (!isAgentError(error) || error.code === 'internal' || error.code === 'helper_busy') throw error;
    const { code, message } = error;
    return { ...common, outcome: 'refused', code, sentence: message, details: about };
  }
}

async function judged(verb: HelperVerb, deps: HelperDeps, tell: Tell): Promise<Omit<Done, 'state'>> {
  if (isSwitchVerb(verb)) return verb === 'switch-system' ? switchSystem(deps, tell) : rollBackSystem(deps, tell);
  const unlock = await takeTurn(deps);
  try {
    return await worked(verb, deps, tell, unlock);
  } finally {
    unlock();
  }
}

/** `unlock`: called before what other helpers need not wait for; calling it again does nothing. */
async function worked(
  verb: CountedVerb,
  deps: HelperDeps,
  tell: Tell,
  unlock: () => void,
): Promise<Omit<Done, 'state'>> {
  const { places } = deps;
  const state = counted(verb, readHelperState(places.stateDir), deps);
  if (verb === STICK_VERB) return takeStick(deps, tell);
  if (verb === DISK_VERB) return sealDisk(forIts(verb, deps.disk), deps.exec);
  if (!WORKS_WHEN_LOST.has(verb)) assertNotLost(state, places.stateDir);
  if (!isTrustVerb(verb)) {
    const healed = judgedHeal(verb, state, deps, tell);
    if (!healed.alone) unlock();
    return healed.act();
  }
  const drop = openHandedOver(places.dropDir);
  try {
    const done = await WORK[verb](state, drop, deps);
    writeHelperState(places.stateDir, done.state);
    return done;
  } finally {
    drop.close();
  }
}

/** What is on a stick needs no trust but the root that the configuration names. */
function takeStick({ stick, clock }: HelperDeps, tell: Tell): Omit<Done, 'state'> {
  if (stick === undefined)
    throw new AgentError('usage', 'config-stick is started by its unit, which says where a stick is');
  return configStick(forIts(STICK_VERB, stick), clock, tell);
}

function forIts<T>(verb: HelperVerb, part: T | undefined): T {
  if (part === undefined) throw new AgentError('usage', `${verb} is started by its unit, which says where it works`);
  return part;
}

function judgedHeal(verb: HealVerb | 'revert-firewall', state: HelperState, deps: HelperDeps, tell: Tell): Healed {
  if (verb === 'revert-firewall') return judgeRevert(state, deps);
  const drop = openHandedOver(deps.places.dropDir);
  try {
    return judgeHeal(verb, state, drop, deps, tell);
  } finally {
    drop.close();
  }
}

/** The one that begins anew, and the way back. */
const WORKS_WHEN_LOST: ReadonlySet<HelperVerb> = new Set(['sync-trust', 'revert-firewall']);

type CountedVerb = Exclude<HelperVerb, (typeof SWITCH_VERBS)[number]>;
type TrustVerb = Exclude<CountedVerb, HealVerb | typeof STICK_VERB | typeof DISK_VERB | 'revert-firewall'>;
const isTrustVerb = (verb: CountedVerb): verb is TrustVerb =>
  verb !== 'revert-firewall' &&
  verb !== STICK_VERB &&
  verb !== DISK_VERB &&
  !(HEAL_VERBS as readonly string[]).includes(verb);

/** Counted and on the disk before anything is looked at. @throws helper_rate_limited */
function counted(verb: HelperVerb, state: HelperState, { clock, places }: HelperDeps): HelperState {
  const now = { boot_id: clock.bootId(), boot_ms: Math.floor(clock.bootMs()) };
  const next = { ...state, runs: { ...state.runs, [verb]: judgeRun(state.runs[verb], now, RUN_LIMITS[verb]) } };
  writeHelperState(places.stateDir, next);
  return next;
}

const WORK: Readonly<Record<TrustVerb, (state: HelperState, drop: HandedOver, deps: HelperDeps) => Promise<Done>>> = {
  'sync-trust': (state, drop, deps) => Promise.resolve(syncTrust(state, drop, deps)),
  'set-clock': (state, drop, deps) => Promise.resolve(setClock(state, drop, deps)),
  'store-device-key': storeDeviceKey,
};

function syncTrust(state: HelperState, drop: HandedOver, deps: HelperDeps): Done {
  const { stateDir } = deps.places;
  const before = readHeldLines(stateDir);
  const { root, news, time } = judgeSync(readHeldTrust(before), dropped(drop), {
    firstRootSha256: deps.firstRootSha256,
    known: signedTimeOf(state),
    clock: clockReading(deps),
  });
  const names = (Object.keys(news) as (keyof typeof news)[]).filter((name) => news[name] !== null);
  const after = { ...before };
  for (const name of names) after[name] = news[name];
  const known = state.heal.given_up;
  const { content } = readHeldTrust(after);
  const givenUp = judgeGivenUp(drop.read(GIVEN_UP_FILE, MAX_GIVEN_UP_BYTES), content?.value ?? null, known);
  writeHeldLines(stateDir, before, after);
  const timed = withTime(state, time);
  if (timed.lost && !deps.kernel.isSynchronised()) {
    // Without what was known, only a synchronised clock says that the answer is no old one.
    writeHelperState(stateDir, timed);
    assertNotLost(timed, stateDir);
  }
  const found = timed.lost ? recovered(timed, time.serverTime) : timed;
  const newly = givenUp.length - known.length;
  const taken = [...names, ...(newly === 0 ? [] : ['rules that were given up'])];
  return {
    state: { ...found, heal: { ...found.heal, given_up: [...givenUp] } },
    outcome: taken.length === 0 ? 'unchanged' : 'done',
    sentence: taken.length === 0 ? 'The helpers hold all that already.' : `The helpers hold new ${taken.join(', ')}.`,
    details: { root_version: root.root.version, ...(newly === 0 ? {} : { rules_given_up: newly }) },
  };
}

function setClock(state: HelperState, drop: HandedOver, deps: HelperDeps): Done {
  const { root, revoked } = readHeldTrust(readHeldLines(deps.places.stateDir));
  if (root === null) throw new AgentError('helper_root_unknown', 'the helpers hold no trust root yet');
  const clock = clockReading(deps);
  const time = judgeAnswer(root, revoked, dropped(drop).answer, { known: signedTimeOf(state), clock });
  const to = judgeClock(root, time, clock);
  deps.kernel.set(to * 1_000);
  const steppedS = to - Math.floor(clock.wallMs / 1_000);
  if (Math.abs(deps.clock.wallMs() - to * 1_000) > SET_WITHIN_MS) {
    throw new AgentError('helper_clock_failed', 'the clock was set, and shows another time');
  }
  return {
    state: withTime(state, time),
    outcome: 'done',
    sentence: `The clock was stepped by ${steppedS} s to signed time.`,
    details: { stepped_s: steppedS },
  };
}

async function storeDeviceKey(state: HelperState, drop: HandedOver, deps: HelperDeps): Promise<Done> {
  const { stateDir, credentialDir } = deps.places;
  const path = join(credentialDir, KEY_CREDENTIAL);
  const file = drop.read('device-key', MAX_KEY_BYTES);
  if (file === null) throw new AgentError('helper_input_missing', 'no device key was handed over');
  try {
    const { pem, spki } = readDeviceKey(file, 'device-key');
    const { binding } = readHeldTrust(readHeldLines(stateDir));
    const { verdict, epoch } = judgeSlot(state.slot ?? (existsSync(path) ? UNKNOWN_SLOT : null), spki, binding);
    if (verdict === 'kept' && existsSync(path) && state.slot !== null) {
      const { sealed_with } = state.slot;
      const sentence = 'That device key is stored already.';
      return {
        state: { ...state, slot: { ...state.slot, epoch } },
        outcome: 'unchanged',
        sentence,
        details: { sealed_with, keyid: keyidOf(spki) },
      };
    }
    const sealed = await sealDeviceKey(deps.exec, pem, deps.tpm);
    const next = { ...state, slot: { spki, epoch, sealed_with: sealed.with } };
    // Who is in it first: a run that is cut off here is done again with the same key, and with no other.
    writeHelperState(stateDir, next);
    writeFileAtomic(path, sealed.sealed);
    const sentence = `The device key is stored, sealed with ${sealed.with}.`;
    return { state: next, outcome: 'done', sentence, details: { sealed_with: sealed.with, keyid: keyidOf(spki) } };
  } finally {
    file.fill(0);
  }
}
