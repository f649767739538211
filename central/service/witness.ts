// The witness (C2SP tlog-witness): cosigns a log's checkpoint only where it continues the one that was cosigned before. What
// is cosigned is on the disk before the cosignature leaves; what is refused is kept, for it is signed proof.
import { isAgentError } from '../../agent/errors/agent-error.ts';
import type { ErrorCode } from '../../agent/errors/codes.ts';
import { openCosigned } from '../../agent/trust/cosigned-checkpoint.ts';
import { parseAddCheckpoint, type AddCheckpoint } from '../../agent/wire/add-checkpoint.ts';
import { openCheckpoint, type Checkpoint } from '../../agent/wire/checkpoint.ts';
import { cosign } from '../../agent/wire/cosignature.ts';
import { verifyConsistency } from '../../agent/wire/merkle.ts';
import { encodeNote, encodeSignatureLine, type Note } from '../../agent/wire/note.ts';
import type { WitnessVerdict } from '../../agent/wire/schemas/checkin.ts';
import type { BindingRow } from '../store/appliance-table.ts';
import type { AlarmKind } from '../store/alarm-table.ts';
import type { WitnessedRow } from '../store/witness-table.ts';
import type { Central } from './central.ts';

type Parts = Pick<Central, 'store' | 'trust' | 'keys' | 'now'>;

export interface WitnessQuestion {
  /** Body of add-checkpoint as the appliance sent it. */
  readonly witness_request: string | null;
  readonly last_cosigned: string | null;
}

type Judged =
  | { readonly verdict: 'consistent'; readonly note: Note; readonly checkpoint: Checkpoint }
  | { readonly verdict: 'stale' }
  | { readonly verdict: 'refused'; readonly code: ErrorCode };

/**
 * The verdict on one request of the appliance behind `binding`; null where it asks nothing. Reads and writes in one
 * transaction that holds the write lock from its start, so of two requests at once the second meets what the first left.
 */
export function witness(central: Parts, binding: BindingRow, question: WitnessQuestion): WitnessVerdict | null {
  const { store } = central;
  return store.unit(() => {
    if (question.last_cosigned !== null) adopt(central, binding, question.last_cosigned);
    const { witness_request: body } = question;
    if (body === null) return null;
    const latest = store.witness.latest(binding.origin);
    const judged = judge(binding, body, latest);
    switch (judged.verdict) {
      case 'consistent':
        return cosigned(central, judged);
      case 'stale':
        return latest === null ? refused('witness_stale', null) : { verdict: 'stale', latest: latest.note };
      case 'refused':
        keepProof(central, binding, body, judged.code, latest);
        return refused(judged.code, latest);
    }
  });
}

/** Pure. In the order of C2SP tlog-witness: the signature, the sizes, the root at one size, the proof. */
function judge(binding: BindingRow, body: string, latest: WitnessedRow | null): Judged {
  const read = attempt(() => {
    const request = parseAddCheckpoint(body);
    const log = { origin: binding.origin, spki: binding.device_spki };
    return { request, ...openCheckpoint(request.checkpoint, log) };
  });
  if (read === null || read.request.oldSize > read.checkpoint.size) {
    return { verdict: 'refused', code: 'witness_request_invalid' };
  }
  const { checkpoint } = read;
  const root = checkpoint.root.toString('hex');
  if (latest !== null && checkpoint.size < latest.size) return { verdict: 'refused', code: 'log_rewound' };
  if (latest !== null && checkpoint.size === latest.size && root !== latest.root) {
    return { verdict: 'refused', code: 'log_forked' };
  }
  if (read.request.oldSize !== (latest?.size ?? 0)) return { verdict: 'stale' };
  return continues(read.request, checkpoint, latest)
    ? { verdict: 'consistent', ...read }
    : { verdict: 'refused', code: 'proof_invalid' };
}

function continues({ proof }: AddCheckpoint, checkpoint: Checkpoint, latest: WitnessedRow | null): boolean {
  if (latest === null || latest.size === 0) return proof.length === 0;
  return verifyConsistency(latest.size, Buffer.from(latest.root, 'hex'), checkpoint.size, checkpoint.root, proof);
}

/** Signs inside the transaction: a signature whose checkpoint is not committed never leaves this function's caller. */
function cosigned(
  central: Parts,
  { note, checkpoint }: { readonly note: Note; readonly checkpoint: Checkpoint },
): WitnessVerdict {
  const { store, keys, trust } = central;
  const now = central.now();
  const line = cosign(note.text, trust.root().root.witness_name, keys.witness, now);
  const [own] = note.signatures;
  const signatures = own === undefined ? [line] : [own, line];
  store.witness.save({
    origin: checkpoint.origin,
    size: checkpoint.size,
    root: checkpoint.root.toString('hex'),
    note: encodeNote({ text: note.text, signatures }),
    at: now,
  });
  return { verdict: 'cosigned', cosignature: `${encodeSignatureLine(line)}\n` };
}

const refused = (code: ErrorCode, latest: WitnessedRow | null): WitnessVerdict => ({
  verdict: 'refused',
  latest: latest?.note ?? null,
  code,
});

/**
 * After a backup was put back, the appliances know what was cosigned since. Only a note under our own cosignature counts,
 * so an appliance cannot move us forwards by itself.
 */
function adopt(central: Parts, binding: BindingRow, source: string): void {
  const { store, trust } = central;
  const shown = attempt(() =>
    openCosigned(trust.root().root, source, { origin: binding.origin, spki: binding.device_spki }),
  );
  if (shown === null || shown.witnessedAt === null) return;
  const { size } = shown.checkpoint;
  const root = shown.checkpoint.root.toString('hex');
  const latest = store.witness.latest(binding.origin);
  if (latest !== null && size < latest.size) return;
  if (latest !== null && size === latest.size) {
    if (root !== latest.root) keepProof(central, binding, source, 'log_forked', latest);
    return;
  }
  store.witness.save({ origin: binding.origin, size, root, note: source, at: shown.witnessedAt });
  const detail = `${size} entries were cosigned before; this Central Command knew of ${latest?.size ?? 0}`;
  store.alarms.raise('witness_set_back', binding.origin, detail, central.now());
}

function keepProof(
  central: Parts,
  binding: BindingRow,
  body: string,
  code: ErrorCode,
  latest: WitnessedRow | null,
): void {
  const { store } = central;
  const at = central.now();
  store.witness.keepRefused({ origin: binding.origin, code, body, latest: latest?.note ?? null, at });
  store.alarms.raise(ALARMS[code] ?? 'witness_refused', binding.origin, code, at);
}

const ALARMS: Readonly<Partial<Record<ErrorCode, AlarmKind>>> = {
  log_rewound: 'log_rewound',
  log_forked: 'log_forked',
};

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (isAgentError(error) && error.code !== 'internal') return null;
    throw error;
  }
}
