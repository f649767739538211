// Is this Central Command's word for the very entries that we hold? Pure.
import { AgentError } from '../errors/agent-error.ts';
import type { Receipt } from '../wire/schemas/checkin.ts';

/**
 * @param ours our origin, and our root at the receipt's size (null: not known)
 * @throws receipt_mismatch (other log, or a size that cannot be) | evidence_diverged (other root at the same size)
 */
export function judgeReceipt(
  receipt: Receipt,
  ours: { readonly origin: string; readonly minSize: number; readonly size: number; readonly root: string | null },
): void {
  const place = `receipt ${ours.origin} at ${receipt.size}`;
  if (receipt.origin !== ours.origin) {
    throw new AgentError('receipt_mismatch', `the receipt is for the log ${receipt.origin}`, { place });
  }
  if (receipt.size < ours.minSize || receipt.size > ours.size) {
    throw new AgentError(
      'receipt_mismatch',
      `the receipt is for ${receipt.size} entries, not for ${ours.minSize} to ${ours.size}`,
      { place, details: { size: receipt.size, min: ours.minSize, max: ours.size } },
    );
  }
  if (ours.root !== null && receipt.root !== ours.root) {
    throw new AgentError('evidence_diverged', `the receipt names another root than ours over ${receipt.size} entries`, {
      place,
      details: { size: receipt.size, ours: ours.root, theirs: receipt.root },
    });
  }
}
