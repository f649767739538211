import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { signDocument } from '../../../agent/wire/document.ts';
import { encodeEnvelope } from '../../../agent/wire/dsse.ts';
import { openDocument } from '../../../agent/trust/open-document.ts';
import { buildAnswer } from '../../../central/service/build-answer.ts';
import { takeCheckIn } from '../../../central/service/check-in.ts';
import { certificateFor } from '../../../central/service/device-certificate.ts';
import { enrol } from '../../../central/service/enrol.ts';
import { newToken } from '../../../central/service/enrolment-token.ts';
import { raiseSilent } from '../../../central/service/watch-silence.ts';
import { expectCode } from '../../support/expect-code.ts';
import { bindDevice, makeInProcessCentral, START, type InProcessCentral } from '../../support/central-in-process.ts';
import { checkinRequestOf, claimOf, makeDevice, type Device, type Enrolled } from '../../support/device.ts';

let central: InProcessCentral;
beforeEach(async () => {
  central = await makeInProcessCentral();
});
afterEach(() => central.remove());

const claimWith = async (device: Device, token: string) => {
  const line = await enrol(
    central,
    Buffer.from(encodeEnvelope(signDocument('claim', claimOf(device, token), [device.signer]))),
  );
  return openDocument(central.trust.root().root, 'timestamp', 'claimAnswer', line).value;
};
const postCheckin = (me: Enrolled, change = {}) =>
  takeCheckIn(
    central,
    { applianceId: me.applianceId, spki: me.device.tlsSpki },
    Buffer.from(encodeEnvelope(signDocument('checkinRequest', checkinRequestOf(me, change), [me.device.signer]))),
  );

describe('what runs out at Central Command', () => {
  it('takes a token until its last second, and after it only from the device that used it in time', async () => {
    const [device, late] = [await makeDevice(), await makeDevice()];
    const [first, second] = [newToken(central, 'north', 1), newToken(central, 'north', 1)];
    central.advance(86_399);
    expect((await claimWith(device, first.token)).status).toBe('pending');
    central.advance(1);
    expect(await claimWith(late, second.token)).toMatchObject({
      status: 'refused',
      code: 'enrolment_token_expired',
    });
    expect((await claimWith(device, first.token)).status).toBe('pending');
    expectCode(() => newToken(central, 'south', 1), 'site_unknown');
  });

  it('hands the same certificate out again only while it is nearly new', async () => {
    const me = await bindDevice(central, 'north-1');
    const binding = central.store.appliances.binding('north-1')!;
    central.advance(3_600);
    expect(await certificateFor(central, binding)).toBe(me.tls.cert);
    central.advance(7_200);
    const next = await certificateFor(central, binding);
    expect(next).not.toBe(me.tls.cert);
    expect(Date.parse(new X509Certificate(next).validTo) / 1_000).toBe(START + 10_800 + 86_400);
  });

  it('answers for five minutes and names the request that it answers', async () => {
    await bindDevice(central, 'north-1');
    const answer = buildAnswer(central, central.store.appliances.binding('north-1')!, 'ab'.repeat(32));
    expect(answer).toMatchObject({ server_time: START, expires_at: START + 300, request_sha256: 'ab'.repeat(32) });
  });

  it('raises one alarm for an appliance that falls silent, until it is heard again', async () => {
    const me = await bindDevice(central, 'north-1');
    postCheckin(me);
    central.advance(300);
    expect(raiseSilent(central)).toEqual([]);
    central.advance(1);
    expect(raiseSilent(central)).toEqual(['north-1']);
    central.advance(60);
    raiseSilent(central);
    const open = () => central.store.alarms.list(10).filter((alarm) => alarm.cleared_at === null);
    expect(open()).toMatchObject([{ kind: 'appliance_silent', subject: 'north-1', raised_at: START + 301 }]);
    postCheckin(me);
    expect(open()).toEqual([]);
  });

  it('remembers counters across a restart', async () => {
    const me = await bindDevice(central, 'north-1');
    postCheckin(me, { counter: 5_000 });
    central = await central.reopen();
    expectCode(() => postCheckin(me, { counter: 5_000 }), 'counter_reused');
    postCheckin(me, { counter: 5_001 });
  });
});
