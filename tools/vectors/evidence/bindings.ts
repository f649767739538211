// Whole logs that begin with a missing, foreign or unfit binding, and logs whose binding is renewed.
import { ALERT_BODY, FINDING_BODY, statement } from '../samples-entries.ts';
import { EMBEDDED_BINDING } from '../samples-enrolment.ts';
import { ROOT } from '../samples-trust.ts';
import { vectorKey } from '../signing.ts';
import {
  bad,
  boundBy,
  entry0,
  good,
  last,
  logOf,
  prevOf,
  rootLine,
  ROOT_LINE,
  ROOT_SHA256,
  sign,
  thief,
  whole,
  ZEROS,
  type EvidenceFile,
} from './whole.ts';

const registrar = vectorKey('registrar');
const FOUR = whole('a log of four entries', logOf(4));
const PROVISIONAL = whole('a provisional epoch', [
  entry0(boundBy(registrar, { status: 'provisional' }, 'provisional')),
]);
const RENEWED = whole('a provisional epoch whose binding is renewed', renewed(later({})));
const ROTATED = whole('a log that began under the registrar of an earlier root', logOf(4), {
  roots: [ROOT_LINE, rootLine(nextRoot(), 'root-a', 'root-b')],
});

/** A renewed binding of the provisional log. */
function later(change: object, key = registrar): object {
  return boundBy(key, { status: 'provisional', approver: 'bob', ...change }, 'provisional');
}

/** Entry 0 of PROVISIONAL, then an epoch entry with `body`, then an alert. */
function renewed(body: object): string[] {
  const lines = [...PROVISIONAL.lines];
  lines.push(sign(statement('epoch', body, 1, prevOf(lines))));
  lines.push(sign(statement('alert', ALERT_BODY, 2, prevOf(lines))));
  return lines;
}

/** Root 4: another registrar. */
function nextRoot(): object {
  const keys = ROOT.keys.map((key) =>
    key.keyid === registrar.keyid
      ? { ...key, keyid: vectorKey('registrar 2').keyid, spki: vectorKey('registrar 2').spki }
      : key,
  );
  const roles = { ...ROOT.roles, registrar: { threshold: 1, keyids: [vectorKey('registrar 2').keyid] } };
  return { ...ROOT, version: 4, keys, roles };
}

export function bindingVectors(): EvidenceFile {
  const at0 = (line: string): { lines: string[] } => ({ lines: [line, ...FOUR.lines.slice(1)] });
  const unbound = (name: string, body: object, code: Parameters<typeof bad>[3] = 'entry_unbound') =>
    bad(name, FOUR, at0(entry0(body)), code, 0);
  const { payload, payloadType, signatures } = EMBEDDED_BINDING;
  const embedded = (binding: object): object => ({ binding, status: 'confirmed' });
  const cases = [
    good(FOUR),
    good(PROVISIONAL),
    good(RENEWED),
    good(ROTATED),
    good(
      whole('the fields of the embedded binding in another order', [
        entry0(embedded({ signatures, payload, payloadType })),
      ]),
    ),
    unbound('entry 0 without a binding', { status: 'confirmed' }),
    bad('entry 0 of another kind', FOUR, at0(sign(statement('alert', ALERT_BODY, 0, ZEROS))), 'entry_unbound', 0),
    bad('entry 0 is a finding', FOUR, at0(sign(statement('finding', FINDING_BODY, 0, ZEROS))), 'entry_unbound', 0),
    unbound('a binding by the order key', boundBy(vectorKey('order'))),
    unbound('a binding by the receipt key', boundBy(vectorKey('receipt'))),
    unbound('a binding by the two holders of root', boundBy(vectorKey('root-a'))),
    unbound('a binding by the device itself', boundBy(vectorKey('device'))),
    unbound('a binding by a stranger', boundBy(thief)),
    unbound('a binding by a stranger under the keyid of the registrar', underOtherKeyid()),
    unbound(
      'a binding of another device',
      boundBy(registrar, { device_spki: vectorKey('device 2').spki }),
      'signature_invalid',
    ),
    unbound(
      'a binding whose origin is of another domain',
      boundBy(registrar, { origin: 'logs.elsewhere.example/main-street-1/1' }),
    ),
    unbound('a binding whose origin is of another epoch', boundBy(registrar, { epoch: 2 })),
    unbound('a binding of another appliance in the same origin', boundBy(registrar, { appliance_id: 'main-street-2' })),
    unbound('a binding of another partner', boundBy(registrar, { partner_id: 'southern-it' })),
    unbound('a binding in mode reseller without a reseller', boundBy(registrar, { reseller_id: undefined })),
    unbound('a binding in mode direct with a reseller', boundBy(registrar, { deployment_mode: 'direct' })),
    unbound('a binding of another schema', boundBy(registrar, { schema: 'compliance-agent/binding/v2' })),
    unbound('a binding without its epoch', boundBy(registrar, { epoch: undefined })),
    unbound('entry 0 calls its provisional binding confirmed', boundBy(registrar, { status: 'provisional' })),
    unbound('entry 0 calls its confirmed binding provisional', boundBy(registrar, {}, 'provisional')),
    unbound(
      'the payload of the binding was changed',
      embedded({ ...EMBEDDED_BINDING, payload: changedPayload(payload) }),
    ),
    unbound(
      'the binding as a document of another type',
      embedded({ ...EMBEDDED_BINDING, payloadType: payloadType.replace('binding', 'succession') }),
    ),
    bad(
      'an entry 0 signed by a stranger, with the binding of the device',
      FOUR,
      at0(entry0(embedded(EMBEDDED_BINDING), thief)),
      'signature_invalid',
      0,
    ),
    bad('a whole log of a stranger who signed the binding too', FOUR, { lines: ownLog() }, 'entry_unbound', 0),
    bad(
      'a later binding hands the log to another key',
      RENEWED,
      { lines: renewedBy(later({ device_spki: thief.spki })) },
      'entry_unbound',
      1,
    ),
    bad('a later binding by a stranger', RENEWED, { lines: renewedBy(later({}, thief)) }, 'entry_unbound', 1),
    bad(
      'a later binding of the next epoch',
      RENEWED,
      { lines: renewedBy(later({ epoch: 2, origin: 'logs.northern-it.example/main-street-1/2' })) },
      'entry_unbound',
      1,
    ),
    bad(
      'a later binding by which the registrar alone calls the epoch confirmed',
      RENEWED,
      { lines: renewedBy(boundBy(registrar, { approver: 'bob' })) },
      'entry_unbound',
      1,
    ),
    bad(
      'a later binding that is provisional still, in an entry that says confirmed',
      RENEWED,
      { lines: renewedBy(boundBy(registrar, { status: 'provisional', approver: 'bob' })) },
      'entry_unbound',
      1,
    ),
    bad(
      'the earlier root is left out',
      ROTATED,
      { roots: [rootLine(nextRoot(), 'root-a', 'root-b')] },
      'root_digest_mismatch',
      null,
    ),
  ];
  return { root_sha256: ROOT_SHA256, cases };

  function renewedBy(body: object): string[] {
    return last(RENEWED.lines.slice(0, 2), renewed(body)[1]!);
  }
}

function underOtherKeyid(): object {
  const body = boundBy(thief) as { binding: { signatures: { keyid: string; sig: string }[] } };
  const signatures = body.binding.signatures.map((one) => ({ ...one, keyid: registrar.keyid }));
  return { ...body, binding: { ...body.binding, signatures } };
}

function changedPayload(payload: string): string {
  return Buffer.from(Buffer.from(payload, 'base64').toString().replace('"alice"', '"mallory"')).toString('base64');
}

/** What anybody can make: a log that holds together, under a binding of their own. */
function ownLog(): string[] {
  const lines = [entry0(boundBy(thief, { device_spki: thief.spki }), thief)];
  while (lines.length < 4) lines.push(sign(statement('alert', ALERT_BODY, lines.length, prevOf(lines)), thief));
  return lines;
}
