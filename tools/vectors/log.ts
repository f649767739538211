// Vectors of Merkle trees and checkpoints.
import { sign } from 'node:crypto';
import type { ErrorCode } from '../../agent/errors/codes.ts';
import { logOf, rootOf } from './evidence/whole.ts';
import { ORIGIN } from './samples-enrolment.ts';
import { NOW, ROOT } from './samples-trust.ts';
import { hexDigest, leaf, treeRoot, vectorKey, type VectorKey } from './signing.ts';

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

export function noteLine(name: string, type: number, key: VectorKey, head: Uint8Array, message: string): string {
  const rawKey = Buffer.from(key.spki, 'base64').subarray(-32);
  const keyId = Buffer.from(
    hexDigest(Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(type), rawKey])),
    'hex',
  ).subarray(0, 4);
  const signature = sign(null, Buffer.from(message), key.privateKey);
  return `— ${name} ${Buffer.concat([keyId, head, signature]).toString('base64')}`;
}
