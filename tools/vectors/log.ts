// Vectors of Merkle trees, checkpoints and whole evidence logs.
import { sign } from 'node:crypto';
import type { ErrorCode } from '../../agent/errors/codes.ts';
import { ALERT_BODY, EPOCH_BODY, FINDING_BODY, statement } from './samples-entries.ts';
import { BINDING, ORIGIN } from './samples-enrolment.ts';
import { NOW, ROOT } from './samples-trust.ts';
import { envelope, hexDigest, leaf, replaceOnce, signedLine, treeRoot, vectorKey, type VectorKey } from './signing.ts';

const ENTRY_TYPE = 'application/vnd.in-toto+json';
const ZEROS = '0'.repeat(64);
const device = vectorKey('device');

/** Roots of the trees over the lines "", "0", "01", "012" … */
export function merkleVectors(): object {
  const lines = Array.from({ length: 12 }, (_, i) => '0123456789ab'.slice(0, i));
  const leaves = lines.map(leaf);
  return {
    lines,
    leaf_hashes: leaves.map((h) => h.toString('hex')),
    /** roots[n] is the root over the first n lines. */
    roots: Array.from({ length: lines.length + 1 }, (_, n) => treeRoot(leaves.slice(0, n)).toString('hex')),
  };
}

interface LogCase {
  readonly name: string;
  readonly lines: readonly string[];
  readonly expect: 'ok' | ErrorCode;
  /** Position of the first line that does not hold. */
  readonly seq?: number;
  readonly size?: number;
  readonly root?: string;
}

/** A log of four entries that holds, and the same with one thing changed each. */
export function logVectors(): object {
  const good = logOf(4);
  const [e0, e1, e2, e3] = good as [string, string, string, string];
  const prev3 = leaf(e2).toString('hex');
  const bad = (name: string, lines: readonly string[], expect: ErrorCode, seq: number): LogCase => ({
    name,
    lines,
    expect,
    seq,
  });
  const last = (value: object, key = device): string[] => [
    e0,
    e1,
    e2,
    signedLine(ENTRY_TYPE, JSON.stringify(value), key),
  ];
  const changed = (from: string, to: string): string[] => [
    e0,
    e1,
    e2,
    signedLine(ENTRY_TYPE, replaceOnce(JSON.stringify(statement('alert', ALERT_BODY, 3, prev3)), from, to), device),
  ];
  const cases: LogCase[] = [
    { name: 'a log of four entries', lines: good, expect: 'ok', size: 4, root: rootOf(good) },
    { name: 'a log of one entry', lines: [e0], expect: 'ok', size: 1, root: rootOf([e0]) },
    bad('the first entry is gone', [e1, e2, e3], 'entry_seq', 0),
    bad('an entry in the middle is gone', [e0, e1, e3], 'entry_seq', 2),
    bad('two entries are swapped', [e0, e2, e1, e3], 'entry_seq', 1),
    bad('an entry stands twice', [e0, e1, e1, e2], 'entry_seq', 2),
    bad('the log begins twice', [e0, e0], 'entry_seq', 1),
    bad('a payload was changed', [e0, e1, tampered(e2), e3], 'signature_invalid', 2),
    bad(
      'an entry is signed by somebody else',
      last(statement('alert', ALERT_BODY, 3, prev3), vectorKey('thief')),
      'signature_invalid',
      3,
    ),
    bad(
      'another keyid beside a good signature',
      [e0, e1, e2, e3.replace(device.keyid, vectorKey('thief').keyid)],
      'signature_invalid',
      3,
    ),
    bad(
      'prev of another branch',
      last(statement('alert', ALERT_BODY, 3, hexDigest('another branch'))),
      'entry_prev',
      3,
    ),
    bad('prev of zeros', last(statement('alert', ALERT_BODY, 3, ZEROS)), 'entry_prev', 3),
    bad('a seq left out', last(statement('alert', ALERT_BODY, 4, prev3)), 'entry_seq', 3),
    bad('another site', changed('"site_id":"main-street"', '"site_id":"side-street"'), 'entry_origin', 3),
    bad('another origin', changed('main-street-1/1"', 'main-street-1/2"'), 'entry_origin', 3),
    bad('no reseller_id', changed('"reseller_id":"northern-it",', ''), 'entry_origin', 3),
    bad(
      'an end before the beginning',
      changed(`"observed_from":${NOW + 2}`, `"observed_from":${NOW + 9}`),
      'entry_time',
      3,
    ),
    bad('an unknown field', changed('"root_version"', '"mood":1,"root_version"'), 'schema_invalid', 3),
    bad('two signatures', [e0, e1, e2, twoSignatures(3, prev3)], 'entry_signature_count', 3),
    bad(
      'another payloadType',
      [
        e0,
        e1,
        e2,
        signedLine(
          'application/vnd.compliance-agent.order+json',
          JSON.stringify(statement('alert', ALERT_BODY, 3, prev3)),
          device,
        ),
      ],
      'payload_type_mismatch',
      3,
    ),
    bad('a space in a line', [e0, e1, e2, replaceOnce(e3, '"payloadType":', '"payloadType": ')], 'json_not_strict', 3),
    bad('an empty line', [e0, e1, '', e2], 'json_not_strict', 2),
    bad(
      'entry 0 without a binding',
      [signedLine(ENTRY_TYPE, JSON.stringify(statement('epoch', { status: 'confirmed' }, 0, ZEROS)), device)],
      'entry_unbound',
      0,
    ),
    bad(
      'entry 0 of another kind',
      [signedLine(ENTRY_TYPE, JSON.stringify(statement('alert', ALERT_BODY, 0, ZEROS)), device)],
      'entry_unbound',
      0,
    ),
    bad('a binding by the order key', [entry0(bindingBy(vectorKey('order')))], 'entry_unbound', 0),
    bad('a binding by a stranger', [entry0(bindingBy(vectorKey('thief')))], 'entry_unbound', 0),
    bad(
      'a binding of another device',
      [entry0(bindingBy(vectorKey('registrar'), { device_spki: vectorKey('device 2').spki }))],
      'signature_invalid',
      0,
    ),
    bad(
      'a binding whose origin is of another domain',
      [entry0(bindingBy(vectorKey('registrar'), { origin: 'logs.elsewhere.example/main-street-1/1' }))],
      'entry_unbound',
      0,
    ),
    bad(
      'entry 0 calls its provisional binding confirmed',
      [entry0(bindingBy(vectorKey('registrar'), { status: 'provisional' }))],
      'entry_unbound',
      0,
    ),
    bad(
      'a prev of entry 0 that is not zeros',
      [signedLine(ENTRY_TYPE, JSON.stringify(statement('epoch', EPOCH_BODY, 0, hexDigest(''))), device)],
      'entry_prev',
      0,
    ),
  ];
  return { trust_root: ROOT, origin: ORIGIN, cases };
}

function logOf(size: number): string[] {
  const lines: string[] = [entry0(EPOCH_BODY)];
  for (let seq = 1; seq < size; seq++) {
    const prev = leaf(lines[seq - 1]!).toString('hex');
    const value = seq === 1 ? statement('finding', FINDING_BODY, seq, prev) : statement('alert', ALERT_BODY, seq, prev);
    lines.push(signedLine(ENTRY_TYPE, JSON.stringify(value), device));
  }
  return lines;
}

function entry0(body: object): string {
  return signedLine(ENTRY_TYPE, JSON.stringify(statement('epoch', body, 0, ZEROS)), device);
}

function bindingBy(key: VectorKey, change: object = {}): object {
  const binding = envelope('application/vnd.compliance-agent.binding+json', JSON.stringify({ ...BINDING, ...change }), [
    key,
  ]);
  return { binding, status: 'confirmed' };
}

function tampered(line: string): string {
  const parsed = JSON.parse(line) as { payload: string };
  const payload = replaceOnce(Buffer.from(parsed.payload, 'base64').toString(), '"medium"', '"low"');
  return JSON.stringify({ ...parsed, payload: Buffer.from(payload).toString('base64') });
}

function twoSignatures(seq: number, prev: string): string {
  const payload = JSON.stringify(statement('alert', ALERT_BODY, seq, prev));
  return signedLine(ENTRY_TYPE, payload, device, vectorKey('thief'));
}

function rootOf(lines: readonly string[]): string {
  return treeRoot(lines.map(leaf)).toString('hex');
}

/** Checkpoints and cosignatures: whole notes, with the keys that must have signed them. */
export function checkpointVectors(): object {
  const lines = logOf(4);
  const root = Buffer.from(rootOf(lines), 'hex').toString('base64');
  const text = `${ORIGIN}\n4\n${root}\n`;
  const witness = vectorKey('witness');
  const name = ROOT.witness_name;
  const logLine = noteLine(ORIGIN, 1, device, Buffer.alloc(0), text);
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(NOW));
  const message = `cosignature/v1\ntime ${NOW}\n${text}`;
  const cosignature = noteLine(name, 4, witness, time, message);
  const note = (body: string, ...signatures: string[]): string =>
    `${body}\n${signatures.map((s) => `${s}\n`).join('')}`;
  const other = `${ORIGIN}\n5\n${root}\n`;
  const bad = (caseName: string, source: string, expect: ErrorCode) => ({ name: caseName, note: source, expect });
  return {
    log: { origin: ORIGIN, spki: device.spki },
    witness: { name, spki: witness.spki },
    cases: [
      {
        name: 'cosigned',
        note: note(text, logLine, cosignature),
        expect: 'ok',
        size: 4,
        root: rootOf(lines),
        time: NOW,
      },
      {
        name: 'with a line of an unknown key',
        note: note(text, logLine, noteLine('other.example', 1, vectorKey('thief'), Buffer.alloc(0), text), cosignature),
        expect: 'ok',
        size: 4,
        root: rootOf(lines),
        time: NOW,
      },
      bad('the size was changed', note(other, logLine, cosignature), 'signature_invalid'),
      bad('not signed by the log', note(text, cosignature), 'signature_invalid'),
      bad('not cosigned', note(text, logLine), 'signature_invalid'),
      bad(
        'the cosignature is of a message without its time',
        note(text, logLine, noteLine(name, 4, witness, time, text)),
        'signature_invalid',
      ),
      bad(
        'the cosignature says another time',
        note(text, logLine, noteLine(name, 4, witness, Buffer.alloc(8, 1), message)),
        'signature_invalid',
      ),
      bad(
        'cosigned by another key',
        note(text, logLine, noteLine(name, 4, vectorKey('thief'), time, message)),
        'signature_invalid',
      ),
      bad('no signatures', text, 'note_invalid'),
      bad('a hyphen for the dash', note(text, logLine.replace('—', '-'), cosignature), 'note_invalid'),
      bad('a size with a leading zero', signedCheckpoint(`${ORIGIN}\n04\n${root}\n`), 'note_invalid'),
      bad('a size beyond 2^53', signedCheckpoint(`${ORIGIN}\n9007199254740992\n${root}\n`), 'note_invalid'),
      bad(
        'a root of 31 bytes',
        signedCheckpoint(`${ORIGIN}\n4\n${Buffer.alloc(31).toString('base64')}\n`),
        'note_invalid',
      ),
      bad('no root', signedCheckpoint(`${ORIGIN}\n4\n`), 'note_invalid'),
      bad(
        'of another log under the name of this one',
        signedCheckpoint(`logs.elsewhere.example/a/1\n4\n${root}\n`),
        'note_invalid',
      ),
    ],
  };

  function signedCheckpoint(body: string): string {
    return note(
      body,
      noteLine(ORIGIN, 1, device, Buffer.alloc(0), body),
      noteLine(name, 4, witness, time, `cosignature/v1\ntime ${NOW}\n${body}`),
    );
  }
}

function noteLine(name: string, type: number, key: VectorKey, head: Uint8Array, message: string): string {
  const rawKey = Buffer.from(key.spki, 'base64').subarray(-32);
  const keyId = Buffer.from(
    hexDigest(Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(type), rawKey])),
    'hex',
  ).subarray(0, 4);
  const signature = sign(null, Buffer.from(message), key.privateKey);
  return `— ${name} ${Buffer.concat([keyId, head, signature]).toString('base64')}`;
}
