import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeAddCheckpoint, MAX_PROOF_HASHES, parseAddCheckpoint } from '../../../agent/wire/add-checkpoint.ts';
import { signCheckpoint } from '../../../agent/wire/checkpoint.ts';
import { generateEd25519 } from '../../../agent/wire/node-signature.ts';
import { EMPTY_ROOT } from '../../../agent/wire/merkle.ts';
import { expectCode } from '../../support/expect-code.ts';

const { signer } = generateEd25519();
const checkpoint = signCheckpoint({ origin: 'log.example/a/1', size: 9, root: EMPTY_ROOT, extensions: [] }, signer);
const H = EMPTY_ROOT.toString('base64');

describe('an add-checkpoint body', () => {
  it('is "old" and the size, the proof, an empty line and the checkpoint', () => {
    expect(encodeAddCheckpoint({ oldSize: 4, proof: [EMPTY_ROOT, EMPTY_ROOT], checkpoint })).toBe(
      `old 4\n${H}\n${H}\n\n${checkpoint}`,
    );
    expect(encodeAddCheckpoint({ oldSize: 0, proof: [], checkpoint })).toBe(`old 0\n\n${checkpoint}`);
  });

  it('is read back as it was written', () => {
    const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.array(hash, { maxLength: MAX_PROOF_HASHES }), (oldSize, proof) => {
        const body = { oldSize, proof, checkpoint };
        expect(parseAddCheckpoint(encodeAddCheckpoint(body))).toEqual(body);
      }),
    );
  });

  it.each([
    ['no size', `old \n\n${checkpoint}`],
    ['a size with a leading zero', `old 01\n\n${checkpoint}`],
    ['a negative size', `old -1\n\n${checkpoint}`],
    ['a size beyond 2^53', `old 9007199254740992\n\n${checkpoint}`],
    ['another first word', `new 1\n\n${checkpoint}`],
    ['a space before the line feed', `old 1 \n\n${checkpoint}`],
    ['a hash that is no base64', `old 1\n!!\n\n${checkpoint}`],
    ['a hash of 31 bytes', `old 1\n${Buffer.alloc(31).toString('base64')}\n\n${checkpoint}`],
    ['unpadded base64', `old 1\n${H.slice(0, -1)}\n\n${checkpoint}`],
    ['too many hashes', `old 1\n${`${H}\n`.repeat(MAX_PROOF_HASHES + 1)}\n${checkpoint}`],
    ['no empty line', `old 1\n${H}`],
    ['carriage returns', `old 1\r\n\r\n${checkpoint}`],
    ['nothing', ''],
  ])('with %s is refused', (_, body) => {
    expectCode(() => parseAddCheckpoint(body), 'note_invalid');
  });
});
