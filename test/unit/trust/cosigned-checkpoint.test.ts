import { describe, expect, it } from 'vitest';
import { openCosigned } from '../../../agent/trust/cosigned-checkpoint.ts';
import { signCheckpoint } from '../../../agent/wire/checkpoint.ts';
import { cosign } from '../../../agent/wire/cosignature.ts';
import type { Signer } from '../../../agent/wire/dsse.ts';
import { encodeNote, parseNote, signNoteText } from '../../../agent/wire/note.ts';
import { EMPTY_ROOT } from '../../../agent/wire/merkle.ts';
import type { Root } from '../../../agent/wire/schemas/root.ts';
import { expectCode } from '../../support/expect-code.ts';
import { makeTrust, NOW, signerFrom } from '../../support/trust-fixtures.ts';

const DAY = 86_400;
const former = signerFrom('former witness');
const leaked = signerFrom('leaked witness');
const trust = makeTrust({
  change: (root) => {
    const past = (signer: Signer, status: 'retired' | 'compromised'): Root['past_keys'][number] => ({
      role: 'witness',
      keyid: signer.keyid,
      spki: signer.spki,
      valid_from: NOW - 10 * DAY,
      valid_until: NOW - 5 * DAY,
      status,
    });
    root.past_keys.push(past(former, 'retired'), past(leaked, 'compromised'));
  },
});
const { root } = trust.root;
const device = trust.keys['device']!;
const witness = trust.keys['witness']!;
const LOG = { origin: 'logs.northern-it.example/main-street-1/1', spki: device.spki };
const OWN = signCheckpoint({ origin: LOG.origin, size: 7, root: EMPTY_ROOT, extensions: [] }, device);

/** The checkpoint with further signature lines. */
function cosignedBy(...by: readonly (readonly [signer: Signer, at: number, name?: string])[]): string {
  const { text, signatures } = parseNote(OWN);
  const lines = by.map(([signer, at, name = root.witness_name]) => cosign(text, name, signer, at));
  return encodeNote({ text, signatures: [...signatures, ...lines] });
}

describe('a cosigned checkpoint', () => {
  it('is opened with the latest time at which the witness of the root saw it', () => {
    const source = cosignedBy([witness, NOW], [witness, NOW + 60]);
    expect(openCosigned(root, source, LOG)).toMatchObject({
      checkpoint: { origin: LOG.origin, size: 7 },
      source,
      witnessedAt: NOW + 60,
    });
  });

  it.each([
    ['nobody', OWN],
    ['a stranger under the name of the witness', cosignedBy([signerFrom('stranger'), NOW])],
    ['the witness under another name', cosignedBy([witness, NOW, 'witness.example'])],
    ['another online key of the same server', cosignedBy([trust.keys['receipt']!, NOW])],
    ['a compromised key, even for a time when it was good', cosignedBy([leaked, NOW - 7 * DAY])],
    ['a retired key after its time', cosignedBy([former, NOW])],
    ['a retired key before its time', cosignedBy([former, NOW - 11 * DAY])],
  ])('is not witnessed where it is cosigned by %s', (_, source) => {
    expect(openCosigned(root, source, LOG).witnessedAt).toBeNull();
  });

  it('stays witnessed by a retired key in its time', () => {
    expect(openCosigned(root, cosignedBy([former, NOW - 6 * DAY]), LOG).witnessedAt).toBe(NOW - 6 * DAY);
  });

  it('is refused where the line of the witness does not verify', () => {
    const { text, signatures } = parseNote(cosignedBy([witness, NOW]));
    const [own, line] = signatures as [(typeof signatures)[0], (typeof signatures)[0]];
    const later = Buffer.from(line.sig);
    later[7]! += 1;
    for (const sig of [later, line.sig.subarray(1), Buffer.alloc(72)]) {
      const source = encodeNote({ text, signatures: [own, { ...line, sig }] });
      expectCode(() => openCosigned(root, source, LOG), 'cosignature_invalid');
    }
  });

  it.each([
    ['another device key', { ...LOG, spki: signerFrom('stranger').spki }],
    ['another origin', { ...LOG, origin: 'logs.northern-it.example/main-street-2/1' }],
  ])('is refused for a log with %s, cosigned or not', (_, log) => {
    expectCode(() => openCosigned(root, cosignedBy([witness, NOW]), log), 'signature_invalid');
  });

  it('is refused where only the witness signed it', () => {
    const { text } = parseNote(OWN);
    const source = encodeNote({ text, signatures: [cosign(text, root.witness_name, witness, NOW)] });
    expectCode(() => openCosigned(root, source, LOG), 'signature_invalid');
  });

  it('is no cosignature where the witness key signed it as a log', () => {
    const { text, signatures } = parseNote(OWN);
    const source = encodeNote({ text, signatures: [...signatures, signNoteText(text, root.witness_name, witness)] });
    expect(openCosigned(root, source, LOG).witnessedAt).toBeNull();
  });
});
