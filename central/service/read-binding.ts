import { maxLineBytes, parseDocument, payloadDigest } from '../../agent/wire/document.ts';
import { parseEnvelope } from '../../agent/wire/dsse.ts';
import type { Opened } from '../../agent/trust/open-document.ts';

/** A binding out of our own database: the registrar's signature is our own and is not verified again. */
export function readBinding({ line }: { readonly line: string }): Opened<'binding'> {
  const envelope = parseEnvelope(line, { maxBytes: maxLineBytes('binding') });
  const { payload } = envelope;
  return { value: parseDocument('binding', payload), payload, digest: payloadDigest(envelope), persons: [], line };
}
