// Whether a device key may be put where the sealed one lies. Pure.
import { AgentError } from '../errors/agent-error.ts';
import type { HeldDocument } from './held-trust.ts';

export interface Slot {
  readonly spki: string;
  readonly epoch: number | null;
}

/** A key is stored, and what was remembered of it is lost. */
export const UNKNOWN_SLOT = 'unknown';

/**
 * `store`: the slot is empty, or the registrar bound this very key for a later epoch. `kept`: it is the key that lies there.
 *
 * @throws helper_slot_taken
 */
export function judgeSlot(
  slot: Slot | typeof UNKNOWN_SLOT | null,
  spki: string,
  binding: HeldDocument<'binding'> | null,
): { readonly verdict: 'store' | 'kept'; readonly epoch: number | null } {
  const bound = binding?.value.device_spki === spki ? binding.value.epoch : null;
  if (slot === UNKNOWN_SLOT) {
    // Only the key that the registrar names may take the place of one that nobody remembers.
    if (bound !== null) return { verdict: 'store', epoch: bound };
    throw new AgentError('helper_slot_taken', 'a device key is stored, and no binding names this one');
  }
  if (slot !== null && slot.spki === spki) return { verdict: 'kept', epoch: bound ?? slot.epoch };
  if (slot === null) {
    if (binding === null || bound !== null) return { verdict: 'store', epoch: bound };
    throw new AgentError('helper_slot_taken', 'the key is not the one that the binding of this appliance names');
  }
  // A key that was stored before enrolment gives way to the bound one only: it never was anybody's.
  if (bound !== null && bound > (slot.epoch ?? 0)) return { verdict: 'store', epoch: bound };
  throw new AgentError(
    'helper_slot_taken',
    'another device key is stored, and no binding names this one for a later epoch',
  );
}
