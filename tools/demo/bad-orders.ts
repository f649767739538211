// Six orders that must not be carried out, made by an attacker who holds every online key of Central Command.
import type { Signer } from '../../agent/wire/dsse.ts';
import { encodeEnvelope, parseEnvelope } from '../../agent/wire/dsse.ts';
import { encodeDocument, maxLineBytes, parseDocument, signDocument } from '../../agent/wire/document.ts';
import type { Order } from '../../agent/wire/schemas/order.ts';

export interface BadOrder {
  readonly what: string;
  /** The code that the refusal entry must carry. */
  readonly code: string;
  /** As it stands in the answer's list of orders. */
  readonly envelope: unknown;
}

/**
 * @param good an order that was carried out before, as it was issued
 * @param orderKey the online key that signs orders
 */
export function badOrders(good: string, orderKey: Signer, now: number): BadOrder[] {
  const envelope = parseEnvelope(good, { maxBytes: maxLineBytes('order') });
  const order = parseDocument('order', envelope.payload);
  let next = order.seq;
  const signed = (change: Partial<Order>): unknown => {
    next += 1;
    const times = { issued_at: now, not_before: now, expires_at: now + 600 };
    const value = { ...order, order_id: uuid(next), seq: next, ...times, ...change };
    return JSON.parse(encodeEnvelope(signDocument('order', value, [orderKey]))) as unknown;
  };
  const tampered = encodeDocument('order', { ...order, seq: order.seq + 100, order_id: uuid(99) });
  return [
    {
      what: 'tampered with after it was signed',
      code: 'order_signature_invalid',
      envelope: JSON.parse(encodeEnvelope({ ...envelope, payload: tampered })) as unknown,
    },
    {
      what: 'expired half an hour ago',
      code: 'order_expired',
      envelope: signed({ issued_at: now - 2_700, not_before: now - 2_700, expires_at: now - 1_800 }),
    },
    { what: 'carried out before and sent again', code: 'order_replayed', envelope: JSON.parse(good) as unknown },
    {
      what: 'made for another appliance',
      code: 'order_other_appliance',
      envelope: signed({ appliance_id: 'demo-clinic-2' }),
    },
    {
      what: 'of a class too low for what it does',
      code: 'order_class_too_low',
      envelope: signed({ kind: 'set_healing', params: { action: 'enable' }, class: 'routine' }),
    },
    {
      what: 'with an unsigned field beside the envelope',
      code: 'order_envelope_invalid',
      envelope: { ...(signed({}) as object), kind: 'reboot' },
    },
  ];
}

/** UUIDv7-shaped; the demo needs only that they differ. */
const uuid = (n: number): string => `019f0000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
