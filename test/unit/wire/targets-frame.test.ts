import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeTargetsFrame, encodeTargetsFrame, targetsAad } from '../../../agent/wire/targets-frame.ts';
import { expectCode } from '../../support/expect-code.ts';
import { wireTarget } from '../../support/targets.ts';

const NOW = 1_800_000_000;

/** A frame of a header that no encoder would write. */
function frameOf(header: unknown, secrets = Buffer.alloc(0)): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([length, json, secrets]);
}
const header = (targets: unknown[]) => ({ schema: 'compliance-agent/targets/v1', expires_at: NOW, targets });
const placed = (id: string, offset: number, length: number) => ({ ...wireTarget(id), secret: { offset, length } });

describe('the frame of targets', () => {
  it('gives back what was put in, for any secrets', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 12 }), (secrets) => {
        const given = secrets.map((secret, i) => ({ target: wireTarget(`host-${i}`), secret: Buffer.from(secret) }));
        const frame = encodeTargetsFrame(NOW, given);
        const back = decodeTargetsFrame(frame);
        expect(back.expiresAt).toBe(NOW);
        expect(back.targets.map(({ secret }) => secret)).toEqual(given.map(({ secret }) => secret));
        expect(back.targets.map(({ target }) => target)).toMatchObject(given.map((g) => g.target));
      }),
    );
  });

  it('keeps the secrets out of its JSON, and copies them out of the frame', () => {
    const secret = Buffer.from('Correct Horse 4711');
    const frame = encodeTargetsFrame(NOW, [{ target: wireTarget('pc-1'), secret }]);
    const json = frame.subarray(4, 4 + frame.readUInt32BE()).toString();
    expect(json).not.toContain('Horse');
    const [back] = decodeTargetsFrame(frame).targets;
    frame.fill(0);
    expect(back?.secret.toString()).toBe('Correct Horse 4711');
  });

  it('refuses a frame that is shorter or longer than it says', () => {
    const frame = encodeTargetsFrame(NOW, [{ target: wireTarget('pc-1'), secret: Buffer.from('secret') }]);
    for (let length = 0; length < frame.length; length++) {
      expectCode(() => decodeTargetsFrame(frame.subarray(0, length)), 'targets_invalid');
    }
    expectCode(() => decodeTargetsFrame(Buffer.concat([frame, Buffer.from('x')])), 'targets_invalid');
    const huge = Buffer.from(frame);
    huge.writeUInt32BE(0xffff_ffff);
    expectCode(() => decodeTargetsFrame(huge), 'targets_invalid');
  });

  it('refuses secrets that overlap, leave gaps or stand out of order, and an id that stands twice', () => {
    const bytes = Buffer.from('abcdef');
    expect(decodeTargetsFrame(frameOf(header([placed('a', 0, 3), placed('b', 3, 3)]), bytes)).targets).toHaveLength(2);
    for (const targets of [
      [placed('a', 0, 6), placed('b', 0, 6)],
      [placed('a', 0, 2), placed('b', 3, 3)],
      [placed('a', 3, 3), placed('b', 0, 3)],
      [placed('a', 0, 3), placed('b', 3, 4)],
      [placed('a', 1, 5)],
      [placed('a', 0, 3), placed('a', 3, 3)],
    ]) {
      expectCode(() => decodeTargetsFrame(frameOf(header(targets), bytes)), 'targets_invalid');
    }
  });

  it('names the field that does not fit and nothing of what stands in it', () => {
    const wrong = header([{ ...placed('a', 0, 0), principal: 'bad\u0000S3cretInTheWrongField' }]);
    const error = expectCode(() => decodeTargetsFrame(frameOf(wrong)), 'targets_invalid');
    expect(error.details['path']).toBe('targets.0.principal');
    expect(JSON.stringify([error.message, error.details, String(error.cause)])).not.toContain('S3cret');
    expectCode(() => decodeTargetsFrame(frameOf({ ...header([]), more: 1 })), 'targets_invalid');
    expectCode(() => decodeTargetsFrame(frameOf([1.5])), 'json_not_strict');
  });

  it('binds the message to one request and the expiry of one answer', () => {
    const aad = targetsAad('ab'.repeat(32), NOW);
    expect(aad.toString('hex')).toBe(`${'ab'.repeat(32)}000000006b49d200`);
    expect(targetsAad('ab'.repeat(32), NOW + 1)).not.toEqual(aad);
  });
});
