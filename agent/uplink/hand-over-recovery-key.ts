// The sealed recovery key of the disk, handed to Central Command, which keeps it beside the copy on the boot partition.
import * as v from 'valibot';
import { AgentError } from '../errors/agent-error.ts';
import { expectAnswer } from '../https/expect-answer.ts';
import type { HttpsClient } from '../https/client.ts';
import { DSSE_MEDIA_TYPE } from '../identity/signed-exchange.ts';
import type { EnrolledIdentity } from '../store/open-store.ts';
import { sha256Hex } from '../wire/digest.ts';
import { signDocument } from '../wire/document.ts';
import { encodeEnvelope, type Signer } from '../wire/dsse.ts';
import { recoveryKeyTakenSchema } from '../wire/schemas/recovery-key.ts';
import { parseStrict } from '../wire/strict-json.ts';

export const RECOVERY_KEY_PATH = '/api/v1/appliances/recovery-key';
const DEADLINE_MS = 30_000;
const MAX_ANSWER_BYTES = 8_192;

export interface RecoveryKeyDeps {
  readonly https: Pick<HttpsClient, 'host' | 'request'>;
  /** The device key. */
  readonly signer: Signer;
  readonly identity: Pick<EnrolledIdentity, 'applianceId' | 'siteId'>;
}

/**
 * @param key the file in base64, and its volume
 * @returns SHA-256 of the file, which Central Command says it has on its disk
 * @throws schema_invalid where it is no file of age; response_not_expected where something else was acknowledged; what the transport throws
 */
export async function handOverRecoveryKey(
  { https, signer, identity }: RecoveryKeyDeps,
  key: { readonly sealed: string; readonly luksUuid: string | null },
  signal: AbortSignal,
  runId: string,
): Promise<string> {
  const envelope = signDocument(
    'recoveryKey',
    {
      schema: 'compliance-agent/recovery-key/v1',
      appliance_id: identity.applianceId,
      site_id: identity.siteId,
      luks_uuid: key.luksUuid,
      sealed: key.sealed,
    },
    [signer],
  );
  const response = await https.request({
    method: 'POST',
    path: RECOVERY_KEY_PATH,
    headers: { 'content-type': DSSE_MEDIA_TYPE, accept: 'application/json', 'x-correlation-id': runId },
    body: Buffer.from(encodeEnvelope(envelope)),
    deadlineMs: DEADLINE_MS,
    maxResponseBytes: MAX_ANSWER_BYTES,
    signal,
    // A check-in does not wait for it.
    lane: 'bulk',
  });
  const body = expectAnswer(response, { host: https.host, mediaType: 'application/json' });
  const taken = v.safeParse(recoveryKeyTakenSchema, parseStrict(body, { maxBytes: MAX_ANSWER_BYTES }));
  const sha256 = sha256Hex(Buffer.from(key.sealed, 'base64'));
  if (taken.success && taken.output.sha256 === sha256) return sha256;
  throw new AgentError('response_not_expected', 'another recovery key was acknowledged than the one handed over', {
    place: https.host,
  });
}
