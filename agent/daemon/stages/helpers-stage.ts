// Hands over to the privileged helpers what came with the check-ins, and starts their units by name. Nothing here depends on
// them: where there is no such unit, or it may not be started, it is said once and all else goes on.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { HELPER_VERBS, helperUnit, type HelperVerb } from '../../helpers/verbs.ts';
import { encodeGivenUp, GIVEN_UP_FILE } from '../../helpers/given-up-rules.ts';
import type { HelperResult } from '../../helpers/helper-result.ts';
import { keyFilesOf } from '../../identity/keys.ts';
import { holdsToken } from '../../identity/provision-files.ts';
import { nowSeconds, type DaemonContext } from '../context.ts';
import { givenUpAtHome } from '../given-up-at-home.ts';
import { openedEpoch } from '../epoch-state.ts';
import { helperResult, leaveForHelpers, type HelperFolders } from '../helper-folders.ts';
import { keepRestoreTest } from '../keep-job-results.ts';
import { diskWarning, helpersDue, inVain, isAnswered, isSealedSince, isStored, type Asked } from '../helpers-due.ts';
import type { Stage } from '../stage.ts';
import { isAnyAtWork } from '../units-at-work.ts';

const LOOK_MS = 10_000;
/** Queues the job, no more: the helpers tell the rest themselves. */
const START_MS = 20_000;
const DEADLINE_MS = 60_000;
const LONGEST_PAUSE_MS = 600_000;
/** An answer may be handed over for so long; the helpers bear with twice that. */
const FRESH_MS = 60_000;
/** The helpers read no more roots at once. */
const ROOTS_SHOWN = 16;

export function helpersStage(context: DaemonContext): Stage {
  const { folders } = context;
  const asked: Partial<Record<HelperVerb, Asked>> = {};
  const said = new Set<string>();
  let restartAsked = false;
  return {
    name: 'helpers',
    wanted: () => folders !== null,
    intervalMs: () => Math.min(LOOK_MS, context.config.poll_interval_s * 1_000),
    jittered: true,
    deadlineMs: DEADLINE_MS,
    longestPauseMs: () => LONGEST_PAUSE_MS,
    async run(signal) {
      if (folders === null) return;
      const { state, clock, store } = context;
      const results = resultsIn(folders);
      keepRestoreTest(context.config.state_dir, results['restore-test'], nowSeconds(clock));
      state.diskWarning = diskWarning(results['seal-disk']);
      const plainKeyid = plainKey(context);
      // The helpers go by the time in it, and cannot know how long it lay here.
      const isFresh = state.answerHeld !== null && clock.monoMs() - state.answerHeld.atMs <= FRESH_MS;
      const names = state.enrolled === null || !isFresh ? null : namesOf(context);
      const due = helpersDue({
        nowMs: clock.monoMs(),
        nowS: nowSeconds(clock),
        names,
        clockSynchronised: state.clockSynchronised,
        clockOffsetS: state.clockOffsetMs === null ? null : state.clockOffsetMs / 1_000,
        plainKeyid,
        enrolment: enrolmentOf(context),
        tokenLeft: !isAnswered(asked['config-stick'], results['config-stick']) && isTokenLeft(context),
        asked,
        results,
      });
      for (const verb of due) {
        handOver(verb, folders, context);
        // A unit that is at work may have read what lay there before, and cannot be started: at the next look, then.
        if (await isAnyAtWork([helperUnit(verb)], context.exec, signal)) continue;
        const handed = namesFor(verb, context, names, plainKeyid);
        const vain = inVain(handed, asked[verb], results[verb]);
        const before = results[verb]?.at ?? null;
        asked[verb] = { atMs: clock.monoMs(), atS: nowSeconds(clock), before, names: handed, inVain: vain };
        await startUnit(verb, context, said, signal);
      }
      const stored = results['store-device-key'];
      if (plainKeyid !== null && isStored(stored, plainKeyid)) {
        rmSync(join(folders.dropDir, 'device-key'), { force: true });
        // systemd hands credentials to a process that starts. Once in a boot: what did not help will not help again.
        const since = { asked: asked['store-device-key'], startedAt: context.startedAt, nowS: nowSeconds(clock) };
        if (!restartAsked && isSealedSince(stored, since) && store.orders.inStates(['started']).length === 0) {
          restartAsked = true;
          context.requestRestart('the device key is sealed');
        }
      }
    },
  };
}

const enrolmentOf = ({ state }: DaemonContext): string =>
  [state.lifecycle, state.enrolment?.code, state.enrolled?.identity.applianceId].join(' ');

/** Root's copy is not the daemon's to overwrite. */
const isTokenLeft = ({ state, config }: DaemonContext): boolean =>
  state.enrolled !== null && holdsToken(config.provision_dir);

function namesFor(verb: HelperVerb, context: DaemonContext, names: string | null, plainKeyid: string | null): string {
  if (verb === 'config-stick') return enrolmentOf(context);
  return (verb === 'store-device-key' ? plainKeyid : names) ?? '';
}

function resultsIn(folders: HelperFolders): Partial<Record<HelperVerb, HelperResult>> {
  return Object.fromEntries(
    HELPER_VERBS.flatMap((verb) => {
      const result = helperResult(folders, verb);
      return result === null ? [] : [[verb, result]];
    }),
  );
}

/** Of an epoch that the registrar has not bound, nobody else knows the key yet: it stays where it is. */
function plainKey({ keys, state, store }: DaemonContext): string | null {
  if (keys.atRest !== 'file') return null;
  const opened = openedEpoch(store);
  const unbound = opened?.status === 'unbound' && opened.epoch === state.enrolled?.identity.epoch;
  return unbound ? null : keys.signer.keyid;
}

/** Digests of all that sync-trust is shown. */
function namesOf(context: DaemonContext): string {
  const { store, state } = context;
  const documents = (['revocations', 'content', 'policy'] as const).map((kind) => store.trust.document(kind)?.digest);
  const binding = (store.trust.identity() ?? state.enrolled?.identity)?.bindingLine;
  const givenUp = givenUpAtHome(context).map(({ sha256 }) => sha256);
  return JSON.stringify([store.trust.roots().at(-1)?.digest, documents, binding, givenUp]);
}

function handOver(verb: HelperVerb, folders: HelperFolders, context: DaemonContext): void {
  const { store, state, keys } = context;
  const leave = (name: string, content: string | Buffer | null | undefined): void => {
    if (content === null || content === undefined) rmSync(join(folders.dropDir, name), { force: true });
    else leaveForHelpers(folders, name, content);
  };
  if (verb === 'store-device-key') {
    const epoch = state.enrolled?.identity.epoch ?? 1;
    const [path] = keyFilesOf(join(context.config.state_dir, 'keys'), epoch, keys.atRest);
    if (path === undefined) return;
    const pem = readFileSync(path);
    leaveForHelpers(folders, 'device-key', pem);
    pem.fill(0);
    return;
  }
  // It reads a stick, and what the status says.
  if (verb === 'config-stick') return;
  leave('answer', state.answerHeld?.line);
  if (verb === 'set-clock') return;
  leave(
    'roots',
    store.trust
      .roots()
      .slice(-ROOTS_SHOWN)
      .map((root) => root.line)
      .join('\n'),
  );
  leave('binding', (store.trust.identity() ?? state.enrolled?.identity)?.bindingLine);
  for (const kind of ['revocations', 'content', 'policy'] as const) leave(kind, store.trust.document(kind)?.line);
  leave(GIVEN_UP_FILE, encodeGivenUp(givenUpAtHome(context).map(({ bytes }) => bytes)));
}

async function startUnit(
  verb: HelperVerb,
  { exec, log }: DaemonContext,
  said: Set<string>,
  signal: AbortSignal,
): Promise<void> {
  const unit = helperUnit(verb);
  const { status, code, stderr } = await exec.run(['systemctl', 'start', '--no-block', '--no-ask-password', unit], {
    deadlineMs: START_MS,
    signal,
  });
  if (status === 'exited' && code === 0) {
    log.info('helper started', { unit });
    return;
  }
  const why = status === 'exited' ? (stderr.toString('utf8').trim().split('\n')[0] ?? '') : status;
  const line = `${unit} ${why}`;
  if (said.has(line)) return;
  said.add(line);
  log.warn('helper not started', { unit, reason: why.slice(0, 300) });
}
