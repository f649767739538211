import { createPrivateKey, sign } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEpochConfirmation } from '../../../agent/trust/epoch-confirmation.ts';
import { openDocument } from '../../../agent/trust/open-document.ts';
import { nextOrigin } from '../../../agent/trust/succession.ts';
import { encodeDocument, signDocument } from '../../../agent/wire/document.ts';
import { encodeEnvelope, envelopeFromEmbedded, toEmbedded, type Signer } from '../../../agent/wire/dsse.ts';
import { keyidOf } from '../../../agent/wire/keys.ts';
import { generateEd25519 } from '../../../agent/wire/node-signature.ts';
import type { CheckinAnswer, CheckinRequest } from '../../../agent/wire/schemas/checkin.ts';
import type { Succession } from '../../../agent/wire/schemas/enrolment.ts';
import { personSigners } from '../../../central/keys/person-keys.ts';
import { SILENT_INTERVALS } from '../../../central/service/bind-successor.ts';
import { takeCheckIn } from '../../../central/service/check-in.ts';
import { confirmDevice } from '../../../central/service/confirm-appliance.ts';
import { enrol } from '../../../central/service/enrol.ts';
import { newToken } from '../../../central/service/enrolment-token.ts';
import { confirmEpoch, epochStatus } from '../../../central/service/confirm-epoch.ts';
import { readBinding } from '../../../central/service/read-binding.ts';
import { storeUpload } from '../../../central/service/store-upload.ts';
import type { BindingRow } from '../../../central/store/appliance-table.ts';
import { bindDevice, makeInProcessCentral, START, type InProcessCentral } from '../../support/central-in-process.ts';
import {
  checkinRequestOf,
  claimOf,
  evidenceLines,
  makeDevice,
  type Device,
  type Enrolled,
} from '../../support/device.ts';
import { expectCode, expectCodeAsync } from '../../support/expect-code.ts';

const DAY_S = 86_400;
let central: InProcessCentral;
let me: Enrolled;
beforeEach(async () => {
  central = await makeInProcessCentral(START, [
    { id: 'jane', name: 'Jane' },
    { id: 'joe', name: 'Joe' },
  ]);
  me = await bindDevice(central, 'north-1');
});
afterEach(() => central.remove());

const current = (): BindingRow => central.store.appliances.binding('north-1')!;
const certificate = () => ({ applianceId: 'north-1', spki: me.device.tlsSpki });

/** A check-in that opens the epoch after the bound one under `next`, its succession signed by `by`. */
function opening(
  next: Signer,
  by: Signer,
  change: Partial<Succession> = {},
  request: Partial<CheckinRequest> = {},
): Buffer {
  const bound = readBinding(current()).value;
  const succession: Succession = {
    schema: 'compliance-agent/succession/v1',
    appliance_id: 'north-1',
    old_origin: bound.origin,
    new_origin: nextOrigin(bound),
    new_device_spki: next.spki,
    signed_with: 'device',
    issued_at: central.now(),
    ...change,
  };
  const ended = { own_size: 3, own_root: 'ab'.repeat(32), witnessed_size: null, witnessed_root: null };
  const value = checkinRequestOf(me, {
    epoch: bound.epoch + 1,
    epoch_state: {
      status: 'unbound',
      succession: toEmbedded(signDocument('succession', succession, [by])),
      ended: { ...ended, old_origin: bound.origin, cause: 'log_rewound' },
    },
    ...request,
  });
  return Buffer.from(encodeEnvelope(signDocument('checkinRequest', value, [next])));
}
const asking = (by: Signer, change: Partial<CheckinRequest>): Buffer =>
  Buffer.from(encodeEnvelope(signDocument('checkinRequest', checkinRequestOf(me, change), [by])));
const ask = (body: Buffer): CheckinAnswer => takeCheckIn(central, certificate(), body).answer;
const alarms = (): string[] =>
  central.store.alarms
    .list(50)
    .filter((alarm) => alarm.cleared_at === null)
    .map((alarm) => `${alarm.kind} ${alarm.subject}`)
    .toSorted();

describe('the epoch that an appliance opens itself', () => {
  it('is bound as provisional, names what was witnessed before, and people are told why', () => {
    const { signer } = generateEd25519();
    const answer = ask(opening(signer, me.device.signer));
    const line = encodeEnvelope(envelopeFromEmbedded(answer.binding!));
    const { value } = openDocument(central.trust.root().root, 'registrar', 'binding', line);
    expect(value).toMatchObject({
      epoch: 2,
      status: 'provisional',
      approver: 'unconfirmed',
      device_spki: signer.spki,
      previous: { origin: me.origin, size: 0 },
    });
    expect(alarms()).toEqual([`epoch_provisional ${value.origin}`, `log_rewound ${me.origin}`]);
    expect(central.store.epochs.succession(value.origin)).toMatchObject({ cause: 'log_rewound', own_size: 3 });
  });

  it('is opened once: asked again after the answer was lost, the same binding comes', () => {
    const { signer } = generateEd25519();
    const body = opening(signer, me.device.signer);
    const first = ask(body);
    const request = JSON.parse(
      Buffer.from((JSON.parse(body.toString()) as { payload: string }).payload, 'base64').toString(),
    ) as CheckinRequest;
    const again = ask(
      asking(signer, { epoch: 2, ...(request.epoch_state === undefined ? {} : { epoch_state: request.epoch_state }) }),
    );
    expect(again.binding).toEqual(first.binding);
    expect(central.store.appliances.bindings('north-1')).toHaveLength(2);
  });

  it.each<[string, (next: Signer) => Buffer, string]>([
    ['a foreign key', (next) => opening(next, generateEd25519().signer), 'signature_invalid'],
    ['the new key itself', (next) => opening(next, next), 'signature_invalid'],
    [
      'the old key, for another appliance',
      (next) => opening(next, me.device.signer, { appliance_id: 'north-2' }),
      'succession_invalid',
    ],
    [
      'the old key, over an epoch',
      (next) => opening(next, me.device.signer, { new_origin: me.origin.replace(/1$/, '3') }),
      'succession_invalid',
    ],
    [
      'the old key, for another key than the one that asks',
      (next) => opening(next, me.device.signer, { new_device_spki: generateEd25519().signer.spki }),
      'signature_invalid',
    ],
    [
      'the old key, in a request for the old epoch',
      (next) => opening(next, me.device.signer, {}, { epoch: 1 }),
      'epoch_unknown',
    ],
  ])('is not opened by a succession that is signed by %s', (_, make, code) => {
    expectCode(() => ask(make(generateEd25519().signer)), code as 'signature_invalid');
    expect(central.store.appliances.bindings('north-1')).toHaveLength(1);
    expect(alarms()).toEqual([]);
  });

  it('is refused within 24 hours of the one before, and taken after', () => {
    const [second, third] = [generateEd25519().signer, generateEd25519().signer];
    ask(opening(second, me.device.signer));
    central.advance(DAY_S - 1);
    expectCode(() => ask(opening(third, second)), 'epoch_too_soon');
    expect(current().epoch).toBe(2);
    central.advance(1);
    ask(opening(third, second));
    expect(current().epoch).toBe(3);
  });

  it('is not opened by a thief of the TLS key while the device key is in use, and by the TLS key alone once that is silent', () => {
    const key = createPrivateKey(me.device.tlsKeyPem);
    const spki = me.device.tlsSpki;
    const tls: Signer = { keyid: keyidOf(spki), spki, sign: (data) => sign('sha256', data, key) };
    const next = generateEd25519().signer;
    const open = () => ask(opening(next, tls, { signed_with: 'tls' }));
    ask(asking(me.device.signer, { epoch: 1 }));
    expectCode(open, 'epoch_too_soon');
    const silence = SILENT_INTERVALS * central.intervals.checkinS;
    central.advance(silence - 1);
    expectCode(open, 'epoch_too_soon');
    expect(ask(asking(me.device.signer, { epoch: 1 })).appliance_id).toBe('north-1');
    central.advance(silence);
    expect(open().binding).toBeDefined();
    expect(current().epoch).toBe(2);
  });

  it('ends the one before: its key is answered no more, and a machine that was set back to it is known', () => {
    const { signer } = generateEd25519();
    ask(opening(signer, me.device.signer));
    expectCode(() => ask(asking(me.device.signer, { epoch: 1 })), 'epoch_unknown');
    expect(alarms()).toContain(`log_rewound ${me.origin}`);
  });

  it('leaves the log before it open for uploads', async () => {
    const lines = evidenceLines(me, 2);
    ask(opening(generateEd25519().signer, me.device.signer));
    const body = gzipSync(lines.map((line) => `${line}\n`).join(''));
    await storeUpload(central, certificate(), { origin: me.origin, firstSeq: 0, body });
    expect(central.evidence.state(me.origin).size).toBe(2);
    const other = await bindDevice(central, 'north-2');
    const foreign = storeUpload(central, certificate(), { origin: other.origin, firstSeq: 0, body });
    await expectCodeAsync(foreign, 'origin_not_bound');
  });

  it('is confirmed by two persons where the root asks for two: by the first alone it stays provisional', async () => {
    const { signer } = generateEd25519();
    ask(opening(signer, me.device.signer));
    const [jane, joe] = await personSigners(central.keysDir, 'operator', central.trust.root().root);
    const provisional: Partial<CheckinRequest> = { epoch: 2, epoch_state: { status: 'provisional' } };
    expect(confirmEpoch(central, 'north-1', [jane!])).toMatchObject({ persons: ['jane'], needed: 2, confirmed: false });
    expect(confirmEpoch(central, 'north-1', [jane!])).toMatchObject({ confirmed: false });
    expect(epochStatus(central.store, current())).toBe('provisional');
    expect(ask(asking(signer, provisional)).confirmation).toBeUndefined();

    expect(confirmEpoch(central, 'north-1', [joe!])).toMatchObject({ persons: ['jane', 'joe'], confirmed: true });
    expect(epochStatus(central.store, current())).toBe('confirmed');
    const { confirmation } = ask(asking(signer, provisional));
    const line = encodeEnvelope(envelopeFromEmbedded(confirmation!));
    const { root } = central.trust.root();
    expect(openEpochConfirmation(root, readBinding(current()), line).persons).toEqual(['jane', 'joe']);
    expect(alarms()).toEqual([`log_rewound ${me.origin}`]);
    expect(ask(asking(signer, { epoch: 2 })).confirmation).toBeUndefined();
  });

  it('is signed for by nobody where the stored draft says something else: what people sign is made from the binding', async () => {
    const [jane] = await personSigners(central.keysDir, 'operator', central.trust.root().root);
    ask(opening(generateEd25519().signer, me.device.signer));
    const { origin } = current();
    const planted = encodeDocument('epochConfirmation', {
      schema: 'compliance-agent/epoch-confirmation/v1',
      partner_id: readBinding(current()).value.partner_id,
      site_id: current().site_id,
      appliance_id: 'north-2',
      origin: origin.replace('north-1', 'north-2'),
      binding_sha256: 'ab'.repeat(32),
      issued_at: central.now(),
    });
    central.store.epochs.draft(origin, planted.toString('utf8'), central.now());
    expectCode(() => confirmEpoch(central, 'north-1', [jane!]), 'draft_invalid');
    expect(central.store.epochs.signatures(origin)).toEqual([]);
  });

  it('is begun by a machine that replaces one without keys; the old machine is enrolled no more', async () => {
    const fresh = await makeDevice();
    const claimWith = async (device: Device) => {
      const { token } = newToken(central, 'north', 1);
      const line = encodeEnvelope(signDocument('claim', claimOf(device, token), [device.signer]));
      const answer = await enrol(central, Buffer.from(line));
      return openDocument(central.trust.root().root, 'timestamp', 'claimAnswer', answer).value;
    };
    expect(await claimWith(fresh)).toMatchObject({ status: 'pending' });
    const pending = central.store.enrolments.byDevice(fresh.signer.spki)!;
    expectCode(() => confirmDevice(central, pending, { approver: 'jane', applianceId: 'north-1' }), 'appliance_exists');
    confirmDevice(central, pending, { approver: 'jane', applianceId: 'north-1', replace: true });
    expect(await claimWith(fresh)).toMatchObject({ status: 'confirmed' });
    expect(readBinding(current()).value).toMatchObject({
      epoch: 2,
      status: 'confirmed',
      device_spki: fresh.signer.spki,
      previous: { origin: me.origin, size: 0 },
    });
    expect(await claimWith(me.device)).toMatchObject({ status: 'refused', code: 'appliance_replaced' });
    expectCode(() => ask(asking(me.device.signer, { epoch: 1 })), 'identity_mismatch');
  });

  it('is nothing to confirm where the epoch was bound at enrolment', async () => {
    const signers = await personSigners(central.keysDir, 'operator', central.trust.root().root);
    expectCode(() => confirmEpoch(central, 'north-1', signers), 'usage');
    expectCode(() => confirmEpoch(central, 'nobody', signers), 'appliance_unknown');
  });
});
