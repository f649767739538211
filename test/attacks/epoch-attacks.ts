// Orders for a new device key or a new epoch that must not be carried out; a good one is carried out in
// test/system/rotate-device-key.test.ts. Here they begin as the disruptive order that the same run shows accepted.
import type { OrderAttack } from './order-attacks.ts';

export const EPOCH_ATTACKS: readonly OrderAttack[] = [
  {
    what: 'a new device key without an authorisation',
    code: 'order_authorisation_missing',
    order: (t) => t.read({ class: 'disruptive', kind: 'rotate_device_key', params: {} }),
  },
  {
    what: 'a new device key under an authorisation for something else',
    code: 'order_authorisation_mismatch',
    order: (t) => t.disruptive(t.fresh(), { kind: 'rotate_device_key', params: {} }),
  },
  {
    what: 'a new epoch under an authorisation to rotate the device key',
    code: 'order_authorisation_mismatch',
    order: (t) => t.disruptive(t.fresh({ kind: 'rotate_device_key', params: {} }), { kind: 'new_epoch', params: {} }),
  },
  {
    what: 'a new device key called routine',
    code: 'order_class_too_low',
    order: (t) => t.read({ kind: 'rotate_device_key', params: {}, class: 'routine' }),
  },
  {
    what: 'a new device key with one of the attacker in its parameters',
    code: 'order_params_invalid',
    order: (t) => {
      const params = { device_spki: t.k.stranger.spki };
      return t.disruptive(t.fresh({ kind: 'rotate_device_key', params }), { kind: 'rotate_device_key', params });
    },
  },
];
