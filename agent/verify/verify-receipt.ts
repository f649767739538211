// Receipts: Central Command's signed word that entries are stored.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { openDocument, readSource, type Opened } from '../trust/open-document.ts';
import { verifyStrict } from '../trust/verify-signature.ts';
import { parseDocument, payloadDigest } from '../wire/document.ts';
import { pae } from '../wire/dsse.ts';
import type { Root } from '../wire/schemas/root.ts';

export interface ReceiptOptions {
  /** The receipt must be for this log. */
  readonly origin?: string;
  /** Hex root of our own log at a size; null where it is not that long. The receipt must name the same. */
  readonly rootAt?: (size: number) => string | null;
  /** Keys that count for nothing, whatever the root says of them. */
  readonly revokedKeyids?: ReadonlySet<string>;
  readonly place?: string;
}

/**
 * Opens a receipt signed by the `receipt` role, or by a retired key of it while that key was valid.
 *
 * @throws as openDocument; receipt_mismatch
 */
export function verifyReceipt(root: Root, line: string, o: ReceiptOptions = {}): Opened<'receipt'> {
  const place = o.place === undefined ? {} : { place: o.place };
  const receipt = openReceipt(root, line, { ...place, revokedKeyids: o.revokedKeyids ?? new Set() });
  const { origin, size, root: named } = receipt.value;
  if (o.origin !== undefined && origin !== o.origin) {
    throw new AgentError('receipt_mismatch', `the receipt is for the log ${origin}`, place);
  }
  if (o.rootAt !== undefined && o.rootAt(size) !== named) {
    throw new AgentError('receipt_mismatch', `the receipt names another root over ${size} entries than ours`, place);
  }
  return receipt;
}

type OpenOptions = { readonly place?: string; readonly revokedKeyids: ReadonlySet<string> };

function openReceipt(root: Root, line: string, o: OpenOptions): Opened<'receipt'> {
  try {
    return openDocument(root, 'receipt', 'receipt', line, o);
  } catch (error) {
    const byPastKey = isAgentError(error) && error.code === 'signature_invalid' ? openByPastKey(root, line, o) : null;
    if (byPastKey === null) throw error;
    return byPastKey;
  }
}

/** Root keeps retired receipt keys with the time in which they were valid, so that old receipts stay checkable. */
function openByPastKey(root: Root, line: string, o: OpenOptions): Opened<'receipt'> | null {
  const { envelope } = readSource('receipt', line, o.place);
  const data = pae(envelope.payloadType, envelope.payload);
  for (const signature of envelope.signatures) {
    const key = root.past_keys.find(
      (k) => k.role === 'receipt' && k.status === 'retired' && k.keyid === signature.keyid,
    );
    if (key === undefined || o.revokedKeyids.has(key.keyid) || !verifyStrict(key.spki, data, signature.sig)) continue;
    const value = parseDocument('receipt', envelope.payload, o.place);
    if (value.stored_at < key.valid_from || value.stored_at > key.valid_until) continue;
    return { value, payload: envelope.payload, digest: payloadDigest(envelope), persons: [], line };
  }
  return null;
}
