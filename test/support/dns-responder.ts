// A real DNS server on a UDP port of this host that answers as the test says: honestly, wrongly, or not at all. Its messages
// are written here from RFC 1035 and RFC 8914, apart from the agent's own reader.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

export interface DnsReply {
  readonly rcode?: number;
  /** Of the asked type. */
  readonly addresses?: readonly string[];
  /** An alias in front of the addresses, as real zones have. */
  readonly alias?: string;
  /** Extended DNS error. */
  readonly extended?: { readonly code: number; readonly text: string };
}

/** `silent`: no answer. `garbage`: a datagram that is no answer. `forged`: an answer with another id. */
export type DnsBehaviour = DnsReply | 'silent' | 'garbage' | 'forged';

export interface DnsResponder {
  readonly port: number;
  /** `127.0.0.1:port`, as `--resolver` takes it. */
  readonly address: string;
  /** Names that were asked, with their type. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

const TYPES: Readonly<Record<number, 'A' | 'AAAA'>> = { 1: 'A', 28: 'AAAA' };

export async function startDnsResponder(
  behave: (name: string, type: 'A' | 'AAAA') => DnsBehaviour,
): Promise<DnsResponder> {
  const socket = createSocket('udp4');
  const asked: string[] = [];
  socket.on('message', (query, from) => {
    const question = readQuestion(query);
    const type = TYPES[question.type];
    if (type === undefined) return;
    asked.push(`${question.name} ${type}`);
    const does = behave(question.name, type);
    if (does === 'silent') return;
    const reply =
      does === 'garbage'
        ? Buffer.from('this is no DNS message at all')
        : answer(query, question, does === 'forged' ? { addresses: ['203.0.113.66'] } : does);
    if (does === 'forged') reply.writeUInt16BE((query.readUInt16BE(0) + 1) & 0xffff, 0);
    socket.send(reply, from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  return {
    port,
    address: `127.0.0.1:${port}`,
    asked,
    close: () => new Promise((done) => socket.close(() => done())),
  };
}

interface Question {
  readonly name: string;
  readonly type: number;
  readonly end: number;
}

function readQuestion(query: Buffer): Question {
  const labels: string[] = [];
  let at = 12;
  while (query[at] !== 0) {
    const length = query[at]!;
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.'), type: query.readUInt16BE(at + 1), end: at + 5 };
}

const nameBytes = (name: string): Buffer =>
  Buffer.concat([...name.split('.').map((l) => Buffer.concat([Buffer.of(l.length), Buffer.from(l)])), Buffer.of(0)]);

function addressBytes(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = address.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const [left, right] = [groups(head), tail === undefined ? [] : groups(tail)];
  const all = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return Buffer.from(all.map((g) => g.padStart(4, '0')).join(''), 'hex');
}

/** Owner names are a pointer to the question, as servers write them. */
function record(owner: Buffer, type: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(60, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner, fixed, data]);
}

/** The bytes of one answer to `query`. */
function answer(query: Buffer, question: Question, reply: DnsReply): Buffer {
  const pointer = Buffer.of(0xc0, 12);
  const records: Buffer[] = [];
  let owner: Buffer = pointer;
  if (reply.alias !== undefined) {
    records.push(record(pointer, 5, nameBytes(reply.alias)));
    owner = nameBytes(reply.alias);
  }
  for (const address of reply.addresses ?? []) records.push(record(owner, question.type, addressBytes(address)));
  const header: Buffer = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8180 | (reply.rcode ?? 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  const parts = [header, query.subarray(12, question.end), ...records];
  if (reply.extended !== undefined) {
    header.writeUInt16BE(1, 10);
    const text = Buffer.from(reply.extended.text);
    const option = Buffer.alloc(6);
    option.writeUInt16BE(15, 0);
    option.writeUInt16BE(2 + text.length, 2);
    option.writeUInt16BE(reply.extended.code, 4);
    parts.push(record(Buffer.of(0), 41, Buffer.concat([option, text])));
  }
  return Buffer.concat(parts);
}
