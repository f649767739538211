// Vectors of one document format: signed lines, and what must come of each.
import { sign } from 'node:crypto';
import { DOCUMENTS, type DocumentName } from '../../agent/wire/schemas/payload-types.ts';
import type { ErrorCode } from '../../agent/errors/codes.ts';
import type { Sample } from './sample.ts';
import { envelope, hexDigest, replaceOnce, signedLine, vectorKey, type VectorKey } from './signing.ts';

export interface LineCase {
  readonly name: string;
  /** The envelope's line, without LF. */
  readonly line: string;
  readonly expect: 'ok' | ErrorCode;
  /** Hex SHA-256 of the payload, for `ok`. */
  readonly digest?: string;
}

/** The file of one format. */
export function documentVectors(sample: Sample): object {
  const key = vectorKey(sample.signer);
  const type = DOCUMENTS[sample.document].payloadType;
  const payloads = Object.entries(sample.valid).map(([name, value]) => [name, JSON.stringify(value)] as const);
  const first = payloads[0]![1];
  const good = payloads.map(([name, payload]): LineCase => ({
    name,
    line: signedLine(type, payload, key),
    expect: 'ok',
    digest: hexDigest(payload),
  }));
  const bad = [...commonChanges(sample.document), ...sample.changes].map(([name, from, to, expect]): LineCase => ({
    name,
    line: signedLine(type, replaceFirst(first, from, to), key),
    expect,
  }));
  return {
    document: sample.document,
    payload_type: type,
    signer: { keyid: key.keyid, spki: key.spki },
    cases: [...good, ...bad, ...framing(sample.document, first, key)],
  };
}

/** Changes that every format must refuse, made to a payload that begins with its first field. */
function commonChanges(document: DocumentName): Sample['changes'] {
  const first = document === 'entry' ? '{"_type":' : '{"schema":';
  const version = document === 'entry' ? 'in-toto.io/Statement/v1' : `/v1",`;
  return [
    ['an unknown field', first, `{"extra":1,${first.slice(1)}`, 'schema_invalid'],
    ['an unknown field that is null', first, `{"extra":null,${first.slice(1)}`, 'schema_invalid'],
    ['the first field stands twice', first, `${first}"x",${first.slice(1)}`, 'json_not_strict'],
    ['the first field is missing', first, '{"_schema":', 'schema_invalid'],
    ['a later version of the schema', version, version.replace('v1', 'v2'), 'schema_invalid'],
    ['a space after the first name', first, `${first} `, 'json_not_strict'],
    ['a line feed before it', first, `\n${first}`, 'json_not_strict'],
    ['a byte order mark before it', first, `\ufeff${first}`, 'json_not_strict'],
    ['a bracket before it', first, `[${first}`, 'json_not_strict'],
    ['a field named __proto__', first, `{"__proto__":{},${first.slice(1)}`, 'json_not_strict'],
    [
      'a needless escape in the first name',
      first,
      first.replace('s', '\\u0073').replace('_t', '\\u005ft'),
      'json_not_strict',
    ],
  ];
}

/** What must be refused whatever the payload says. */
function framing(document: DocumentName, payload: string, key: VectorKey): LineCase[] {
  const type = DOCUMENTS[document].payloadType;
  const other = document === 'order' ? DOCUMENTS.receipt.payloadType : DOCUMENTS.order.payloadType;
  const thief = vectorKey('thief');
  const good = envelope(type, payload, [key]);
  const sig = good.signatures[0]!.sig;
  const forged = Buffer.from(payload.replace('{', '{ ')).toString('base64');
  const line = (value: object): string => JSON.stringify(value);
  return [
    { name: 'signed as another type', line: signedLine(other, payload, key), expect: 'payload_type_mismatch' },
    {
      name: 'said to be another type after it was signed',
      line: line({ ...good, payloadType: other }),
      expect: 'payload_type_mismatch',
    },
    { name: 'signed by somebody else', line: signedLine(type, payload, thief), expect: 'signature_invalid' },
    {
      name: 'signed by somebody else under this keyid',
      line: signedLine(type, payload, { ...thief, keyid: key.keyid }),
      expect: 'signature_invalid',
    },
    { name: 'changed after it was signed', line: line({ ...good, payload: forged }), expect: 'signature_invalid' },
    {
      name: 'signed without the pre-authentication encoding',
      line: line({ ...good, signatures: [{ keyid: key.keyid, sig: vectorSign(payload, key) }] }),
      expect: 'signature_invalid',
    },
    {
      name: 'an unsigned field beside the payload',
      line: line({ ...good, value: JSON.parse(payload) as object }),
      expect: 'envelope_invalid',
    },
    { name: 'no signature', line: line({ ...good, signatures: [] }), expect: 'envelope_invalid' },
    {
      name: 'a signature without padding',
      line: replaceOnce(line(good), sig, sig.replaceAll('=', '')),
      expect: 'base64_invalid',
    },
    {
      name: 'a space in the line',
      line: replaceOnce(line(good), '"payloadType":', '"payloadType": '),
      expect: 'json_not_strict',
    },
  ];
}

function vectorSign(payload: string, key: VectorKey): string {
  // An empty type and no header: what a signer does that forgets DSSE.
  return sign(null, Buffer.from(payload), key.privateKey).toString('base64');
}

/** Like replaceOnce, but at the first place: some texts stand in embedded documents too. */
function replaceFirst(text: string, from: string, to: string): string {
  const at = text.indexOf(from);
  if (at === -1) throw new Error(`"${from}" does not stand in ${text.slice(0, 200)}`);
  return text.slice(0, at) + to + text.slice(at + from.length);
}
