import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../../agent/errors/codes.ts';
import { createLogVerifier, type LogVerdict, type LogVerifierOptions } from '../../../agent/verify/log-verifier.ts';
import { encodeEnvelope, parseEnvelope } from '../../../agent/wire/dsse.ts';
import { alertBody, makeAlertLog, makeLog, type SampleLog } from '../../support/sample-log.ts';
import { makeTrust, signerFrom } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const stranger = makeTrust({ seed: 'stranger' });
const SIZE = 6;

function verify(lines: readonly string[], o: Partial<LogVerifierOptions> = {}): LogVerdict {
  const verifier = createLogVerifier({ root: trust.root.root, ...o });
  for (const line of lines) verifier.push(line);
  return verifier.finish();
}

function without<T>(list: readonly T[], index: number): T[] {
  return list.filter((_, i) => i !== index);
}

/** `line` with `payload` changed as text, its signature left as it was. */
function editPayload(line: string, from: string, to: string): string {
  const envelope = parseEnvelope(line, { maxBytes: 65_535 });
  const text = envelope.payload.toString();
  if (!text.includes(from)) throw new Error(`the payload does not hold ${from}`);
  return encodeEnvelope({ ...envelope, payload: Buffer.from(text.replace(from, to)) });
}

function replaceAt(lines: readonly string[], index: number, line: string): string[] {
  return lines.map((old, i) => (i === index ? line : old));
}

describe('a log that somebody changed', () => {
  const other = makeAlertLog(trust, SIZE, {
    binding: { appliance_id: 'main-street-2', origin: 'logs.northern-it.example/main-street-2/1' },
  });
  const forged = makeAlertLog(stranger, SIZE);
  const thief = signerFrom('somebody else');

  interface Tampering {
    readonly name: string;
    readonly code: ErrorCode;
    readonly seq: number | null;
    readonly lines: (log: SampleLog) => readonly string[];
  }
  const cases: readonly Tampering[] = [
    { name: 'nothing at all', code: 'log_empty', seq: null, lines: () => [] },
    {
      name: 'a byte of a payload was edited',
      code: 'signature_invalid',
      seq: 3,
      lines: (log) => replaceAt(log.lines, 3, editPayload(log.lines[3]!, 'alert number 3', 'alert number 4')),
    },
    {
      name: 'a bit of a signature was flipped',
      code: 'signature_invalid',
      seq: 2,
      lines: (log) => {
        const envelope = parseEnvelope(log.lines[2]!, { maxBytes: 65_535 });
        envelope.signatures[0]!.sig[5]! ^= 1;
        return replaceAt(log.lines, 2, encodeEnvelope(envelope));
      },
    },
    { name: 'an entry was dropped', code: 'entry_seq', seq: 3, lines: (log) => without(log.lines, 3) },
    {
      name: 'two entries were swapped',
      code: 'entry_seq',
      seq: 2,
      lines: (log) => [...log.lines.slice(0, 2), log.lines[3]!, log.lines[2]!, ...log.lines.slice(4)],
    },
    {
      name: 'an entry stands twice',
      code: 'entry_seq',
      seq: 4,
      lines: (log) => [...log.lines.slice(0, 4), log.lines[3]!, ...log.lines.slice(4)],
    },
    { name: 'the head was cut off', code: 'entry_seq', seq: 0, lines: (log) => log.lines.slice(2) },
    {
      name: 'the rest is spliced in from the log of another appliance',
      code: 'signature_invalid',
      seq: 3,
      lines: (log) => {
        const alien = makeAlertLog(trust, SIZE, { device: thief });
        return [...log.lines.slice(0, 3), ...alien.lines.slice(3)];
      },
    },
    {
      name: 'the rest is spliced in from another log of the same key',
      code: 'entry_origin',
      seq: 3,
      lines: (log) => [...log.lines.slice(0, 3), ...other.lines.slice(3)],
    },
    {
      name: 'the rest is spliced in from another branch of the same log',
      code: 'entry_prev',
      seq: 4,
      lines: (log) => {
        const branch = makeAlertLog(trust, 2);
        branch.add('alert', alertBody(99));
        for (let n = 4; n <= SIZE; n++) branch.add('alert', alertBody(n));
        return [...log.lines.slice(0, 4), ...branch.lines.slice(4)];
      },
    },
    {
      name: 'an entry is signed twice',
      code: 'entry_signature_count',
      seq: SIZE + 1,
      lines: (log) => {
        log.addRaw(JSON.stringify(log.next('alert', alertBody(7))), [trust.keys['device']!, thief]);
        return log.lines;
      },
    },
    {
      name: 'an entry names the key of somebody else beside a good signature',
      code: 'signature_invalid',
      seq: 2,
      lines: (log) => {
        const envelope = parseEnvelope(log.lines[2]!, { maxBytes: 65_535 });
        const signatures = [{ keyid: thief.keyid, sig: envelope.signatures[0]!.sig }];
        return replaceAt(log.lines, 2, encodeEnvelope({ ...envelope, signatures }));
      },
    },
    {
      name: 'an entry is signed by the key of somebody else',
      code: 'signature_invalid',
      seq: SIZE + 1,
      lines: (log) => {
        log.addRaw(JSON.stringify(log.next('alert', alertBody(7))), [thief]);
        return log.lines;
      },
    },
    {
      name: 'an entry claims the keyid of the device but is signed by somebody else',
      code: 'signature_invalid',
      seq: SIZE + 1,
      lines: (log) => {
        log.addRaw(JSON.stringify(log.next('alert', alertBody(7))), [{ ...thief, keyid: trust.keys['device']!.keyid }]);
        return log.lines;
      },
    },
    {
      name: 'a line was written again with a space in it',
      code: 'json_not_strict',
      seq: 2,
      lines: (log) => replaceAt(log.lines, 2, log.lines[2]!.replace('":"', '": "')),
    },
    {
      name: 'a line was written again with its fields in another order',
      code: 'envelope_invalid',
      seq: 2,
      lines: (log) => {
        const { payload, payloadType, signatures } = JSON.parse(log.lines[2]!) as Record<string, unknown>;
        return replaceAt(log.lines, 2, JSON.stringify({ payloadType, payload, signatures }));
      },
    },
    {
      name: 'a line has a field beside the envelope',
      code: 'envelope_invalid',
      seq: 2,
      lines: (log) => replaceAt(log.lines, 2, log.lines[2]!.replace(/}$/, ',"note":1}')),
    },
    {
      name: 'a line has a field twice',
      code: 'json_not_strict',
      seq: 2,
      lines: (log) => replaceAt(log.lines, 2, log.lines[2]!.replace(/^{/, '{"payload":"AAAA",')),
    },
    {
      name: 'a line ends with a carriage return',
      code: 'json_not_strict',
      seq: 1,
      lines: (log) => replaceAt(log.lines, 1, `${log.lines[1]!}\r`),
    },
    {
      name: 'a payload has lost its base64 padding',
      code: 'base64_invalid',
      seq: 2,
      lines: (log) => replaceAt(log.lines, 2, log.lines[2]!.replace(/"sig":"([^"=]+)=+"/, '"sig":"$1"')),
    },
    {
      name: 'a line is cut short',
      code: 'json_not_strict',
      seq: SIZE,
      lines: (log) => replaceAt(log.lines, SIZE, log.lines[SIZE]!.slice(0, -9)),
    },
    {
      name: 'an empty line stands between',
      code: 'json_not_strict',
      seq: 2,
      lines: (log) => [...log.lines.slice(0, 2), '', ...log.lines.slice(2)],
    },
    {
      name: 'an entry is longer than a leaf may be',
      code: 'json_too_large',
      seq: SIZE + 1,
      lines: (log) => {
        log.add(
          'alert',
          alertBody(7),
          (s) => void (s.predicate.kind === 'alert' && (s.predicate.details['x'] = 'y'.repeat(60_000))),
        );
        return log.lines;
      },
    },
    {
      name: 'a signed document of another type stands as an entry',
      code: 'payload_type_mismatch',
      seq: SIZE + 1,
      lines: (log) => {
        log.addRaw(
          JSON.stringify(log.next('alert', alertBody(7))),
          [trust.keys['device']!],
          'application/vnd.compliance-agent.order+json',
        );
        return log.lines;
      },
    },
    {
      name: 'an entry has an unknown field, though well signed',
      code: 'schema_invalid',
      seq: SIZE + 1,
      lines: (log) => {
        log.add('alert', alertBody(7), (s) => void Object.assign(s.predicate, { extra: 1 }));
        return log.lines;
      },
    },
    {
      name: 'an entry is of an unknown kind, though well signed',
      code: 'schema_invalid',
      seq: SIZE + 1,
      lines: (log) => {
        log.add('alert', alertBody(7), (s) => void Object.assign(s.predicate, { kind: 'rumour' }));
        return log.lines;
      },
    },
    {
      name: 'a payload has a number in another spelling, though well signed',
      code: 'json_not_strict',
      seq: SIZE + 1,
      lines: (log) => {
        log.addRaw(JSON.stringify(log.next('alert', alertBody(7))).replace('"root_version":1', '"root_version":1.0'));
        return log.lines;
      },
    },
    {
      name: 'an entry skips a number, though well signed',
      code: 'entry_seq',
      seq: SIZE + 1,
      lines: (log) => {
        log.add('alert', alertBody(7), (s) => void (s.predicate.seq += 1));
        return log.lines;
      },
    },
    {
      name: 'an entry names another predecessor, though well signed',
      code: 'entry_prev',
      seq: SIZE + 1,
      lines: (log) => {
        log.add('alert', alertBody(7), (s) => void (s.predicate.prev = 'ab'.repeat(32)));
        return log.lines;
      },
    },
    ...(['origin', 'partner_id', 'customer_id', 'site_id', 'appliance_id', 'reseller_id'] as const).map(
      (field): Tampering => ({
        name: `an entry names another ${field} than the binding, though well signed`,
        code: 'entry_origin',
        seq: SIZE + 1,
        lines: (log) => {
          log.add(
            'alert',
            alertBody(7),
            (s) => void (s.predicate[field] = field === 'origin' ? 'a.example/b/1' : 'elsewhere'),
          );
          return log.lines;
        },
      }),
    ),
    {
      name: 'an entry ends before it begins',
      code: 'entry_time',
      seq: SIZE + 1,
      lines: (log) => {
        log.add('alert', alertBody(7), (s) => void (s.predicate.observed_from += 1));
        return log.lines;
      },
    },
    { name: 'the whole log is of another partner', code: 'entry_unbound', seq: 0, lines: () => forged.lines },
    {
      name: 'the binding was signed by the order key',
      code: 'entry_unbound',
      seq: 0,
      lines: () => makeAlertLog(trust, 1, { registrar: trust.keys['order']! }).lines,
    },
    {
      name: 'the binding was signed by a stranger',
      code: 'entry_unbound',
      seq: 0,
      lines: () => makeAlertLog(trust, 1, { registrar: thief }).lines,
    },
    {
      name: 'the binding was edited after it was signed',
      code: 'entry_unbound',
      seq: 0,
      lines: () => {
        const device = signerFrom('thief device');
        const embedded = trust.embed('binding', trust.binding());
        const payload = Buffer.from(embedded.payload, 'base64')
          .toString()
          .replace(trust.keys['device']!.spki, device.spki);
        return makeAlertLog(trust, 1, {
          device,
          entry0: ({ predicate }) => {
            if (predicate.kind !== 'epoch') throw new Error('entry 0 is no epoch entry');
            predicate.binding = { ...embedded, payload: Buffer.from(payload).toString('base64') };
          },
        }).lines;
      },
    },
    {
      name: 'somebody begins a log of their own with the binding of the real one',
      code: 'signature_invalid',
      seq: 0,
      lines: (log) => {
        const mine = makeAlertLog(trust, 0);
        mine.lines.length = 0;
        const statement = mine.next('epoch', {
          status: 'confirmed',
          binding: trust.embed('binding', log.binding),
        });
        mine.addRaw(JSON.stringify(statement), [thief]);
        return mine.lines;
      },
    },
    {
      name: 'entry 0 carries no binding',
      code: 'entry_unbound',
      seq: 0,
      lines: () =>
        makeAlertLog(trust, 1, { entry0: ({ predicate }) => void Reflect.deleteProperty(predicate, 'binding') }).lines,
    },
    {
      name: 'entry 0 calls a provisional binding confirmed',
      code: 'entry_unbound',
      seq: 0,
      lines: () =>
        makeLog(trust, {
          binding: { status: 'provisional' },
          entry0: ({ predicate }) => void Object.assign(predicate, { status: 'confirmed' }),
        }).lines,
    },
    {
      name: 'entry 0 is of another kind',
      code: 'entry_unbound',
      seq: 0,
      lines: (log) => {
        const mine = makeAlertLog(trust, 0);
        mine.lines.length = 0;
        mine.add('alert', alertBody(0));
        return [...mine.lines, ...log.lines.slice(1)];
      },
    },
    {
      name: 'a later binding hands the log over to another key',
      code: 'entry_unbound',
      seq: SIZE + 1,
      lines: (log) => {
        const binding = trust.embed('binding', { ...log.binding, device_spki: thief.spki });
        log.add('epoch', { status: 'confirmed', binding });
        return log.lines;
      },
    },
  ];

  it.each(cases.map((c) => [c.name, c] as const))('is refused where %s', (_, { code, seq, lines }) => {
    const log = makeAlertLog(trust, SIZE);
    expect(verify(log.lines).ok).toBe(true);
    const verdict = verify(lines(log));
    expect(verdict).toMatchObject({ ok: false, code, seq, size: seq ?? 0 });
    expect(verify(lines(makeAlertLog(trust, SIZE)), { secondOpinion: true })).toMatchObject({ ok: false, code, seq });
  });

  it('counts the entries before the fault and none after it', () => {
    const log = makeAlertLog(trust, SIZE);
    const verdict = verify(without(log.lines, 3));
    expect(verdict).toMatchObject({ size: 3, root: log.rootAt(3), counts: { epoch: 1, alert: 2 } });
  });
});
