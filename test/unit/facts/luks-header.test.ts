import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { headerBytes, parseLuksHeader } from '../../../agent/facts/luks-header.ts';

const recorded = (name: string): Buffer =>
  readFileSync(join(import.meta.dirname, `../../fixtures/facts/luks/${name}.header`));
const luks1 = recorded('luks1');
const luks2 = recorded('luks2-tpm2-recovery');
const cipher = { cipher: 'aes-xts-plain64', keyBits: 512 };

describe('the reader of LUKS headers', () => {
  it('reads recorded headers of cryptsetup', () => {
    expect(parseLuksHeader(luks1)).toEqual({ ...cipher, version: 1, keySlots: 1, tpm2: false, recoverySlots: 0 });
    expect(parseLuksHeader(luks2)).toEqual({ ...cipher, version: 2, keySlots: 2, tpm2: true, recoverySlots: 1 });
  });

  it('needs 4 KiB to say how long a header is, and as much as the header says', () => {
    expect([headerBytes(luks1), headerBytes(luks2), headerBytes(luks2.subarray(0, 4_095))]).toEqual([
      4_096,
      16_384,
      null,
    ]);
    expect(parseLuksHeader(luks2.subarray(0, 16_383))).toBe('damaged');
  });

  it('finds any changed byte of a LUKS2 header', () => {
    // SHA-256 fills half of the field for the checksum; the other half is nobody's.
    const isUnused = (at: number): boolean => at >= 480 && at < 512;
    fc.assert(
      fc.property(
        fc.nat(luks2.length - 1).filter((at) => !isUnused(at)),
        fc.integer({ min: 1, max: 255 }),
        (at, change) => {
          const bytes = Buffer.from(luks2);
          bytes[at] = (bytes[at] ?? 0) ^ change;
          // In the first bytes it may be no header any more, or one of another version.
          expect(typeof parseLuksHeader(bytes)).toBe('string');
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('a slot of LUKS1 that is neither used nor free is damage', () => {
    const bytes = Buffer.from(luks1);
    bytes.writeUInt32BE(7, 208);
    expect(parseLuksHeader(bytes)).toBe('damaged');
  });

  it('a version that nobody knows is damage, and other bytes are no header', () => {
    const bytes = Buffer.from(luks2);
    bytes.writeUInt16BE(3, 6);
    expect(parseLuksHeader(bytes)).toBe('damaged');
    expect(parseLuksHeader(Buffer.alloc(0))).toBe('none');
    expect(parseLuksHeader(Buffer.alloc(8_192))).toBe('none');
  });

  it('never throws, whatever follows the magic', () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 2), fc.uint8Array({ minLength: 5_000, maxLength: 5_000 }), (version, noise) => {
        const bytes = Buffer.from(noise);
        luks2.copy(bytes, 0, 0, 6);
        bytes.writeUInt16BE(version, 6);
        expect(parseLuksHeader(bytes)).not.toBe('none');
      }),
    );
  });
});
