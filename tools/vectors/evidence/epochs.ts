// Whole logs of an epoch that the appliance opened itself: a succession by the key before, then the registrar's binding, then
// the confirmation by people.
import { ALERT_BODY, statement } from '../samples-entries.ts';
import { BINDING, EMBEDDED_BINDING, ORIGIN } from '../samples-enrolment.ts';
import { NOW, ROOT, SHA } from '../samples-trust.ts';
import { envelope, hexDigest, vectorKey, type VectorKey } from '../signing.ts';
import {
  bad,
  good,
  prevOf,
  rootLine,
  ROOT_LINE,
  ROOT_SHA256,
  sign,
  thief,
  whole,
  ZEROS,
  type EvidenceFile,
  type Whole,
} from './whole.ts';

const ORIGIN_2 = 'logs.northern-it.example/main-street-1/2';
const [device, device2, device3] = ['device', 'device 2', 'device 3'].map(vectorKey) as [
  VectorKey,
  VectorKey,
  VectorKey,
];
const registrar = vectorKey('registrar');
const DAY_S = 86_400;

const document = (name: string, value: object, ...keys: VectorKey[]): object =>
  envelope(`application/vnd.compliance-agent.${name}+json`, JSON.stringify(value), keys);

const SUCCESSION = {
  schema: 'compliance-agent/succession/v1',
  appliance_id: 'main-street-1',
  old_origin: ORIGIN,
  new_origin: ORIGIN_2,
  new_device_spki: device2.spki,
  signed_with: 'device',
  issued_at: NOW,
};
const ENDED = {
  old_origin: ORIGIN,
  own_size: 4_700,
  own_root: SHA(11),
  witnessed_size: 4_711,
  witnessed_root: SHA(10),
  cause: 'log_rewound',
};
/** The registrar's binding of epoch 2. */
const BINDING_2 = {
  ...BINDING,
  epoch: 2,
  origin: ORIGIN_2,
  device_spki: device2.spki,
  approver: 'central',
  status: 'provisional',
  previous: { origin: ORIGIN, size: 4_711, root: SHA(10) },
  issued_at: NOW + 5,
};
const CONFIRMATION = {
  schema: 'compliance-agent/epoch-confirmation/v1',
  partner_id: BINDING.partner_id,
  site_id: BINDING.site_id,
  appliance_id: BINDING.appliance_id,
  origin: ORIGIN_2,
  binding_sha256: hexDigest(JSON.stringify(BINDING_2)),
  issued_at: NOW + 3_600,
};
const OPERATORS = ['operator-a', 'operator-b'].map(vectorKey);

/** A P-256 key and its signature over the succession below; ECDSA has randomness, so they were made once. */
const TLS_SPKI =
  'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE0TBfdPYa8lt1RCw5aFCZ/PlWAFP+vHLRDhO8zZouhwX/7PiVec6ZZVsYN3LvfNmWD7Bj4pDfnxdkU/Zmesn0tw==';
const TLS_SIGNATURE =
  'MEUCIQDkjaGDTDv7GaKO5PqdwoWwe+gwggKQJyERUXbv+RGaJQIgKo6wZ2dh4yWQyTA6l1kmGCKR+VNe99GbtGvhhsvTvLo=';
const BINDING_TLS = { ...BINDING, tls_spki: TLS_SPKI };
const SUCCESSION_TLS = {
  ...document('succession', { ...SUCCESSION, signed_with: 'tls' }),
  signatures: [{ keyid: hexDigest(Buffer.from(TLS_SPKI, 'base64')), sig: TLS_SIGNATURE }],
};

interface Place {
  readonly origin?: string;
  readonly key?: VectorKey;
}

/** Lines of epoch 2 (or as `place` says), each signed by its key. */
function linesOf(bodies: readonly (readonly ['epoch' | 'alert', object])[], place: Place = {}): string[] {
  const lines: string[] = [];
  for (const [kind, body] of bodies) {
    const prev = lines.length === 0 ? ZEROS : prevOf(lines);
    const made = statement(kind, body, lines.length, prev) as { predicate: object };
    const predicate = { ...made.predicate, origin: place.origin ?? ORIGIN_2 };
    lines.push(sign({ ...made, predicate }, place.key ?? device2));
  }
  return lines;
}

const opening = (change: object = {}): object => ({
  succession: document('succession', SUCCESSION, device),
  predecessor: EMBEDDED_BINDING,
  ended: ENDED,
  status: 'provisional',
  ...change,
});
const successionBy = (key: VectorKey, change: object = {}): object =>
  opening({ succession: document('succession', { ...SUCCESSION, ...change }, key) });
const bound = (change: object = {}, key = registrar): object => ({
  binding: document('binding', { ...BINDING_2, ...change }, key),
  status: 'provisional',
});
const confirmation = (change: object = {}, keys: readonly VectorKey[] = OPERATORS): object => ({
  confirmation: document('epoch-confirmation', { ...CONFIRMATION, ...change }, ...keys),
  status: 'confirmed',
});

const alert = ['alert', ALERT_BODY] as const;
/** Entry 0, an alert, the binding, the confirmation, an alert. */
const log = (first: object, second: object | null = bound(), third: object | null = confirmation()): string[] =>
  linesOf([
    ['epoch', first],
    alert,
    ...(second === null ? [] : [['epoch', second] as const]),
    ...(third === null ? [] : [['epoch', third] as const]),
    alert,
  ]);

const PROVISIONAL = whole('an epoch that the key before it opened, provisional', log(opening(), bound(), null));
const CONFIRMED = whole('the same epoch, confirmed by two people', log(opening()));
const BY_TLS = whole(
  'an epoch that the TLS key opened, for the device key was unreadable',
  log(
    opening({ succession: SUCCESSION_TLS, predecessor: document('binding', BINDING_TLS, registrar) }),
    bound({ tls_spki: TLS_SPKI }),
    null,
  ),
);

/** Epoch 3, after a provisional epoch 2 that was bound `afterS` seconds before it. */
function third(afterS: number): string[] {
  const origin = ORIGIN_2.replace(/2$/, '3');
  const succession = { ...SUCCESSION, old_origin: ORIGIN_2, new_origin: origin, new_device_spki: device3.spki };
  const first = opening({
    succession: document('succession', succession, device2),
    predecessor: document('binding', BINDING_2, registrar),
    ended: { ...ENDED, old_origin: ORIGIN_2 },
  });
  const binding = bound({
    epoch: 3,
    origin,
    device_spki: device3.spki,
    previous: { origin: ORIGIN_2, size: 3, root: SHA(12) },
    issued_at: BINDING_2.issued_at + afterS,
  });
  return linesOf([['epoch', first], ['epoch', binding], alert], { origin, key: device3 });
}
const THIRD = whole('a second provisional epoch, a day after the first', third(DAY_S));

/** When the epochs below were bound: late enough for roots that follow root 3 to be drafted well before. */
const BOUND_AT = NOW + 60 * DAY_S;
/** A root is published within this time after it was drafted; whoever it replaces can sign until then. */
const PUBLISHED_WITHIN_S = 14 * DAY_S;
const LATER_OPERATORS = ['operator-c', 'operator-d'].map(vectorKey);

/** The root of `version` drafted at `issued_at`: the same two people, as operators under their old keys or new ones. */
function later(version: number, issued_at: number, operators: readonly VectorKey[] = LATER_OPERATORS): string {
  const old = OPERATORS.map(({ keyid }) => keyid);
  const keys = ROOT.keys.map((key) => {
    const now = operators[old.indexOf(key.keyid)];
    return now === undefined ? key : { ...key, keyid: now.keyid, spki: now.spki };
  });
  const roles = { ...ROOT.roles, operator: { threshold: 2, keyids: operators.map(({ keyid }) => keyid) } };
  return rootLine({ ...ROOT, version, issued_at, keys, roles }, 'root-a', 'root-b');
}

/** An epoch bound at BOUND_AT, confirmed at `issued_at` by `keys`. */
function confirmedBy(keys: readonly VectorKey[], issued_at = BOUND_AT + 3_600): string[] {
  const binding_sha256 = hexDigest(JSON.stringify({ ...BINDING_2, issued_at: BOUND_AT }));
  return log(opening(), bound({ issued_at: BOUND_AT }), confirmation({ binding_sha256, issued_at }, keys));
}
const REPLACED_LONG_AGO = [ROOT_LINE, later(4, BOUND_AT - 30 * DAY_S)];
const IN_FORCE = whole('confirmed by operators of the root in force', confirmedBy(LATER_OPERATORS), {
  roots: REPLACED_LONG_AGO,
});
const NEARLY_LEFT = whole(
  'confirmed by operators whose successors were drafted 14 days before the binding',
  confirmedBy(OPERATORS),
  { roots: [ROOT_LINE, later(4, BOUND_AT - PUBLISHED_WITHIN_S)] },
);
const STILL_THERE = whole('confirmed by operators whom a root of long ago kept', confirmedBy(OPERATORS), {
  roots: [ROOT_LINE, later(4, BOUND_AT - 30 * DAY_S, OPERATORS)],
});
const LEFT_AFTERWARDS = whole('confirmed by operators who were replaced after the binding', confirmedBy(OPERATORS), {
  roots: [ROOT_LINE, later(4, BOUND_AT + 30 * DAY_S)],
});

export function epochVectors(): EvidenceFile {
  const opened = (name: string, first: object, like: Whole = PROVISIONAL) =>
    bad(name, like, { lines: log(first, bound(), null) }, 'entry_unbound', 0);
  const boundBy = (name: string, second: object, code: 'entry_unbound' | 'epoch_unbound' = 'entry_unbound') =>
    bad(name, PROVISIONAL, { lines: log(opening(), second, null) }, code, 2);
  const unconfirmed = (name: string, last: object) =>
    bad(name, CONFIRMED, { lines: log(opening(), bound(), last) }, 'epoch_unconfirmed', 3);
  const cases = [
    good(PROVISIONAL),
    good(CONFIRMED),
    good(BY_TLS),
    good(THIRD),
    good(IN_FORCE),
    good(NEARLY_LEFT),
    good(STILL_THERE),
    good(LEFT_AFTERWARDS),
    opened('a succession by a foreign key', successionBy(thief)),
    opened('a succession by the new key itself', successionBy(device2)),
    opened('a succession by the registrar', successionBy(registrar)),
    opened('a succession by a foreign key under the keyid of the device', underKeyidOfDevice()),
    opened('a succession that calls the device key the TLS key', successionBy(device, { signed_with: 'tls' })),
    opened(
      'a succession with a second signature',
      opening({ succession: document('succession', SUCCESSION, device, thief) }),
    ),
    opened('a succession of another appliance', successionBy(device, { appliance_id: 'main-street-2' })),
    opened('a succession from another log', successionBy(device, { old_origin: ORIGIN.replace(/1$/, '7') })),
    opened('a succession to the epoch after the next', successionBy(device, { new_origin: ORIGIN.replace(/1$/, '3') })),
    opened('a succession that keeps the old key', successionBy(device, { new_device_spki: device.spki })),
    opened('a succession without the binding before it', opening({ predecessor: undefined })),
    opened('the binding before it is by a stranger', opening({ predecessor: document('binding', BINDING, thief) })),
    opened('a succession without what ended', opening({ ended: undefined })),
    opened('what ended is another log', opening({ ended: { ...ENDED, old_origin: ORIGIN.replace(/1$/, '7') } })),
    opened('a succession in an entry that calls itself confirmed', opening({ status: 'confirmed' })),
    opened('a succession beside a binding', opening({ binding: document('binding', BINDING_2, registrar) })),
    bad(
      'a succession by the TLS key of another appliance',
      BY_TLS,
      {
        lines: log(opening({ succession: SUCCESSION_TLS }), bound({ tls_spki: TLS_SPKI }), null),
      },
      'entry_unbound',
      0,
    ),
    bad(
      'entries of the new epoch signed by the old key',
      PROVISIONAL,
      { lines: linesOf([['epoch', opening()], alert, ['epoch', bound()], alert], { key: device }) },
      'signature_invalid',
      0,
    ),
    bad('no binding follows the succession', PROVISIONAL, { lines: log(opening(), null, null) }, 'epoch_unbound', 0),
    boundBy('a binding by a stranger', bound({}, thief)),
    boundBy('a binding for another origin', bound({ epoch: 3, origin: ORIGIN_2.replace(/2$/, '3') })),
    boundBy('a binding for another key', bound({ device_spki: device3.spki })),
    boundBy('a binding of another site', bound({ site_id: 'side-street' })),
    boundBy('a binding that names no epoch before it', bound({ previous: null })),
    boundBy(
      'a binding that names another epoch before it',
      bound({ previous: { ...BINDING_2.previous, origin: ORIGIN.replace(/1$/, '7') } }),
    ),
    boundBy('a binding by the registrar that calls the epoch confirmed', {
      ...bound({ status: 'confirmed' }),
      status: 'confirmed',
    }),
    boundBy('a second succession later in the log', opening()),
    boundBy('a binding and its confirmation in one entry', { ...bound(), ...confirmation() }),
    bad('a second provisional epoch within 24 hours', THIRD, { lines: third(DAY_S - 1) }, 'epoch_too_soon', 1),
    unconfirmed('confirmed by one of two people', confirmation({}, OPERATORS.slice(0, 1))),
    unconfirmed('confirmed by one person twice', confirmation({}, [OPERATORS[0]!, vectorKey('root-a')])),
    unconfirmed('confirmed by the registrar', confirmation({}, [registrar])),
    unconfirmed('confirmed by strangers', confirmation({}, [thief])),
    unconfirmed('the confirmation of another epoch', confirmation({ origin: ORIGIN })),
    unconfirmed('the confirmation of another binding', confirmation({ binding_sha256: SHA(13) })),
    unconfirmed('the confirmation of another appliance', confirmation({ appliance_id: 'main-street-2' })),
    unconfirmed('a confirmation in an entry that says provisional', { ...confirmation(), status: 'provisional' }),
    bad(
      'confirmed by operators whose successors were drafted 14 days and a second before the binding',
      NEARLY_LEFT,
      { roots: [ROOT_LINE, later(4, BOUND_AT - PUBLISHED_WITHIN_S - 1)] },
      'epoch_unconfirmed',
      3,
    ),
    bad(
      'confirmed by operators who had been replaced',
      IN_FORCE,
      { lines: confirmedBy(OPERATORS) },
      'epoch_unconfirmed',
      3,
    ),
    bad(
      'confirmed by operators who had been replaced, on a date when they had not',
      IN_FORCE,
      { lines: confirmedBy(OPERATORS, BOUND_AT - 45 * DAY_S) },
      'epoch_unconfirmed',
      3,
    ),
    bad(
      'confirmed by one operator who had been replaced and one who had not',
      IN_FORCE,
      { lines: confirmedBy([OPERATORS[0]!, LATER_OPERATORS[1]!]) },
      'epoch_unconfirmed',
      3,
    ),
    bad(
      'confirmed by operators whom a root of long ago replaced, with a further root after the binding',
      LEFT_AFTERWARDS,
      { roots: [...REPLACED_LONG_AGO, later(5, BOUND_AT + 30 * DAY_S)] },
      'epoch_unconfirmed',
      3,
    ),
    bad(
      'a confirmation before the binding',
      CONFIRMED,
      { lines: log(opening(), confirmation(), bound()) },
      'epoch_unconfirmed',
      2,
    ),
  ];
  return { root_sha256: ROOT_SHA256, cases };
}

function underKeyidOfDevice(): object {
  const made = document('succession', SUCCESSION, thief) as { signatures: { keyid: string; sig: string }[] };
  const signatures = made.signatures.map((one) => ({ ...one, keyid: device.keyid }));
  return opening({ succession: { ...made, signatures } });
}
