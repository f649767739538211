import { AgentError } from '../../agent/errors/agent-error.ts';
import type { StoredKind } from '../store/document-table.ts';
import type { Central } from './central.ts';
import { identifyClient, type ClientCertificate } from './identify-client.ts';

/**
 * The bytes that a content list names by this digest.
 *
 * @throws identity_mismatch, document_unknown
 */
export function findContentFile(central: Pick<Central, 'store'>, client: ClientCertificate, sha256: string): Buffer {
  identifyClient(central, client);
  const bytes = central.store.documents.file(sha256);
  if (bytes === null) throw new AgentError('document_unknown', 'no content of that digest');
  return bytes;
}

/**
 * The signed line of a root by version, or by digest of a content list, of revocations, or of the appliance's own policy.
 *
 * @throws identity_mismatch, document_unknown
 */
export function findDocument(
  central: Pick<Central, 'store'>,
  client: ClientCertificate,
  kind: StoredKind,
  ref: string,
): string {
  const binding = identifyClient(central, client);
  const { documents } = central.store;
  const row =
    kind === 'root'
      ? documents.byVersion('root', '', Number(ref))
      : documents.byDigest(kind, kind === 'policy' ? binding.site_id : '', ref);
  if (row === null) throw new AgentError('document_unknown', `no ${kind} of that name`);
  return row.line;
}
