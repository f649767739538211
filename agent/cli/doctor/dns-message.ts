// DNS messages (RFC 1035), as far as a diagnosis needs them: one question, addresses and aliases in the answer, the response
// code, and the reason that a filter gives (extended DNS errors, RFC 8914). Pure; what is malformed is null, never an exception.

export type RecordType = 'A' | 'AAAA';

const TYPE_NUMBER: Readonly<Record<RecordType, number>> = { A: 1, AAAA: 28 };
const CNAME = 5;
const OPT = 41;
const EDE_OPTION = 15;
const CLASS_IN = 1;
const HEADER_BYTES = 12;
const FLAG_RESPONSE = 0x8000;
const FLAG_TRUNCATED = 0x0200;
const FLAG_RECURSION_DESIRED = 0x0100;
/** What we take in one datagram (the size that DNS operators agreed on in 2020). */
const UDP_PAYLOAD_BYTES = 1_232;
/** Names may point back into the message; honest ones do so a few times. */
const MAX_POINTERS = 16;
const MAX_RECORDS = 64;
/** Text of a filter that is kept. */
const MAX_EXTRA_TEXT = 120;

const RCODES: Readonly<Record<number, string>> = {
  0: 'NOERROR',
  1: 'FORMERR',
  2: 'SERVFAIL',
  3: 'NXDOMAIN',
  4: 'NOTIMP',
  5: 'REFUSED',
};

export interface DnsAnswer {
  /** `NOERROR`, `NXDOMAIN` …, or `RCODE9`. */
  readonly rcode: string;
  /** Of the asked type, in the spelling of {@link canonicalAddress}. */
  readonly addresses: readonly string[];
  /** The answer did not fit its datagram. */
  readonly truncated: boolean;
  /** Code of an extended DNS error, null without one. */
  readonly extendedError: number | null;
  readonly extendedText: string;
}

/** A recursive query with an empty EDNS section, without which servers say no reasons. `id` is 16 bits. Null for no host name. */
export function encodeQuery(id: number, name: string, type: RecordType): Buffer | null {
  const labels = name.replace(/\.$/, '').split('.');
  if (labels.some((label) => !/^[\x21-\x7e]{1,63}$/.test(label)) || name.length > 253) return null;
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(FLAG_RECURSION_DESIRED, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(1, 10);
  const parts = labels.flatMap((label) => [Buffer.of(label.length), Buffer.from(label, 'latin1')]);
  const tail = Buffer.alloc(4);
  tail.writeUInt16BE(TYPE_NUMBER[type], 0);
  tail.writeUInt16BE(CLASS_IN, 2);
  const edns = Buffer.alloc(11);
  edns.writeUInt16BE(OPT, 1);
  edns.writeUInt16BE(UDP_PAYLOAD_BYTES, 3);
  return Buffer.concat([header, ...parts, Buffer.of(0), tail, edns]);
}

/** The answer to the query with this id, name and type; null for anything else, damaged messages included. */
export function decodeAnswer(message: Buffer, id: number, name: string, type: RecordType): DnsAnswer | null {
  if (message.length < HEADER_BYTES || message.readUInt16BE(0) !== id) return null;
  const flags = message.readUInt16BE(2);
  if ((flags & FLAG_RESPONSE) === 0 || message.readUInt16BE(4) !== 1) return null;
  const question = readName(message, HEADER_BYTES);
  if (question === null || question.name !== name.replace(/\.$/, '').toLowerCase()) return null;
  if (question.end + 4 > message.length || message.readUInt16BE(question.end) !== TYPE_NUMBER[type]) return null;
  const records = readRecords(message, question.end + 4);
  if (records === null) return null;
  const opt = records.find((record) => record.type === OPT);
  const error = opt === undefined ? null : extendedErrorOf(opt.data);
  const rcode = (flags & 0xf) | (((opt?.ttl ?? 0) >>> 24) << 4);
  return {
    rcode: RCODES[rcode] ?? `RCODE${rcode}`,
    addresses: records.flatMap((record) =>
      record.type === TYPE_NUMBER[type] ? (addressOf(record.data, type) ?? []) : [],
    ),
    truncated: (flags & FLAG_TRUNCATED) !== 0,
    extendedError: error?.code ?? null,
    extendedText: error?.text ?? '',
  };
}

interface ResourceRecord {
  readonly type: number;
  readonly ttl: number;
  readonly data: Buffer;
}

function readRecords(message: Buffer, start: number): ResourceRecord[] | null {
  const count = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  const records: ResourceRecord[] = [];
  let at = start;
  for (let i = 0; i < Math.min(count, MAX_RECORDS); i++) {
    const owner = readName(message, at);
    if (owner === null || owner.end + 10 > message.length) return null;
    const length = message.readUInt16BE(owner.end + 8);
    const data = message.subarray(owner.end + 10, owner.end + 10 + length);
    if (data.length !== length) return null;
    const type = message.readUInt16BE(owner.end);
    if (type !== CNAME) records.push({ type, ttl: message.readUInt32BE(owner.end + 4), data });
    at = owner.end + 10 + length;
  }
  return records;
}

/** A name in lower case and the place behind it; null where it leaves the message or goes round in circles. */
function readName(message: Buffer, start: number): { name: string; end: number } | null {
  const labels: string[] = [];
  let at = start;
  let end: number | null = null;
  let pointers = 0;
  for (;;) {
    const length = message[at];
    if (length === undefined) return null;
    if (length === 0) return { name: labels.join('.'), end: end ?? at + 1 };
    if ((length & 0xc0) === 0xc0) {
      const low = message[at + 1];
      if (low === undefined || ++pointers > MAX_POINTERS) return null;
      end ??= at + 2;
      at = ((length & 0x3f) << 8) | low;
      continue;
    }
    if (length > 63 || labels.length > 127) return null;
    const label = message.subarray(at + 1, at + 1 + length);
    if (label.length !== length) return null;
    labels.push(label.toString('latin1').toLowerCase());
    at += 1 + length;
  }
}

function addressOf(data: Buffer, type: RecordType): string | null {
  if (type === 'A') return data.length === 4 ? [...data].join('.') : null;
  if (data.length !== 16) return null;
  const groups = Array.from({ length: 8 }, (_, i) => data.readUInt16BE(2 * i).toString(16));
  return canonicalAddress(groups.join(':'));
}

/** One spelling per address (RFC 5952 for IPv6), so that addresses of two sources can be compared. */
export function canonicalAddress(address: string): string {
  if (!address.includes(':')) return address;
  const url = URL.parse(`http://[${address.split('%')[0] ?? ''}]/`);
  return url === null ? address : url.hostname.slice(1, -1);
}

function extendedErrorOf(options: Buffer): { code: number; text: string } | null {
  let at = 0;
  while (at + 4 <= options.length) {
    const length = options.readUInt16BE(at + 2);
    if (at + 4 + length > options.length) return null;
    if (options.readUInt16BE(at) === EDE_OPTION && length >= 2) {
      const text = options.subarray(at + 6, at + 4 + length).toString('utf8');
      return { code: options.readUInt16BE(at + 4), text: text.slice(0, MAX_EXTRA_TEXT) };
    }
    at += 4 + length;
  }
  return null;
}
