import { createHash, X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { signDocument } from '../../../agent/wire/document.ts';
import { encodeEnvelope, signEnvelope, type Signer } from '../../../agent/wire/dsse.ts';
import { generateEd25519 } from '../../../agent/wire/node-signature.ts';
import type { CertificateRequest } from '../../../agent/wire/schemas/enrolment.ts';
import { CHALLENGE_LIFE_S } from '../../../central/service/challenges.ts';
import { takeCheckIn } from '../../../central/service/check-in.ts';
import { enrol } from '../../../central/service/enrol.ts';
import { findDocument } from '../../../central/service/find-document.ts';
import { issueOrder } from '../../../central/service/issue-order.ts';
import { newToken } from '../../../central/service/enrolment-token.ts';
import { openDocument } from '../../../agent/trust/open-document.ts';
import { renewCertificate } from '../../../central/service/renew-certificate.ts';
import { revokeAppliance, vouchFor } from '../../../central/service/revoke-appliance.ts';
import { storeUpload } from '../../../central/service/store-upload.ts';
import { raiseSilent } from '../../../central/service/watch-silence.ts';
import { bindDevice, makeInProcessCentral, START, type InProcessCentral } from '../../support/central-in-process.ts';
import { checkinRequestOf, claimOf, makeDevice, type Enrolled } from '../../support/device.ts';
import { expectCode, expectCodeAsync } from '../../support/expect-code.ts';

const DAY_S = 86_400;
let central: InProcessCentral;
let me: Enrolled;
let other: Enrolled;
beforeEach(async () => {
  central = await makeInProcessCentral();
  me = await bindDevice(central, 'north-1');
  other = await bindDevice(central, 'north-2');
});
afterEach(() => central.remove());

const sha256 = (base64: string): string => createHash('sha256').update(Buffer.from(base64, 'base64')).digest('hex');
const requestOf = (who: Enrolled, change: Partial<CertificateRequest> = {}): CertificateRequest => {
  const csr = change.csr ?? who.device.csr;
  return {
    schema: 'compliance-agent/certificate-request/v1',
    appliance_id: who.applianceId,
    challenge: null,
    csr,
    csr_sha256: sha256(csr),
    sent_at: START,
    ...change,
  };
};
const bytes = (request: CertificateRequest, signer: Signer): Buffer =>
  Buffer.from(encodeEnvelope(signDocument('certificateRequest', request, [signer])));
const certificateOf = (who: Enrolled) => ({ applianceId: who.applianceId, spki: who.device.tlsSpki });
const noCertificate = (): never => expect.fail('the client certificate was looked at');

/** `change` and `signer` bend the request of `me`. */
const renew = (change: Partial<CertificateRequest> = {}, signer = me.device.signer, client = certificateOf(me)) =>
  renewCertificate(central, () => client, bytes(requestOf(me, change), signer));
const recover = (challenge: string, who = me, change: Partial<CertificateRequest> = {}, signer = who.device.signer) =>
  renewCertificate(central, noCertificate, bytes(requestOf(who, { challenge, ...change }), signer));
const issuedFor = () => central.store.appliances.latestCertificate('north-1')?.issued_for;
const dates = (pem: string): [number, number] => {
  const { validFromDate, validToDate } = new X509Certificate(pem);
  return [validFromDate.getTime() / 1_000, validToDate.getTime() / 1_000];
};

describe('renewing a certificate over mutual TLS', () => {
  it('gives a new one for the bound key at two thirds of its life, and the same again when asked again', async () => {
    central.advance((DAY_S * 2) / 3);
    const pem = await renew();
    const certificate = new X509Certificate(pem);
    expect(certificate.subject).toBe('CN=north-1');
    expect(certificate.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')).toBe(me.device.tlsSpki);
    expect(dates(pem)).toEqual([central.now() - 300, central.now() + DAY_S]);
    expect(await renew()).toBe(pem);
    expect(issuedFor()).toBe('renewal');
  });

  it('gives no nearly new certificate again once another TLS key is bound', async () => {
    const next = await makeDevice();
    const old = central.store.appliances.binding('north-1')!;
    const origin = old.origin.replace(/1$/, '2');
    central.store.appliances.addBinding({ ...old, epoch: 2, origin, tls_spki: next.tlsSpki });
    const pem = await recover(central.challenges.issue('north-1'), me, { csr: next.csr });
    const { publicKey } = new X509Certificate(pem);
    expect(publicKey.export({ type: 'spki', format: 'der' }).toString('base64')).toBe(next.tlsSpki);
  });

  it('refuses a request that the device key did not sign: the TLS key alone gets nothing', async () => {
    central.advance(DAY_S);
    await expectCodeAsync(renew({}, other.device.signer), 'signature_invalid');
    await expectCodeAsync(renew({}, generateEd25519().signer), 'signature_invalid');
    expect(issuedFor()).toBe('enrolment');
  });

  it('refuses a device key without the TLS key: the connection must show the certificate of the same appliance', async () => {
    await expectCodeAsync(renew({}, me.device.signer, certificateOf(other)), 'identity_mismatch');
    const stolen = { applianceId: 'north-1', spki: other.device.tlsSpki };
    await expectCodeAsync(renew({}, me.device.signer, stolen), 'identity_mismatch');
  });

  it('refuses a certificate request for another key than the bound one', async () => {
    await expectCodeAsync(renew({ csr: other.device.csr }), 'csr_invalid');
    await expectCodeAsync(renew({ csr_sha256: sha256(other.device.csr) }), 'csr_invalid');
  });

  it('refuses what is signed as another document', async () => {
    const claim = encodeEnvelope(signDocument('claim', claimOf(me.device, 'AAAA'), [me.device.signer]));
    const anyClient = () => certificateOf(me);
    await expectCodeAsync(renewCertificate(central, anyClient, Buffer.from(claim)), 'payload_type_mismatch');
    const twice = signEnvelope(
      'application/vnd.compliance-agent.certificate-request+json',
      Buffer.from(JSON.stringify(requestOf(me))),
      [me.device.signer, other.device.signer],
    );
    await expectCodeAsync(
      renewCertificate(central, anyClient, Buffer.from(encodeEnvelope(twice))),
      'signature_invalid',
    );
  });
});

describe('recovering a lapsed certificate', () => {
  it('takes a challenge and the device key, and backdates the certificate by a day', async () => {
    central.advance(40 * DAY_S);
    const pem = await recover(central.challenges.issue('north-1'));
    expect(dates(pem)).toEqual([central.now() - DAY_S, central.now() + DAY_S]);
    expect(issuedFor()).toBe('recovery');
  });

  it('takes a challenge once', async () => {
    const challenge = central.challenges.issue('north-1');
    await recover(challenge);
    await expectCodeAsync(recover(challenge), 'challenge_unknown');
  });

  it('takes a challenge for five minutes', async () => {
    const [inTime, late] = [central.challenges.issue('north-1'), central.challenges.issue('north-1')];
    central.advance(CHALLENGE_LIFE_S - 1);
    await recover(inTime);
    central.advance(1);
    await expectCodeAsync(recover(late), 'challenge_unknown');
  });

  it('takes a challenge for no other appliance, and the right one may still use it then', async () => {
    const challenge = central.challenges.issue('north-1');
    await expectCodeAsync(recover(challenge, other), 'challenge_unknown');
    await recover(challenge);
  });

  it('takes no challenge that it did not give, and none from before a restart', async () => {
    await expectCodeAsync(recover('0'.repeat(32)), 'challenge_unknown');
    const challenge = central.challenges.issue('north-1');
    central = await central.reopen();
    await expectCodeAsync(recover(challenge), 'challenge_unknown');
  });

  it('gives nothing to who has a challenge and the TLS key but not the device key, and the challenge is not used up', async () => {
    const challenge = central.challenges.issue('north-1');
    await expectCodeAsync(recover(challenge, me, {}, other.device.signer), 'signature_invalid');
    await recover(challenge);
  });

  it('says the same about an appliance that does not exist as about a wrong key', async () => {
    const challenge = central.challenges.issue('ghost');
    await expectCodeAsync(recover(challenge, me, { appliance_id: 'ghost' }), 'signature_invalid');
  });

  it('refuses the key of an epoch that is over: only the newest binding counts', async () => {
    const next = await makeDevice();
    const old = central.store.appliances.binding('north-1')!;
    central.store.appliances.addBinding({
      ...old,
      epoch: 2,
      origin: old.origin.replace(/1$/, '2'),
      device_spki: next.signer.spki,
    });
    await expectCodeAsync(recover(central.challenges.issue('north-1')), 'signature_invalid');
    await recover(central.challenges.issue('north-1'), me, {}, next.signer);
  });

  it('refuses while two machines were seen with the keys, until a person vouches for the appliance', async () => {
    const checkin = (counter: number) =>
      takeCheckIn(
        central,
        certificateOf(me),
        Buffer.from(
          encodeEnvelope(signDocument('checkinRequest', checkinRequestOf(me, { counter }), [me.device.signer])),
        ),
      );
    checkin(7_000);
    expectCode(() => checkin(7_000), 'counter_reused');
    await expectCodeAsync(recover(central.challenges.issue('north-1')), 'appliance_copied');
    vouchFor(central, 'north-1', 'jane');
    expect(central.store.alarms.list(1)).toMatchObject([
      { kind: 'appliance_vouched', subject: 'north-1', detail: 'by jane' },
    ]);
    await recover(central.challenges.issue('north-1'));
    expectCode(() => vouchFor(central, 'ghost', 'jane'), 'appliance_unknown');
  });

  it('keeps at most 10,000 challenges, the newest ones', () => {
    const first = central.challenges.issue('north-1');
    for (let i = 0; i < 10_000; i++) central.challenges.issue(`box-${i}`);
    expect(central.challenges.take(first, 'north-1')).toBe(false);
    const last = central.challenges.issue('north-1');
    expect(central.challenges.take(last, 'north-1')).toBe(true);
  });
});

describe('a revoked appliance', () => {
  const revoke = () => revokeAppliance(central, 'north-1', { reason: 'stolen on Friday', revokedBy: 'jane' });

  it('gets no certificate either way, in date or not', async () => {
    revoke();
    await expectCodeAsync(renew(), 'appliance_revoked');
    const error = await expectCodeAsync(recover(central.challenges.issue('north-1')), 'appliance_revoked');
    expect(error.details['reason']).toBe('stolen on Friday');
  });

  it('is heard nowhere, while another one is', async () => {
    revoke();
    const client = certificateOf(me);
    const checkin = (who: Enrolled) =>
      Buffer.from(encodeEnvelope(signDocument('checkinRequest', checkinRequestOf(who), [who.device.signer])));
    expectCode(() => takeCheckIn(central, client, checkin(me)), 'appliance_revoked');
    expectCode(() => findDocument(central, client, 'root', '1'), 'appliance_revoked');
    const upload = { origin: me.origin, firstSeq: 0, body: Buffer.alloc(0) };
    await expectCodeAsync(storeUpload(central, client, upload), 'appliance_revoked');
    expectCode(
      () => issueOrder(central, { applianceId: 'north-1', kind: 'run_check', issuedBy: 'test' }),
      'appliance_revoked',
    );
    takeCheckIn(central, certificateOf(other), checkin(other));
  });

  it('cannot enrol again with its keys', async () => {
    revoke();
    const { token } = newToken(central, 'north', 1);
    const body = encodeEnvelope(signDocument('claim', claimOf(me.device, token), [me.device.signer]));
    const line = await enrol(central, Buffer.from(body));
    const { value } = openDocument(central.trust.root().root, 'timestamp', 'claimAnswer', line);
    expect(value).toMatchObject({ status: 'refused', code: 'appliance_revoked' });
    expect(value.enrolled).toBe(undefined);
  });

  it('stays revoked with the first reason, keeps its binding, and is not called silent', () => {
    takeCheckIn(
      central,
      certificateOf(me),
      Buffer.from(encodeEnvelope(signDocument('checkinRequest', checkinRequestOf(me), [me.device.signer]))),
    );
    revoke();
    revokeAppliance(central, 'north-1', { reason: 'another reason', revokedBy: 'bob' });
    expect(central.store.appliances.revoked('north-1')).toMatchObject({
      reason: 'stolen on Friday',
      revoked_by: 'jane',
    });
    expect(central.store.appliances.binding('north-1')).not.toBe(null);
    central.advance(1_000);
    expect(raiseSilent(central)).toEqual([]);
  });

  it('is one that there is, with a reason of one line', () => {
    const by = (id: string, reason: string) => () => revokeAppliance(central, id, { reason, revokedBy: 'jane' });
    expectCode(by('ghost', 'gone'), 'appliance_unknown');
    for (const reason of ['', 'two\nlines', 'x'.repeat(201)]) expectCode(by('north-1', reason), 'usage');
  });
});
