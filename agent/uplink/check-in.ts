// One check-in: a signed request with a fresh nonce and key, and its signed answer. Nothing of an answer is kept before all
// of it verified; then signed time, receipts and pointer are committed as one unit.
import { isAgentError } from '../errors/agent-error.ts';
import type { ErrorCode } from '../errors/codes.ts';
import { exchangeSigned, type SignedExchange } from '../identity/signed-exchange.ts';
import { AgentError } from '../errors/agent-error.ts';
import { openDocument, type Opened } from '../trust/open-document.ts';
import { nextSignedTime, type SignedTime } from '../trust/signed-time.ts';
import { envelopeFromEmbedded } from '../wire/dsse.ts';
import type { CheckinAnswer, CheckinRequest, Health } from '../wire/schemas/checkin.ts';
import type { OrderReport } from '../wire/schemas/order.ts';
import { freshHpkeKey } from '../wire/hpke.ts';
import { judgeReceipt } from './judge-receipt.ts';
import { judgeStored } from './judge-stored.ts';
import { openTargets } from './open-targets.ts';
import { nowSeconds, type UplinkDeps } from './uplink-deps.ts';
import type { UploadMark } from './upload-mark.ts';
import type { Witness, WitnessQuestion } from './witness.ts';

const CHECKIN_PATH = '/api/v1/appliances/checkin';
const NONCE_BYTES = 16;

export interface CheckinInput {
  /** Sent as X-Correlation-Id; one is made when absent. */
  readonly runId?: string;
  readonly health: Health;
  /** At most 64. */
  readonly results: readonly OrderReport[];
  readonly orderFloor: number;
  readonly contentVersion: number | null;
  readonly policyVersion: number | null;
  readonly revocationsVersion: number | null;
}

/** Something in a verified answer that contradicts our own log. */
export interface UplinkAlert {
  readonly code: ErrorCode;
  readonly sentence: string;
}

export interface CheckinResult {
  readonly answer: CheckinAnswer;
  /** The signed line that it came in. */
  readonly answerLine: string;
  readonly signedTime: SignedTime;
  /** The answer's time lies behind the one before it: only `read` orders in this cycle. */
  readonly wentBack: boolean;
  readonly bytes: { readonly sent: number; readonly received: number };
  /** Of the CA of the connection that the answer came over. */
  readonly caPin: string;
  /** Empty when Central Command holds what we hold. */
  readonly alerts: readonly UplinkAlert[];
  /** Why the targets in the answer were not taken; the ones in force stay until they expire. Null: taken, or there were none. */
  readonly targetsRefused: AgentError | null;
}

/** @throws what signed-exchange.ts names, and answer_other_appliance; nothing is persisted then */
export async function checkIn(
  d: UplinkDeps,
  mark: UploadMark,
  witness: Witness,
  input: CheckinInput,
  signal: AbortSignal,
): Promise<CheckinResult> {
  const asked = witness.ask();
  const key = freshHpkeKey();
  const question = makeRequest(d, input, asked, key.publicKey);
  const exchange = await exchangeSigned(
    { ...d, root: d.root(), revokedKeyids: d.revokedKeyids() },
    { path: CHECKIN_PATH, name: 'checkinRequest', question, correlationId: input.runId ?? d.ids.uuidv7() },
    signal,
  );
  const answer = exchange.answer.value;
  refuseOtherAppliance(d, answer);
  const kept = keep(d, mark, exchange, () => takeVerdict(d, witness, answer, asked));
  return { ...kept, targetsRefused: await openTargets(d.targets, answer, key, exchange.signedTime) };
}

/**
 * A check-in of which nothing is kept but the signed time: for a connection whose certificate nobody could judge by date. What it
 * leaves behind comes again with the next one.
 *
 * @throws what signed-exchange.ts names, and answer_other_appliance
 */
export async function askForTime(d: UplinkDeps, input: CheckinInput, signal: AbortSignal): Promise<void> {
  const nothing: WitnessQuestion = { request: null, lastCosigned: null, checkpoint: null, damage: null };
  const question = makeRequest(d, { ...input, results: [] }, nothing, freshHpkeKey().publicKey);
  const { answer, signedTime } = await exchangeSigned(
    { ...d, root: d.root(), revokedKeyids: d.revokedKeyids() },
    { path: CHECKIN_PATH, name: 'checkinRequest', question, correlationId: input.runId ?? d.ids.uuidv7() },
    signal,
  );
  refuseOtherAppliance(d, answer.value);
  d.store.unit(() => d.store.trust.saveSignedTime(nextSignedTime(d.store.trust.signedTime(), signedTime).time));
}

function refuseOtherAppliance(d: UplinkDeps, answer: Pick<CheckinAnswer, 'appliance_id'>): void {
  if (answer.appliance_id === d.identity.applianceId) return;
  throw new AgentError('answer_other_appliance', `the signed answer is for ${answer.appliance_id}`, {
    place: `${d.https.host}${CHECKIN_PATH}`,
  });
}

function makeRequest(d: UplinkDeps, input: CheckinInput, asked: WitnessQuestion, publicKey: Buffer): CheckinRequest {
  const { identity, clock } = d;
  const epochState = d.epochState?.();
  return {
    schema: 'compliance-agent/checkin-request/v1',
    accepts: ['compliance-agent/checkin-answer/v1'],
    appliance_id: identity.applianceId,
    site_id: identity.siteId,
    epoch: identity.epoch,
    // Taken from the store, so that not even a kill between two tries lets a number come twice.
    counter: d.store.uplink.nextCounter(),
    nonce: d.ids.randomBytes(NONCE_BYTES).toString('hex'),
    sent_at: nowSeconds(clock),
    boot_id: clock.bootId(),
    uptime_s: Math.floor(clock.bootMs() / 1000),
    agent_version: d.agentVersion,
    nixos_revision: d.nixosRevision,
    root_version: d.root().root.version,
    content_version: input.contentVersion,
    policy_version_applied: input.policyVersion,
    revocations_version: input.revocationsVersion,
    order_floor: input.orderFloor,
    results: [...input.results],
    witness_request: asked.request,
    last_cosigned: asked.lastCosigned,
    ...(epochState === undefined ? {} : { epoch_state: epochState }),
    hpke_public_key: publicKey.toString('base64'),
    health: input.health,
  };
}

/** An answer that was lost is no event; whatever else is not a cosignature is. */
function takeVerdict(d: UplinkDeps, witness: Witness, answer: CheckinAnswer, asked: WitnessQuestion): UplinkAlert[] {
  const outcome = witness.take(answer.witness, asked);
  // A root that we do not have yet may name another witness key; the next check-in knows.
  const tooEarly = outcome.kind === 'refused' && answer.root_version > d.root().root.version;
  const found = witness.conflict() ?? (outcome.kind === 'refused' && !tooEarly ? outcome : null);
  const damage = asked.damage === null ? [] : [{ code: 'witness_refused' as const, sentence: asked.damage }];
  return found === null ? damage : [...damage, { code: found.code, sentence: found.sentence }];
}

function keep(
  d: UplinkDeps,
  mark: UploadMark,
  exchange: SignedExchange<'checkinRequest'>,
  takeVerdict: () => UplinkAlert[],
): Omit<CheckinResult, 'targetsRefused'> {
  const { store } = d;
  const { origin, epoch } = d.identity;
  const answer = exchange.answer.value;
  const alerts: UplinkAlert[] = [];
  return store.unit(() => {
    const { time, wentBack } = nextSignedTime(store.trust.signedTime(), exchange.signedTime);
    store.trust.saveSignedTime(time);
    const pointer = store.uplink.pointer(origin);
    const pruned = store.prunes.get(epoch)?.size ?? 0;
    const { size } = store.entries.state(epoch);
    const judged = judgeStored(answer.stored, { size, pointer, pruned }, mark.rootAt);
    if (judged.lacking !== null) alerts.push({ code: 'evidence_pruned_early', sentence: judged.lacking.sentence });
    if (judged.diverged !== null) alerts.push({ code: 'evidence_diverged', sentence: judged.diverged.sentence });
    if (judged.pointer < pointer) {
      store.uplink.setPointer(origin, judged.pointer);
      d.log.warn('central command holds less than before', { from: judged.pointer, had: pointer });
    } else if (judged.pointer > pointer) {
      store.uplink.setPointer(origin, judged.pointer);
      store.uplink.unpark(origin);
      d.log.info('central command holds the pruned entries again', { from: judged.pointer, had: pointer });
    }
    for (const embedded of answer.receipts) {
      try {
        keepReceipt(d, mark, openReceipt(d, embedded));
      } catch (error) {
        if (!isAgentError(error) || error.code.startsWith('store_')) throw error;
        alerts.push({ code: error.code, sentence: `A receipt in the answer does not hold: ${error.message}.` });
      }
    }
    alerts.push(...takeVerdict());
    const { bytes, caPin } = exchange;
    return { answer, answerLine: exchange.answer.line, signedTime: time, wentBack, bytes, caPin, alerts };
  });
}

function openReceipt(d: UplinkDeps, embedded: CheckinAnswer['receipts'][number]): Opened<'receipt'> {
  return openDocument(d.root().root, 'receipt', 'receipt', envelopeFromEmbedded(embedded, 'receipt'), {
    place: 'receipt',
    revokedKeyids: d.revokedKeyids(),
  });
}

/** A receipt whose root we cannot compare is left alone: the next upload brings another. */
function keepReceipt(d: UplinkDeps, mark: UploadMark, receipt: Opened<'receipt'>): void {
  const { origin, epoch } = d.identity;
  const { value, line } = receipt;
  const { size } = d.store.entries.state(epoch);
  const root = value.size <= size ? mark.rootAt(value.size) : null;
  judgeReceipt(value, { origin, minSize: 0, size, root });
  if (root === null || value.size <= (d.store.uplink.latestReceipt(origin)?.size ?? 0)) return;
  d.store.uplink.saveReceipt({ origin, size: value.size, root: value.root, line, at: nowSeconds(d.clock) });
}
