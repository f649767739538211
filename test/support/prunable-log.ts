// A log with receipts and cosigned checkpoints as Central Command would sign them, so that a test decides what may be pruned. For
// tests and benchmarks only.
import { logTree } from '../../agent/evidence/log-tree.ts';
import { pruneLog, type PruneDeps, type Pruned } from '../../agent/evidence/prune.ts';
import type { Store } from '../../agent/store/open-store.ts';
import { signCheckpoint } from '../../agent/wire/checkpoint.ts';
import { cosign } from '../../agent/wire/cosignature.ts';
import { encodeNote, parseNote } from '../../agent/wire/note.ts';
import type { Receipt } from '../../agent/wire/schemas/checkin.ts';
import { finding, trust, type OpenLog } from './evidence-fixtures.ts';
import { NOW } from './trust-fixtures.ts';

export const DAY_S = 86_400;
export const ORIGIN = trust.binding().origin;

/** Findings, each a change: the kind that is pruned. */
export function appendFindings({ store, log }: Pick<OpenLog, 'store' | 'log'>, count: number): void {
  store.unit(() => {
    for (let n = 0; n < count; n += 1) {
      const { observed_from: observedFrom, observed_to: observedTo, ...body } = finding({ facts: { n } });
      log.append('finding', { ...body, previous_result: null }, { observedFrom, observedTo });
    }
  });
}

export const rootAt = (store: Store, size: number): string => logTree(store, 1).rootAt(size);

/** Saves a receipt over the first `size` entries; `change` bends it before it is signed. */
export function saveReceipt(
  store: Store,
  size: number,
  storedAt: number,
  change: Partial<Receipt> = {},
  signer = trust.keys['receipt']!,
  cameIn = storedAt,
): void {
  const receipt: Receipt = {
    schema: 'compliance-agent/receipt/v1',
    origin: ORIGIN,
    size,
    root: change.root ?? rootAt(store, size),
    stored_at: storedAt,
    store: 'files',
    object_id: `object-${size}`,
    retain_until: storedAt + 7 * 365 * DAY_S,
    stored_unverified: [],
    ...change,
  };
  // As an attacker with the file would leave it: row and line agree, whatever the signature is worth.
  store.uplink.saveReceipt({
    origin: ORIGIN,
    size: receipt.size,
    root: receipt.root,
    line: trust.sign('receipt', receipt, signer),
    at: cameIn,
  });
}

/** Saves a checkpoint over the first `size` entries, cosigned unless told otherwise. */
export function saveCheckpoint(
  store: Store,
  size: number,
  o: { cosigned?: boolean; root?: string; device?: string; witness?: string } = {},
): void {
  const root = o.root ?? rootAt(store, size);
  const checkpoint = { origin: ORIGIN, size, root: Buffer.from(root, 'hex'), extensions: [] };
  const own = parseNote(signCheckpoint(checkpoint, trust.keys[o.device ?? 'device']!));
  const cosignature = cosign(own.text, trust.root.root.witness_name, trust.keys[o.witness ?? 'witness']!, NOW);
  const signatures = o.cosigned === false ? own.signatures : [...own.signatures, cosignature];
  store.checkpoints.save({ origin: ORIGIN, size, root, note: encodeNote({ text: own.text, signatures }), at: NOW });
}

export const prune = (store: Store, change: Partial<PruneDeps> = {}): Promise<Pruned> =>
  pruneLog(
    {
      store,
      identity: { origin: ORIGIN, epoch: 1 },
      deviceSpki: trust.keys['device']!.spki,
      root: trust.root.root,
      revokedKeyids: new Set(),
      rules: { keepNewest: 200, minAgeDays: 90 },
      nowT: NOW,
      wallNow: NOW,
      ...change,
    },
    new AbortController().signal,
  );

/** Entries whose lines are in the store. */
export const linesHeld = (store: Store): number[] =>
  store.entries.list(1, { limit: Number.MAX_SAFE_INTEGER }).map(({ seq }) => seq);
