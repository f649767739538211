// One signed question, one signed answer: posts a document, verifies what comes back before a byte of it is used.
import { gzipSync } from 'node:zlib';
import { ANSWER_MAX_AGE_MS, judgeAnswer } from './judge-answer.ts';
import { expectAnswer } from '../https/expect-answer.ts';
import type { HttpsClient } from '../https/client.ts';
import type { Clock } from '../system/ports.ts';
import { openDocument, type Opened } from '../trust/open-document.ts';
import type { PinnedRoot } from '../trust/root.ts';
import type { SignedTime } from '../trust/signed-time.ts';
import { maxLineBytes, payloadDigest, signDocument, type DocumentOf } from '../wire/document.ts';
import { encodeEnvelope, type Signer } from '../wire/dsse.ts';

export const DSSE_MEDIA_TYPE = 'application/vnd.dsse+json';

type QuestionName = 'claim' | 'checkinRequest';
interface AnswerOf {
  claim: 'claimAnswer';
  checkinRequest: 'checkinAnswer';
}
const ANSWER_NAME: AnswerOf = { claim: 'claimAnswer', checkinRequest: 'checkinAnswer' };

export interface SignedExchange<Q extends QuestionName> {
  readonly answer: Opened<AnswerOf[Q]>;
  /** server_time, tied to the moment at which the request left: T is never behind, so nothing is taken after its expiry. */
  readonly signedTime: SignedTime;
  readonly bytes: { readonly sent: number; readonly received: number };
  /** Of the CA of the connection that it came over. */
  readonly caPin: string;
}

/**
 * Verified, in this order: transport, status and type, signature by the pinned root's `timestamp` role, strict bytes and
 * schema, request digest, age on the boot clock, lifetime.
 *
 * @throws what https/client.ts and https/expect-answer.ts name; signature_invalid, schema_invalid …; answer_…
 */
export async function exchangeSigned<Q extends QuestionName>(
  d: { https: HttpsClient; clock: Clock; signer: Signer; root: PinnedRoot; revokedKeyids?: ReadonlySet<string> },
  o: { path: string; name: Q; question: DocumentOf<Q>; correlationId: string },
  signal: AbortSignal,
): Promise<SignedExchange<Q>> {
  const envelope = signDocument(o.name, o.question, [d.signer]);
  const answerName = ANSWER_NAME[o.name];
  const bootId = d.clock.bootId();
  const sentBootMs = d.clock.bootMs();
  const line = Buffer.from(encodeEnvelope(envelope));
  // A check-in leaves every minute over lines that are paid by the byte; base64 alone adds a third.
  const packed = o.name === 'checkinRequest';
  const response = await d.https.request({
    method: 'POST',
    path: o.path,
    headers: {
      'content-type': DSSE_MEDIA_TYPE,
      ...(packed ? { 'content-encoding': 'gzip' } : {}),
      accept: DSSE_MEDIA_TYPE,
      'x-correlation-id': o.correlationId,
    },
    body: packed ? gzipSync(line) : line,
    // Whatever comes later would be refused for its age.
    deadlineMs: ANSWER_MAX_AGE_MS / 2,
    maxResponseBytes: maxLineBytes(answerName) + 1,
    signal,
  });
  const receivedBootMs = d.clock.bootMs();
  const place = `${d.https.host}${o.path}`;
  const answerLine = withoutFinalLineFeed(expectAnswer(response, { host: d.https.host, mediaType: DSSE_MEDIA_TYPE }));
  const answer = openDocument(d.root.root, 'timestamp', answerName, answerLine.toString('utf8'), {
    place,
    revokedKeyids: d.revokedKeyids,
  });
  judgeAnswer(answer.value, { requestSha256: payloadDigest(envelope), sentBootMs, receivedBootMs, place });
  return {
    answer,
    signedTime: { serverTime: answer.value.server_time, bootMs: sentBootMs, bootId },
    bytes: { sent: response.bytesSent, received: response.bytesReceived },
    caPin: response.caPin,
  };
}

/** HTTP bodies may end in one LF; the signed line itself has none. */
export function withoutFinalLineFeed(body: Buffer): Buffer {
  return body.at(-1) === 0x0a ? body.subarray(0, -1) : body;
}
