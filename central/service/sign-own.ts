import { AgentError, isAgentError } from '../../agent/errors/agent-error.ts';
import { signDocument, type DocumentOf } from '../../agent/wire/document.ts';
import type { Envelope, Signer } from '../../agent/wire/dsse.ts';
import type { DocumentName } from '../../agent/wire/schemas/payload-types.ts';

/**
 * Signs a document that Central Command composes itself. That it does not fit its schema is our defect, never the fault of
 * whoever asked.
 *
 * @throws internal
 */
export function signOwn<N extends DocumentName>(name: N, value: DocumentOf<N>, signer: Signer): Envelope {
  try {
    return signDocument(name, value, [signer]);
  } catch (cause) {
    if (!isAgentError(cause)) throw cause;
    throw new AgentError('internal', `a ${name} could not be composed: ${cause.message}`, { cause });
  }
}
