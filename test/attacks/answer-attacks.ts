// Answers that must change nothing. Each is the honest answer to the request of that moment, changed in one thing.
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setInterval } from 'node:timers';
import type { ErrorCode } from '../../agent/errors/codes.ts';
import { encodeEnvelope, pae, parseEnvelope, signEnvelope, type Envelope, type Signer } from '../../agent/wire/dsse.ts';
import { maxLineBytes } from '../../agent/wire/document.ts';
import { onlineKeysDir } from '../../central/keys/online-keys.ts';
import type { Distortion } from '../../tools/demo/lying-central.ts';
import { CA_3, CA_4 } from '../../tools/vectors/ca-certificates.ts';
import type { AttackedSite } from './attacked-site.ts';
import { torsionSignature } from './torsion-signature.ts';

export interface AnswerAttack {
  /** Also the row of docs/threat-model.md. */
  readonly what: string;
  /** The reason that `status` names, and the cause of the alert. */
  readonly code: ErrorCode;
  readonly distortion: (attacked: AttackedSite) => Distortion;
}

const DAY_S = 86_400;
const DRIP_MS = 200;

export const openAnswer = (line: string): Envelope => parseEnvelope(line, { maxBytes: maxLineBytes('checkinAnswer') });

/** The honest answer with fields replaced, signed by the timestamp key as every answer is, or by another one. */
export function resigned(a: AttackedSite, honest: string, change: object, signer?: Signer): string {
  const envelope = openAnswer(honest);
  const value = { ...(JSON.parse(envelope.payload.toString('utf8')) as object), ...change };
  const payload = Buffer.from(JSON.stringify(value));
  return encodeEnvelope(signEnvelope(envelope.payloadType, payload, [signer ?? a.central.central.keys.timestamp]));
}

export const serverTimeOf = (honest: string): number =>
  (JSON.parse(openAnswer(honest).payload.toString('utf8')) as { server_time: number }).server_time;

export const ANSWER_ATTACKS: readonly AnswerAttack[] = [
  {
    what: 'an answer to an earlier request',
    code: 'answer_other_request',
    distortion: () => {
      let recorded: string | null = null;
      return (honest) => (recorded ??= honest);
    },
  },
  {
    what: 'an answer for another nonce',
    code: 'answer_other_request',
    distortion: (a) => (honest) => resigned(a, honest, { request_sha256: 'ab'.repeat(32) }),
  },
  {
    what: 'an answer that the order key signed',
    code: 'signature_invalid',
    distortion: (a) => (honest) => resigned(a, honest, {}, a.central.central.keys.order),
  },
  {
    what: 'an answer that the device key signed',
    code: 'signature_invalid',
    distortion: (a) => (honest) => resigned(a, honest, {}, a.device),
  },
  {
    what: 'an answer whose payload was changed',
    code: 'signature_invalid',
    distortion: () => (honest) => {
      const envelope = openAnswer(honest);
      const text = envelope.payload.toString('utf8').replace('"next_checkin_s":1', '"next_checkin_s":2');
      return encodeEnvelope({ ...envelope, payload: Buffer.from(text) });
    },
  },
  {
    what: 'an answer with a torsion component in R',
    code: 'signature_invalid',
    distortion: (a) => (honest) => {
      const envelope = openAnswer(honest);
      const key = createPrivateKey(readFileSync(join(onlineKeysDir(a.site.paths.data), 'timestamp.pem')));
      const sig = torsionSignature(key, pae(envelope.payloadType, envelope.payload));
      return encodeEnvelope({ ...envelope, signatures: [{ keyid: a.central.central.keys.timestamp.keyid, sig }] });
    },
  },
  {
    what: 'an answer for another appliance',
    code: 'answer_other_appliance',
    distortion: (a) => (honest) => resigned(a, honest, { appliance_id: 'another-box' }),
  },
  {
    what: 'an answer that is good for a day',
    code: 'answer_lifetime',
    distortion: (a) => (honest) => resigned(a, honest, { expires_at: serverTimeOf(honest) + DAY_S }),
  },
  {
    what: 'an answer with an unknown field',
    code: 'schema_invalid',
    distortion: (a) => (honest) => resigned(a, honest, { waivers: [] }),
  },
  {
    what: 'an answer with CAs of a thief',
    code: 'schema_invalid',
    distortion: (a) => (honest) => resigned(a, honest, { central_cas: [CA_3, CA_4] }),
  },
  {
    what: 'an answer with a waiver in its configuration',
    code: 'schema_invalid',
    distortion: (a) => (honest) =>
      resigned(a, honest, { config: { checkin_interval_s: 1, log_level: 'info', waivers: [{ check: 'disk' }] } }),
  },
  {
    what: 'an answer with a duplicate JSON key',
    code: 'json_not_strict',
    distortion: (a) => (honest) => {
      const envelope = openAnswer(honest);
      const text = envelope.payload.toString('utf8').replace('"orders":', '"orders":[],"orders":');
      const { timestamp } = a.central.central.keys;
      return encodeEnvelope(signEnvelope(envelope.payloadType, Buffer.from(text), [timestamp]));
    },
  },
  {
    what: 'an answer with an unsigned field beside the envelope',
    code: 'envelope_invalid',
    distortion: () => (honest) => JSON.stringify({ ...(JSON.parse(honest) as object), orders: [] }),
  },
  {
    what: 'an answer of ten million bytes',
    code: 'response_too_large',
    distortion: () => () => Buffer.alloc(10_000_000, 0x20),
  },
  {
    what: 'half an answer',
    code: 'json_not_strict',
    distortion: () => (honest) => honest.slice(0, honest.length / 2),
  },
  {
    what: 'a web page instead of an answer',
    code: 'response_not_expected',
    distortion: () => (_honest, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Sign in to the guest network</h1>');
      return null;
    },
  },
];

/** One byte at a time, without an end. */
export const dripping: Distortion = (honest, response) => {
  response.writeHead(200, { 'content-type': 'application/vnd.dsse+json' });
  let at = 0;
  const timer = setInterval(() => response.write(honest[at++ % honest.length] ?? ' '), DRIP_MS);
  response.on('close', () => clearInterval(timer));
  return null;
};
