// Keeps the client certificate in date: renews it at two thirds of its life, and recovers one that lapsed while the box was
// off or Central Command away. Tried for ever with growing pauses; nothing else waits for it.
import { join } from 'node:path';
import { isAgentError } from '../../errors/agent-error.ts';
import type { AgentError } from '../../errors/agent-error.ts';
import type { DateJudge } from '../../https/judged-dates.ts';
import { countingBytes } from '../../https/counting-bytes.ts';
import { acceptedCas } from '../../identity/central-cas.ts';
import { recoverCertificate, renewCertificate } from '../../identity/certificate-request.ts';
import { loadDeviceSigner, type DeviceKeys } from '../../identity/keys.ts';
import { decideRenewal, validityOf, type Validity } from '../../identity/renewal.ts';
import type { EnrolledIdentity } from '../../store/open-store.ts';
import { timeT } from '../../trust/signed-time.ts';
import type { Enrolled } from '../agent-state.ts';
import { centralClient } from '../central-client.ts';
import type { DaemonContext } from '../context.ts';
import { openedEpoch } from '../epoch-state.ts';
import { judgeOfDates, mayRecoverTime } from '../judge-of-dates.ts';
import type { Stage } from '../stage.ts';

/** How often it is looked whether a certificate is due, and the first pause after a failure. */
const LOOK_MS = 5_000;
const LONGEST_PAUSE_MS = 900_000;
/** Two requests of 20 s and a handshake each. */
const DEADLINE_MS = 60_000;
const DAY_MS = 86_400_000;

interface Held {
  readonly pem: string;
  readonly validity: Validity | null;
  readonly random: number;
}

export function certificateStage(context: DaemonContext): Stage {
  const { state, store, clock, ids, config } = context;
  let held: Held | null = null;
  /** A refusal that was there when the certificate in use came: it was about the one before. */
  let answered: AgentError | null = null;

  const look = (identity: EnrolledIdentity): Held => {
    const pem = identity.certificatePem;
    if (held?.pem !== pem) held = { pem, validity: validityOf(pem), random: ids.random() };
    return held;
  };

  return {
    name: 'certificate',
    wanted: () => state.enrolled !== null,
    intervalMs: () => Math.min(LOOK_MS, config.poll_interval_s * 1_000),
    jittered: true,
    deadlineMs: DEADLINE_MS,
    longestPauseMs: () => LONGEST_PAUSE_MS,
    async run(signal, runId) {
      const { enrolled } = state;
      if (enrolled === null) return;
      const identity = store.trust.identity() ?? enrolled.identity;
      const { validity, random } = look(identity);
      const nowT = timeT(store.trust.signedTime(), clock.bootMs(), clock.bootId());
      const refusal = state.checkinError === answered ? null : state.checkinError;
      const decision = decideRenewal({ held: validity, nowT, refusal, random });
      if (decision === 'keep') {
        state.certificateError = null;
        return;
      }
      try {
        await replaceCertificate(decision, { enrolled, identity, nowT }, context, signal, runId);
      } catch (error) {
        if (isAgentError(error) && !signal.aborted) state.certificateError = error;
        throw error;
      }
      state.certificateError = null;
      answered = state.checkinError;
      if (decision === 'recover') context.trigger('checkin');
    },
  };
}

/** Central Command knows the key of an epoch once it has bound it; until then the one before counts. */
function boundKeys({ store, keys, config }: DaemonContext): DeviceKeys {
  const opened = openedEpoch(store);
  if (opened?.status !== 'unbound') return keys;
  const before = loadDeviceSigner(join(config.state_dir, 'keys'), opened.epoch - 1);
  return before === null ? keys : { ...keys, signer: before };
}

async function replaceCertificate(
  decision: 'renew' | 'recover',
  { enrolled, identity, nowT }: { enrolled: Enrolled; identity: EnrolledIdentity; nowT: number | null },
  context: DaemonContext,
  signal: AbortSignal,
  runId: string,
): Promise<void> {
  const { store, clock, ids } = context;
  const keys = boundKeys(context);
  const { root } = enrolled.trust.root();
  // A connection of its own: a failure drops it, and check-ins share nothing with it.
  const shown = decision === 'renew' ? identity.certificatePem : null;
  // Without any time a certificate could not be had, and without a certificate no time. What comes back is a challenge, and a
  // certificate that vouches for itself.
  const dates = (): DateJudge =>
    decision === 'recover' && mayRecoverTime(context) ? { by: 'nobody' } : judgeOfDates(context);
  const https = countingBytes(centralClient(context, identity, root, shown, dates), ({ sent, received }) => {
    store.uplink.addBytes(sent, received, Math.floor(clock.wallMs() / DAY_MS));
  });
  try {
    const ask = decision === 'renew' ? renewCertificate : recoverCertificate;
    const ours = { ...identity, ...acceptedCas(identity, root) };
    const pem = await ask({ https, clock, ids, keys, identity: ours, nowT }, signal, runId);
    // A check-in may have changed the rest of it meanwhile.
    const next = { ...(store.trust.identity() ?? identity), certificatePem: pem };
    const client = centralClient(context, next, enrolled.trust.root().root, pem);
    store.unit(() => store.trust.saveIdentity(next));
    enrolled.https.swap(client);
  } finally {
    await https.close();
  }
  const log = context.log.child({ run_id: runId, stage: 'certificate' });
  log.info(decision === 'renew' ? 'certificate renewed' : 'certificate recovered');
}
