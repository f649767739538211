// One check-in: who asks, whether it is new, what it reports, and the signed answer.
import { AgentError, isAgentError } from '../../agent/errors/agent-error.ts';
import { maxLineBytes, parseDocument, payloadDigest } from '../../agent/wire/document.ts';
import { encodeEnvelope, pae, parseEnvelope } from '../../agent/wire/dsse.ts';
import { verifyWithNode } from '../../agent/wire/node-signature.ts';
import type { CheckinAnswer, CheckinRequest } from '../../agent/wire/schemas/checkin.ts';
import type { Succession } from '../../agent/wire/schemas/enrolment.ts';
import { DOCUMENTS } from '../../agent/wire/schemas/payload-types.ts';
import type { BindingRow } from '../store/appliance-table.ts';
import { bindSuccessor, presentedSuccession } from './bind-successor.ts';
import { buildAnswer } from './build-answer.ts';
import type { Central } from './central.ts';
import { identifyClient, type ClientCertificate } from './identify-client.ts';
import { issueAuthorised } from './issue-authorised.ts';
import { sealTargetsOrAlarm } from './seal-targets.ts';
import { signOwn } from './sign-own.ts';
import { witness } from './witness.ts';

/**
 * Verifies a request, stores what it reports and returns the signed answer line, with the targets sealed to the request's key.
 *
 * @throws what takeCheckIn throws
 */
export async function checkIn(central: Central, client: ClientCertificate, body: Uint8Array): Promise<string> {
  const { request, digest, answer } = takeCheckIn(central, client, body);
  const targets = await sealTargetsOrAlarm(central, request, digest, answer);
  const complete = targets === null ? answer : { ...answer, targets };
  return encodeEnvelope(signOwn('checkinAnswer', complete, central.keys.timestamp));
}

/** What became of a request: all that is stored is on the disk. */
export interface TakenCheckIn {
  readonly request: CheckinRequest;
  /** SHA-256 of its payload. */
  readonly digest: string;
  /** Not signed yet, and without targets. */
  readonly answer: CheckinAnswer;
}

/**
 * The part of a check-in that reads and writes the database, in one go.
 *
 * @throws identity_mismatch, signature_invalid, answer_schema_unknown, epoch_unknown, epoch_too_soon, counter_reused, the errors of openSuccession,
 *   parseEnvelope and parseDocument
 */
export function takeCheckIn(central: Central, client: ClientCertificate, body: Uint8Array): TakenCheckIn {
  const current = identifyClient(central, client);
  const { request, digest, succession } = openRequest(central, current, body);
  refuseForeignSchemas(request);
  const { store } = central;
  // One transaction for both: what the witness cosigns is on the disk, by one flush, before the answer leaves.
  const done = store.unit(() => {
    // Within the transaction: two requests at once open one epoch.
    const binding = succession === null ? current : bindSuccessor(central, current, succession, request);
    if (!record(central, binding, request)) return null;
    issueAuthorised(central, binding);
    return { binding, verdict: witness(central, binding, request) };
  });
  if (done === null) {
    store.alarms.raise('counter_reused', current.appliance_id, `boot ${request.boot_id}`, central.now());
    throw new AgentError('counter_reused', 'the counter did not rise since the last check-in of this boot');
  }
  const { binding, verdict } = done;
  const says = request.epoch_state?.status ?? null;
  return { request, digest, answer: buildAnswer(central, binding, digest, verdict, says) };
}

/** Answers that this version can write, the newest first. There is one so far. */
const ANSWER_SCHEMAS = ['compliance-agent/checkin-answer/v1'];

/** An appliance that cannot read an answer is told so, before anything of its request counts. */
function refuseForeignSchemas({ accepts }: CheckinRequest): void {
  if (ANSWER_SCHEMAS.some((schema) => accepts.includes(schema))) return;
  throw new AgentError('answer_schema_unknown', `the appliance reads no answer of ${ANSWER_SCHEMAS.join(', ')}`);
}

interface OpenedRequest {
  readonly request: CheckinRequest;
  readonly digest: string;
  /** Set where the request opens the next epoch, and it is not bound yet. */
  readonly succession: Succession | null;
}

/**
 * Signature first; only what the bound device key signed is parsed. A request under another key is parsed to see whether it
 * presents a succession of the bound one; then it counts only under the key that the succession names.
 */
function openRequest(central: Central, binding: BindingRow, body: Uint8Array): OpenedRequest {
  const envelope = parseEnvelope(body, { maxBytes: maxLineBytes('checkinRequest') });
  if (envelope.payloadType !== DOCUMENTS.checkinRequest.payloadType) {
    throw new AgentError('payload_type_mismatch', 'the body is not a check-in request');
  }
  const [signature, ...others] = envelope.signatures;
  const data = pae(envelope.payloadType, envelope.payload);
  const signedBy = (spki: string): boolean =>
    signature !== undefined && others.length === 0 && verifyWithNode(spki, data, signature.sig);
  const isBound = signedBy(binding.device_spki);
  const request = isBound ? parseDocument('checkinRequest', envelope.payload) : successorsRequest(envelope.payload);
  const succession = isBound || request === null ? null : presentedSuccession(binding, request);
  if (request === null || (!isBound && (succession === null || !signedBy(succession.new_device_spki)))) {
    refuseClosedEpoch(central, binding, signedBy);
    throw new AgentError('signature_invalid', 'the request is not signed by the device key of the appliance');
  }
  if (request.appliance_id !== binding.appliance_id || request.site_id !== binding.site_id) {
    throw new AgentError('identity_mismatch', 'the request names another appliance or site than its certificate');
  }
  if (request.epoch !== binding.epoch + (succession === null ? 0 : 1)) {
    throw new AgentError('epoch_unknown', `epoch ${request.epoch} is not bound to the appliance`);
  }
  return { request, digest: payloadDigest(envelope), succession };
}

/** Null for what is no request that opens an epoch. */
function successorsRequest(payload: Uint8Array): CheckinRequest | null {
  try {
    const request = parseDocument('checkinRequest', payload);
    return request.epoch_state?.succession === undefined ? null : request;
  } catch (error) {
    if (isAgentError(error)) return null;
    throw error;
  }
}

/** A machine whose disk was set back to before it opened an epoch: it and people should know what it is. @throws epoch_unknown */
function refuseClosedEpoch(central: Central, binding: BindingRow, signedBy: (spki: string) => boolean): void {
  const { appliances, alarms } = central.store;
  const closed = appliances.bindings(binding.appliance_id).find((row) => signedBy(row.device_spki));
  if (closed === undefined) return;
  alarms.raise('log_rewound', closed.origin, `asked after epoch ${binding.epoch} had begun`, central.now());
  throw new AgentError(
    'epoch_unknown',
    `epoch ${closed.epoch} of this appliance has ended, epoch ${binding.epoch} has begun`,
  );
}

/** Roots are published here before any appliance has them: one that is ahead was served by a database that is gone. */
function noteRootsAhead({ store, trust }: Central, applianceId: string, taken: number, now: number): void {
  const { version } = trust.root().root;
  if (taken <= version) {
    store.alarms.clear('root_set_back', applianceId, now);
    return;
  }
  const detail = `it has taken root ${taken}; root ${version} is in force here: publish the signed root ${version + 1} again, or put back a later backup`;
  store.alarms.raise('root_set_back', applianceId, detail, now);
}

/** False where the counter was used before: nothing is recorded then. */
function record(central: Central, binding: BindingRow, request: CheckinRequest): boolean {
  const { store } = central;
  const now = central.now();
  const { appliance_id: applianceId } = binding;
  const known = store.checkins.counter(applianceId, request.boot_id);
  if (known !== null && request.counter <= known) return false;
  const before = store.checkins.status(applianceId);
  if (known !== null && before !== null && before.boot_id !== request.boot_id) {
    // A boot that had ended speaks again: a restored snapshot, or two machines with one key. It is answered (a key that
    // is copied can name any boot), but people must know.
    store.alarms.raise('boot_ids_interleaved', applianceId, `boot ${request.boot_id} after ${before.boot_id}`, now);
  }
  store.checkins.saveCounter(applianceId, request.boot_id, request.counter, now);
  store.checkins.saveStatus({
    appliance_id: applianceId,
    epoch: request.epoch,
    boot_id: request.boot_id,
    order_floor: request.order_floor,
    agent_version: request.agent_version,
    root_version: request.root_version,
    content_version: request.content_version,
    policy_version: request.policy_version_applied,
    health: JSON.stringify(request.health),
    last_checkin_at: now,
    revocations_version: request.revocations_version,
  });
  for (const report of request.results) store.orders.addReport(applianceId, report, now);
  store.alarms.clear('appliance_silent', applianceId, now);
  noteRootsAhead(central, applianceId, request.root_version, now);
  const said = request.health.blocking_reason?.code;
  // It found this out by itself, from what the witness showed it.
  if (said === 'log_rewound' || said === 'log_forked') {
    store.alarms.raise(said, binding.origin, 'said by the appliance', now);
  }
  return true;
}
