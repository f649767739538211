// What the daemon's probes and jobs read from, and what only the daemon knows.
import { watchOf } from '../checks/watch.ts';
import { validityOf } from '../identity/renewal.ts';
import type { ProbeContext } from '../facts/probe.ts';
import { ROOT_FACTS_DIR } from '../facts/root-facts.ts';
import type { DaemonContext } from './context.ts';

/** Each probe has this long; the checks' stage as a whole twice that (design: 10 s each, in parallel). */
export const PROBE_DEADLINE_MS = 10_000;

/** SQLite's check reads the whole file, so it is asked once at start and then once a day. */
const DATABASE_CHECK_EVERY_MS = 86_400_000;

function databaseCheck({ state, store, clock }: DaemonContext): string {
  const now = clock.monoMs();
  if (state.databaseCheck === null || now - state.databaseCheck.atMs >= DATABASE_CHECK_EVERY_MS) {
    state.databaseCheck = { said: store.pragmaCheck(), atMs: now };
  }
  return state.databaseCheck.said;
}

/** Null before enrolment; one that cannot be read has no life left. */
function heldCertificate({ store }: DaemonContext): Exclude<ProbeContext['certificate'], undefined> {
  const pem = store.trust.identity()?.certificatePem;
  return pem === undefined ? null : (validityOf(pem) ?? { notBefore: 0, notAfter: 0 });
}

export function daemonProbeContext(context: DaemonContext, signal: AbortSignal): ProbeContext {
  const { state } = context;
  return {
    exec: context.exec,
    clock: context.clock,
    stateDir: context.config.state_dir,
    keyFiles: [...context.keyFiles],
    pid: process.pid,
    deadlineMs: PROBE_DEADLINE_MS,
    rootFacts: { dir: ROOT_FACTS_DIR, agentVersion: context.build.version },
    watch: watchOf(context.checks.baseline),
    signal,
    databaseCheck: databaseCheck(context),
    certificate: heldCertificate(context),
    skewMs: state.clockOffsetMs === null ? null : -state.clockOffsetMs,
  };
}
