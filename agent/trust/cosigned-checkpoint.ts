// Checkpoints under a trust root: signed by the log's own key, cosigned by the witness that the root names.
import { AgentError } from '../errors/agent-error.ts';
import { openCheckpoint, type Checkpoint } from '../wire/checkpoint.ts';
import { verifyCosignature } from '../wire/cosignature.ts';
import { NOTE_TYPE, signaturesBy, type Note } from '../wire/note.ts';
import type { Root } from '../wire/schemas/root.ts';

export interface CosignedCheckpoint {
  readonly checkpoint: Checkpoint;
  /** The exact note. */
  readonly source: string;
  /** When the witness last cosigned it, Unix seconds; null where it did not. */
  readonly witnessedAt: number | null;
}

interface WitnessKey {
  readonly name: string;
  readonly spki: string;
  /** Null: in use now. */
  readonly valid: { readonly from: number; readonly until: number } | null;
}

/** Keys whose cosignatures count: those of the role, and retired ones in their time. Compromised ones prove nothing. */
function witnessKeys(root: Root): WitnessKey[] {
  const { witness_name: name } = root;
  const current = root.keys.filter((key) => root.roles.witness.keyids.includes(key.keyid));
  const retired = root.past_keys.filter((key) => key.role === 'witness' && key.status === 'retired');
  return [
    ...current.map(({ spki }) => ({ name, spki, valid: null })),
    ...retired.map((key) => ({ name, spki: key.spki, valid: { from: key.valid_from, until: key.valid_until } })),
  ];
}

/**
 * Verifies a checkpoint of the log `origin` by its device key, and the cosignatures of the root's witness on it. Lines of
 * other witnesses are ignored.
 *
 * @throws note_invalid | signature_invalid (not signed by the log's key) | cosignature_invalid (a line of the root's
 *   witness does not verify)
 */
export function openCosigned(
  root: Root,
  source: string,
  log: { readonly origin: string; readonly spki: string },
  place?: string,
): CosignedCheckpoint {
  const { checkpoint, note } = openCheckpoint(source, log, place);
  const times = witnessKeys(root).flatMap((key) => timesOf(note, key, place));
  return { checkpoint, source, witnessedAt: times.length === 0 ? null : Math.max(...times) };
}

function timesOf(note: Note, key: WitnessKey, place: string | undefined): number[] {
  if (signaturesBy(note, { name: key.name, spki: key.spki, type: NOTE_TYPE.cosignature }).length === 0) return [];
  let time: number;
  try {
    time = verifyCosignature(note, key, place);
  } catch (cause) {
    throw new AgentError('cosignature_invalid', `a cosignature by ${key.name} does not verify`, {
      ...(place === undefined ? {} : { place }),
      cause,
    });
  }
  const counts = key.valid === null || (time >= key.valid.from && time <= key.valid.until);
  return counts ? [time] : [];
}
