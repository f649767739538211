import { maxLineBytes } from '../../agent/wire/document.ts';
import { parseEnvelope, toEmbedded } from '../../agent/wire/dsse.ts';
import type { EmbeddedEnvelope } from '../../agent/wire/schemas/primitives.ts';
import type { CheckinAnswer, WitnessVerdict } from '../../agent/wire/schemas/checkin.ts';
import type { BindingRow } from '../store/appliance-table.ts';
import type { Central } from './central.ts';

/** An answer is good for this long; the appliance itself takes it only within 60 s of its request. */
export const ANSWER_LIFE_S = 300;
/** Schema limit of an answer; issuing stops there. */
export const MAX_OUTSTANDING_ORDERS = 64;
/** Issuing also stops beyond this many bytes of outstanding orders: an answer has to hold them all. */
export const MAX_OUTSTANDING_BYTES = 1_048_576;

/**
 * What Central Command has to say to an appliance now: versions in force, the complete list of outstanding orders, what is
 * durably stored. Unsigned.
 *
 * @param requestDigest SHA-256 of the payload of the request that it answers
 * @param verdict of the witness, on that request
 * @param epochStatus what the request says of its epoch, where that is not confirmed
 */
export function buildAnswer(
  central: Pick<Central, 'store' | 'trust' | 'evidence' | 'intervals' | 'now'>,
  binding: BindingRow,
  requestDigest: string,
  verdict: WitnessVerdict | null = null,
  epochStatus: 'unbound' | 'provisional' | null = null,
): CheckinAnswer {
  const now = central.now();
  const content = central.trust.content();
  const policy = central.trust.policy(binding.site_id);
  const revocations = central.trust.revocations();
  const { size, root } = central.evidence.state(binding.origin);
  const damaged = central.evidence.damage(binding.origin) !== null;
  const receipt = damaged ? null : central.store.evidence.latestReceipt(binding.origin);
  const confirmed = epochStatus === 'provisional' ? central.store.epochs.confirmed(binding.origin) : null;
  const orders = central.store.orders.outstanding(binding.appliance_id, binding.epoch, now, MAX_OUTSTANDING_ORDERS);
  return {
    schema: 'compliance-agent/checkin-answer/v1',
    appliance_id: binding.appliance_id,
    request_sha256: requestDigest,
    server_time: now,
    expires_at: now + ANSWER_LIFE_S,
    root_version: central.trust.root().root.version,
    content: content === null ? null : { version: content.version, sha256: content.digest },
    policy: policy === null ? null : { version: policy.version, sha256: policy.digest },
    revocations: revocations === null ? null : { version: revocations.version, sha256: revocations.digest },
    config: { checkin_interval_s: central.intervals.checkinS, log_level: 'info' },
    orders: orders.map((order) => embedded(order.line, 'order')),
    witness: verdict,
    stored: { size, root },
    receipts: receipt !== null && receipt.size <= size ? [embedded(receipt.line, 'receipt')] : [],
    ...(epochStatus === 'unbound' ? { binding: embedded(binding.line, 'binding') } : {}),
    ...(confirmed === null ? {} : { confirmation: embedded(confirmed.line, 'epochConfirmation') }),
    next_checkin_s: central.intervals.checkinS,
  };
}

const embedded = (line: string, name: 'order' | 'receipt' | 'binding' | 'epochConfirmation'): EmbeddedEnvelope =>
  toEmbedded(parseEnvelope(line, { maxBytes: maxLineBytes(name) }));
