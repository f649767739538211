import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../../agent/errors/codes.ts';
import { encodeCheckpoint, openCheckpoint, parseCheckpoint, signCheckpoint } from '../../../agent/wire/checkpoint.ts';
import { cosign, verifyCosignature } from '../../../agent/wire/cosignature.ts';
import { sha256 } from '../../../agent/wire/digest.ts';
import {
  encodeNote,
  encodeNoteKey,
  encodeSignatureLine,
  MAX_NOTE_SIGNATURES,
  NOTE_TYPE,
  openNote,
  parseNote,
  parseNoteKey,
  parseSignatureLine,
  signNoteText,
  type NoteKey,
} from '../../../agent/wire/note.ts';
import { expectCode } from '../../support/expect-code.ts';
import { signerFrom } from '../../support/trust-fixtures.ts';

type LogKey = NoteKey & { readonly type: 1 };
const ed25519Key = (vkey: string): LogKey => {
  const key = parseNoteKey(vkey);
  if (key.type !== NOTE_TYPE.ed25519) throw new Error('not of type 0x01');
  return { ...key, type: key.type };
};

// c2sp.org/signed-note, section "Example".
const SPEC_KEY = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
const SPEC_NOTE =
  'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n';
// The tree head of the Go checksum database at 20,852,163 records; c2sp.org/tlog-checkpoint shows it under other names.
const GOSUM_KEY = 'sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8';
const GOSUM_NOTE =
  'go.sum database tree\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— sum.golang.org Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n';
// A checkpoint that the public log arche2025h1.staging.ct.transparency.dev published in 2026, with its witnesses' lines.
const CT_LOG_KEY = 'arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f';
const REMORA_KEY = 'remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2';
const SMARTIT_KEY = 'witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO';
const CT_CHECKPOINT = `arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==
`;

const log = signerFrom('log');
const witness = signerFrom('witness');
const ORIGIN = 'logs.example/appliance/1';
const WITNESS = { name: 'witness.example', spki: witness.spki };
const LOG_KEY = { name: ORIGIN, type: NOTE_TYPE.ed25519, spki: log.spki } as const;
const ROOT = sha256('root');

describe('a signed note', () => {
  it.each([
    ['the specification', SPEC_KEY, SPEC_NOTE],
    ['the Go checksum database', GOSUM_KEY, GOSUM_NOTE],
    ['a public Certificate Transparency log', CT_LOG_KEY, CT_CHECKPOINT],
  ])('of %s verifies under its key', (_, vkey, source) => {
    const key = ed25519Key(vkey);
    const note = openNote(source, key);
    expect(encodeNote(note)).toBe(source);
    expect(encodeNoteKey(key)).toBe(vkey);
    expectCode(
      () => openNote(source.replace(/[0-9]/, (d) => String((Number(d) + 1) % 10)).replace('This', 'That'), key),
      'signature_invalid',
    );
  });

  it('comes back from its text', () => {
    const text = fc
      .array(fc.string({ unit: 'grapheme', maxLength: 20 }), { maxLength: 5 })
      .map((lines) => `${lines.join('\n')}\n`)
      // eslint-disable-next-line no-control-regex
      .filter((t) => !/[\u0000-\u0009\u000b-\u001f]/.test(t));
    fc.assert(
      fc.property(text, (t) => {
        const note = { text: t, signatures: [signNoteText(t, ORIGIN, log), signNoteText(t, 'other', witness)] };
        expect(parseNote(encodeNote(note))).toEqual(note);
        expect(openNote(encodeNote(note), LOG_KEY).text).toBe(t);
      }),
    );
  });

  it('ends its text at the last empty line, so that a text may look like a note itself', () => {
    const inner = encodeNote({ text: 'inner\n', signatures: [signNoteText('inner\n', 'inner', witness)] });
    const outer = encodeNote({ text: inner, signatures: [signNoteText(inner, ORIGIN, log)] });
    expect(openNote(outer, LOG_KEY).text).toBe(inner);
    expectCode(() => openNote(outer, { ...LOG_KEY, name: 'inner', spki: witness.spki }), 'signature_invalid');
  });

  it('ignores lines of unknown keys, also under the same name', () => {
    const text = 'x\n';
    const signatures = [signNoteText(text, ORIGIN, witness), signNoteText(text, ORIGIN, log)];
    expect(openNote(encodeNote({ text, signatures }), LOG_KEY).signatures).toHaveLength(2);
    expectCode(() => openNote(encodeNote({ text, signatures: signatures.slice(0, 1) }), LOG_KEY), 'signature_invalid');
  });

  it('is refused where one line of the known key does not verify, though another does', () => {
    const good = signNoteText('x\n', ORIGIN, log);
    const bad = { ...good, sig: Buffer.alloc(64) };
    expectCode(() => openNote(encodeNote({ text: 'x\n', signatures: [good, bad] }), LOG_KEY), 'signature_invalid');
  });

  it('does not take a cosignature for a signature, though the key is the same', () => {
    const text = encodeCheckpoint({ origin: ORIGIN, size: 1, root: ROOT, extensions: [] });
    const line = cosign(text, ORIGIN, log, 1_700_000_000);
    expectCode(() => openNote(encodeNote({ text, signatures: [line] }), LOG_KEY), 'signature_invalid');
  });

  const S = '— a AAAAAAA=';
  it.each([
    ['no signature', 'text\n'],
    ['no empty line', `text\n${S}\n`],
    ['no line feed at its end', `text\n\n${S}`],
    ['an empty line at its end', `text\n\n${S}\n\n`],
    ['a hyphen for the dash', 'text\n\n- a AAAAAAA=\n'],
    ['two spaces', 'text\n\n— a  AAAAAAA=\n'],
    ['no name', 'text\n\n—  AAAAAAA=\n'],
    ['a plus in a name', 'text\n\n— a+b AAAAAAA=\n'],
    ['a no-break space in a name', 'text\n\n— a\u00a0b AAAAAAA=\n'],
    ['a third word', 'text\n\n— a AAAAAAA= b\n'],
    ['sloppy base64', 'text\n\n— a AAAAAAA\n'],
    ['a key id and no signature', 'text\n\n— a AAAAAA==\n'],
    ['a carriage return', `text\r\n\n${S}\n`],
    ['a tab', `te\txt\n\n${S}\n`],
    ['half a surrogate pair', `\ud800\n\n${S}\n`],
    ['too many signatures', `text\n\n${`${S}\n`.repeat(MAX_NOTE_SIGNATURES + 1)}`],
    ['too many bytes', `${'x'.repeat(17_000)}\n\n${S}\n`],
  ])('is refused with %s', (_, source) => {
    expectCode(() => parseNote(source), 'note_invalid');
  });

  it('is not written where it would read back as another one', () => {
    expectCode(() => encodeNote({ text: 'no line feed', signatures: [] }), 'note_invalid');
    expectCode(() => encodeNote({ text: 'x\n', signatures: [] }), 'note_invalid');
    expectCode(() => signNoteText('x', ORIGIN, log), 'note_invalid');
    expectCode(() => signNoteText('x\n', 'two words', log), 'note_invalid');
    expectCode(() => signNoteText('x\r\n', ORIGIN, log), 'note_invalid');
  });
});

describe('a verifier key', () => {
  it.each([
    ['a key id of another key', SPEC_KEY.replace('530d903a', '530d903b')],
    ['a key id in capitals', SPEC_KEY.replace('530d903a', '530D903A')],
    ['another name', SPEC_KEY.replace('foo', 'bar')],
    ['an unknown type', 'a+00000000+Av//////////////////////////////////////////'],
    ['two parts', 'a+00000000'],
    ['a short key', 'a+00000000+AQEB'],
    ['sloppy base64', SPEC_KEY.slice(0, -1)],
  ])('is refused with %s', (_, vkey) => {
    expectCode(() => parseNoteKey(vkey), 'note_invalid');
  });
});

describe('a checkpoint', () => {
  it('is read from a note of the Go checksum database', () => {
    const note = openNote(GOSUM_NOTE, ed25519Key(GOSUM_KEY));
    expect(parseCheckpoint(note.text)).toEqual({
      origin: 'go.sum database tree',
      size: 20_852_163,
      root: Buffer.from('CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=', 'base64'),
      extensions: [],
    });
  });

  it('comes back from its note', () => {
    const checkpoints = fc.record({
      origin: fc.constant(ORIGIN),
      size: fc.maxSafeNat(),
      root: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((b) => Buffer.from(b)),
      extensions: fc.array(fc.stringMatching(/^[ -~]{1,20}$/), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(checkpoints, (checkpoint) => {
        expect(openCheckpoint(signCheckpoint(checkpoint, log), { origin: ORIGIN, spki: log.spki }).checkpoint).toEqual(
          checkpoint,
        );
      }),
    );
  });

  const R = ROOT.toString('base64');
  it.each([
    ['a size with a leading zero', `${ORIGIN}\n01\n${R}\n`],
    ['a size with a sign', `${ORIGIN}\n+1\n${R}\n`],
    ['a negative size', `${ORIGIN}\n-1\n${R}\n`],
    ['a size beyond 2^53', `${ORIGIN}\n9007199254740992\n${R}\n`],
    ['a size in hex', `${ORIGIN}\n0x10\n${R}\n`],
    ['no root', `${ORIGIN}\n1\n`],
    ['a short root', `${ORIGIN}\n1\nAAAA\n`],
    ['a root that is not base64', `${ORIGIN}\n1\n${'*'.repeat(44)}\n`],
    ['an empty origin', `\n1\n${R}\n`],
    ['an empty extension line', `${ORIGIN}\n1\n${R}\n\n`],
    ['no line feed at its end', `${ORIGIN}\n1\n${R}`],
  ])('is refused with %s', (_, text) => {
    expectCode(() => parseCheckpoint(text), 'note_invalid');
  });

  it.each<[string, { origin: string; spki: string }, ErrorCode]>([
    ['of another log', { origin: 'logs.example/appliance/2', spki: log.spki }, 'signature_invalid'],
    ['by another key', { origin: ORIGIN, spki: witness.spki }, 'signature_invalid'],
  ])('%s is refused', (_, expected, code) => {
    const source = signCheckpoint({ origin: ORIGIN, size: 3, root: ROOT, extensions: [] }, log);
    expectCode(() => openCheckpoint(source, expected), code);
  });

  it('signed in the name of one log and written for another is refused', () => {
    const text = encodeCheckpoint({ origin: 'logs.example/appliance/2', size: 3, root: ROOT, extensions: [] });
    const source = encodeNote({ text, signatures: [signNoteText(text, ORIGIN, log)] });
    expectCode(() => openCheckpoint(source, { origin: ORIGIN, spki: log.spki }), 'note_invalid');
  });

  it('is not written with a line feed in its origin', () => {
    expectCode(() => encodeCheckpoint({ origin: 'a\nb', size: 1, root: ROOT, extensions: [] }), 'note_invalid');
    expectCode(() => encodeCheckpoint({ origin: ORIGIN, size: 1.5, root: ROOT, extensions: [] }), 'note_invalid');
  });
});

describe('a cosignature', () => {
  it.each([
    ['remora.n621.de', REMORA_KEY],
    ['witness1.smartit.nu', SMARTIT_KEY],
  ])('of the public witness %s verifies, with the time it says', (_, vkey) => {
    const key = parseNoteKey(vkey);
    expect(key.type).toBe(NOTE_TYPE.cosignature);
    expect(verifyCosignature(parseNote(CT_CHECKPOINT), key)).toBe(0x6a122120);
    expect(encodeNoteKey(key)).toBe(vkey);
  });

  it('has the framing that c2sp.org/tlog-cosignature shows', () => {
    const line =
      '— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==';
    const signature = parseSignatureLine(line);
    expect(signature.sig).toHaveLength(8 + 64);
    expect(signature.sig.readBigUInt64BE()).toBe(1_679_315_147n);
    expect(encodeSignatureLine(signature)).toBe(line);
  });

  const text = encodeCheckpoint({ origin: ORIGIN, size: 5, root: ROOT, extensions: [] });
  const line = cosign(text, WITNESS.name, witness, 1_780_315_200);

  it('says when the witness saw the checkpoint', () => {
    const later = cosign(text, WITNESS.name, witness, 1_780_315_260);
    expect(verifyCosignature({ text, signatures: [line] }, WITNESS)).toBe(1_780_315_200);
    expect(verifyCosignature({ text, signatures: [later, line] }, WITNESS)).toBe(1_780_315_260);
  });

  it('is refused for another checkpoint, time, witness or name', () => {
    const other = encodeCheckpoint({ origin: ORIGIN, size: 6, root: ROOT, extensions: [] });
    const shifted = Buffer.from(line.sig);
    shifted[7]! ^= 1;
    const refuse = (note: Parameters<typeof verifyCosignature>[0], by = WITNESS): unknown =>
      expectCode(() => verifyCosignature(note, by), 'signature_invalid');
    refuse({ text: other, signatures: [line] });
    refuse({ text, signatures: [{ ...line, sig: shifted }] });
    refuse({ text, signatures: [{ ...line, sig: line.sig.subarray(0, 71) }] });
    refuse({ text, signatures: [line, { ...line, sig: shifted }] });
    refuse({ text, signatures: [line] }, { ...WITNESS, spki: log.spki });
    refuse({ text, signatures: [line] }, { ...WITNESS, name: 'witness2.example' });
    refuse({ text, signatures: [signNoteText(text, WITNESS.name, witness)] });
    refuse({ text, signatures: [] });
  });

  it('is not made for a text that is no checkpoint, nor for a time that is none', () => {
    expectCode(() => cosign('any text\n', WITNESS.name, witness, 1), 'note_invalid');
    expectCode(() => cosign(text, WITNESS.name, witness, -1), 'note_invalid');
    expectCode(() => cosign(text, WITNESS.name, witness, 1.5), 'note_invalid');
  });
});
