import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isAgentError } from '../../../agent/errors/agent-error.ts';
import type { ErrorCode } from '../../../agent/errors/codes.ts';
import type { HttpsClient } from '../../../agent/https/client.ts';
import { enrolOnce, type ClaimSource } from '../../../agent/identity/enrol.ts';
import { loadOrCreateKeys, type DeviceKeys } from '../../../agent/identity/keys.ts';
import type { Provision } from '../../../agent/identity/provision-files.ts';
import { verifyStrict } from '../../../agent/trust/verify-signature.ts';
import { parseDocument } from '../../../agent/wire/document.ts';
import { pae, parseEnvelope } from '../../../agent/wire/dsse.ts';
import type { Binding, ClaimAnswer } from '../../../agent/wire/schemas/enrolment.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { fakeClock, type FakeClock } from '../../support/fakes/fake-clock.ts';
import { fakeIds } from '../../support/fakes/fake-ids.ts';
import {
  problem,
  startScriptedCentral,
  type ScriptedCentral,
  type ScriptedRequest,
} from '../../support/scripted-central.ts';
import { makeTestCa } from '../../support/test-ca.ts';
import { APPLIANCE, NOW, SITE, signerFrom } from '../../support/trust-fixtures.ts';

const TOKEN = Buffer.alloc(32, 7).toString('base64');
const STICK: ClaimSource = { source: 'usb', token: TOKEN };
const DAY_S = 86_400;
const signal = new AbortController().signal;
let central: ScriptedCentral;
let dir: string;
let keys: DeviceKeys;
let clock: FakeClock;
let https: HttpsClient;
let provision: Provision;

beforeAll(async () => {
  central = await startScriptedCentral();
  dir = mkdtempSync(join(tmpdir(), 'enrol-'));
  keys = loadOrCreateKeys(dir);
});
beforeEach(() => {
  central.requests.length = 0;
  clock = fakeClock({ wallMs: NOW * 1000 });
  https = central.client();
  provision = {
    centralUrl: `https://127.0.0.1:${central.server.port}`,
    token: TOKEN,
    claimUrl: 'https://portal.example/claim',
    root: central.trust.root,
    caPem: central.ca.caPem,
    caPins: [central.ca.caPin, 'f'.repeat(64)],
    place: dir,
  };
});
afterEach(() => https.close());
afterAll(async () => {
  await central.server.close();
  rmSync(dir, { recursive: true, force: true });
});

const enrol = () =>
  enrolOnce({ https, clock, ids: fakeIds(1, clock), keys, agentVersion: '0.1.0' }, provision, signal, STICK);

const answer = (request: ScriptedRequest, change: Partial<ClaimAnswer>): ClaimAnswer => ({
  schema: 'compliance-agent/claim-answer/v1',
  request_sha256: request.payloadSha256,
  server_time: NOW,
  expires_at: NOW + 300,
  status: 'pending',
  next_claim_s: 10,
  ...change,
});
const reply = (change: Partial<ClaimAnswer>): void => {
  central.enrolments = (request) => central.trust.sign('claimAnswer', answer(request, change));
};

interface Bend {
  binding?: Partial<Binding>;
  bindingSigner?: string;
  enrolled?: Partial<NonNullable<ClaimAnswer['enrolled']>>;
}
/** In date at the time of the fixtures, so that only the bent part is wrong. */
const IN_DATE = { notBefore: new Date((NOW - DAY_S) * 1000), notAfter: new Date((NOW + DAY_S) * 1000) };

/** What a confirmed answer holds, bent as a test wants it. */
async function enrolled(bend: Bend = {}): Promise<NonNullable<ClaimAnswer['enrolled']>> {
  const { certPem } = await central.ca.issueClientFor({
    cn: APPLIANCE,
    spki: keys.tlsSpki,
    ...IN_DATE,
  });
  const binding = central.trust.binding({ device_spki: keys.signer.spki, tls_spki: keys.tlsSpki, ...bend.binding });
  const signer = central.trust.keys[bend.bindingSigner ?? 'registrar']!;
  return {
    appliance_id: APPLIANCE,
    site_id: SITE,
    certificate: certPem,
    binding: central.trust.embed('binding', binding, signer),
    policy: null,
    ...bend.enrolled,
  };
}

describe('a claim', () => {
  it('is signed by the device key that it names, and carries token, TLS key and certificate request', async () => {
    reply({});
    await enrol();
    const envelope = parseEnvelope(central.requests[0]!.body, { maxBytes: 100_000 });
    const claim = parseDocument('claim', envelope.payload);
    expect(claim).toMatchObject({ source: 'usb', token: TOKEN, device_spki: keys.signer.spki, tls_spki: keys.tlsSpki });
    const data = pae(envelope.payloadType, envelope.payload);
    expect(verifyStrict(claim.device_spki, data, envelope.signatures[0]!.sig)).toBe(true);
  });

  it('is sent again with a fresh nonce until it is confirmed', async () => {
    reply({ next_claim_s: 7 });
    const ids = fakeIds(1, clock);
    for (let i = 0; i < 2; i++) {
      const result = await enrolOnce({ https, clock, ids, keys, agentVersion: '0.1.0' }, provision, signal, STICK);
      expect(result).toMatchObject({ status: 'pending', retryInS: 7 });
    }
    const [first, second] = central.requests.map((r) =>
      parseDocument('claim', parseEnvelope(r.body, { maxBytes: 100_000 }).payload),
    );
    expect(first!.nonce).not.toBe(second!.nonce);
    expect(first!.token).toBe(second!.token);
  });

  it.each<[string, ClaimSource, object]>([
    ['its label', { source: 'mac' }, { source: 'mac' }],
    ['a claim code', { source: 'qr', code: 'ab'.repeat(16) }, { source: 'qr', code: 'ab'.repeat(16) }],
  ])('by %s carries neither token nor anything of another source', async (_name, source, fields) => {
    reply({});
    const deps = { https, clock, ids: fakeIds(1, clock), keys, agentVersion: '0.1.0' };
    expect(await enrolOnce(deps, provision, signal, source)).toMatchObject({ status: 'pending' });
    const envelope = parseEnvelope(central.requests[0]!.body, { maxBytes: 100_000 });
    const { source: kind, token, code } = parseDocument('claim', envelope.payload);
    expect(JSON.parse(JSON.stringify({ source: kind, token, code }))).toEqual(fields);
  });
});

describe('a confirmed enrolment', () => {
  it('gives identity and policy once all of it names our keys', async () => {
    const policy = central.trust.embed('sitePolicy', central.trust.policy());
    reply({ status: 'confirmed', enrolled: await enrolled({ enrolled: { policy } }) });
    const result = await enrol();
    expect(result).toMatchObject({
      status: 'confirmed',
      identity: {
        applianceId: APPLIANCE,
        siteId: SITE,
        epoch: 1,
        deploymentMode: 'reseller',
        caPins: provision.caPins,
      },
      policy: { value: { version: 1 } },
    });
  });

  it('is judged by the time of the answer, whatever the wall clock says', async () => {
    clock.setWall((NOW - 3 * 365 * DAY_S) * 1000);
    reply({ status: 'confirmed', enrolled: await enrolled() });
    expect((await enrol()).status).toBe('confirmed');
  });

  const other = signerFrom('other device');
  const cases: [string, ErrorCode, () => Promise<NonNullable<ClaimAnswer['enrolled']>>][] = [
    ['names another device key', 'enrolment_mismatch', () => enrolled({ binding: { device_spki: other.spki } })],
    [
      'names another TLS key',
      'enrolment_mismatch',
      () => enrolled({ binding: { tls_spki: central.trust.binding().tls_spki } }),
    ],
    [
      'names another appliance than the binding',
      'enrolment_mismatch',
      () => enrolled({ enrolled: { appliance_id: 'other-1' } }),
    ],
    [
      'names another site than the binding',
      'enrolment_mismatch',
      () => enrolled({ enrolled: { site_id: 'elsewhere' } }),
    ],
    ['is bound for another partner', 'binding_invalid', () => enrolled({ binding: { partner_id: 'other-partner' } })],
    [
      'is bound to an origin of another appliance',
      'binding_invalid',
      () => enrolled({ binding: { origin: 'logs.northern-it.example/other-1/1' } }),
    ],
    ['is bound by the order key', 'signature_invalid', () => enrolled({ bindingSigner: 'order' })],
    ['is bound by the timestamp key', 'signature_invalid', () => enrolled({ bindingSigner: 'timestamp' })],
    [
      'carries garbage for a certificate',
      'enrolment_mismatch',
      () => enrolled({ enrolled: { certificate: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' } }),
    ],
    [
      'carries a certificate for another key',
      'enrolment_mismatch',
      async () =>
        enrolled({ enrolled: { certificate: (await central.ca.issueClient({ cn: APPLIANCE, ...IN_DATE })).certPem } }),
    ],
    [
      'carries a certificate of another CA',
      'enrolment_mismatch',
      async () => {
        const stranger = await makeTestCa();
        return enrolled({
          enrolled: {
            certificate: (await stranger.issueClientFor({ cn: APPLIANCE, spki: keys.tlsSpki, ...IN_DATE })).certPem,
          },
        });
      },
    ],
    [
      'carries a certificate that makes us a CA',
      'enrolment_mismatch',
      async () =>
        enrolled({
          enrolled: { certificate: await central.ca.issueCaFor({ cn: APPLIANCE, spki: keys.tlsSpki, ...IN_DATE }) },
        }),
    ],
    [
      'carries a certificate that is not valid at the time of the answer',
      'enrolment_mismatch',
      async () => {
        const { certPem } = await central.ca.issueClientFor({
          cn: APPLIANCE,
          spki: keys.tlsSpki,
          notBefore: new Date((NOW - 9 * DAY_S) * 1000),
          notAfter: new Date((NOW - DAY_S) * 1000),
        });
        return enrolled({ enrolled: { certificate: certPem } });
      },
    ],
    [
      'carries a policy of another site',
      'policy_other_site',
      () =>
        enrolled({
          enrolled: { policy: central.trust.embed('sitePolicy', central.trust.policy({ site_id: 'elsewhere' })) },
        }),
    ],
    [
      'carries a policy that one person alone signed',
      'threshold_not_met',
      () =>
        enrolled({
          enrolled: {
            policy: central.trust.embed('sitePolicy', central.trust.policy(), central.trust.keys['operator:alice']!),
          },
        }),
    ],
  ];
  it.each(cases)('is refused when it %s (%s)', async (_name, code, make) => {
    reply({ status: 'confirmed', enrolled: await make() });
    await expectCodeAsync(enrol(), code);
  });

  it('is refused when it is empty', async () => {
    reply({ status: 'confirmed' });
    await expectCodeAsync(enrol(), 'enrolment_mismatch');
  });
});

describe('answers to a claim', () => {
  it('tells why Central Command refused', async () => {
    reply({ status: 'refused', code: 'enrolment_token_expired' });
    const error = await expectCodeAsync(enrol(), 'enrolment_refused');
    expect(error.details['code']).toBe('enrolment_token_expired');
  });

  it('is refused when it answers another claim', async () => {
    reply({ request_sha256: '0'.repeat(64) });
    await expectCodeAsync(enrol(), 'answer_other_request');
  });

  it('is refused when it came more than 60 s after its claim', async () => {
    central.enrolments = async (request) => {
      await clock.advance(60_001);
      return central.trust.sign('claimAnswer', answer(request, {}));
    };
    await expectCodeAsync(enrol(), 'answer_late');
  });

  it('is refused when another role signed it', async () => {
    central.enrolments = (request) =>
      central.trust.sign('claimAnswer', answer(request, {}), central.trust.keys['registrar']!);
    await expectCodeAsync(enrol(), 'signature_invalid');
  });

  it('is refused when it is a check-in answer', async () => {
    central.enrolments = (request) => central.trust.sign('checkinAnswer', central.answer(request));
    await expectCodeAsync(enrol(), 'payload_type_mismatch');
  });

  it('names a refusal without a signature by its status and code', async () => {
    central.enrolments = (_request, response) =>
      problem(response, 429, 'rate_limited', { headers: { 'retry-after': '30' } });
    const error = await expectCodeAsync(enrol(), 'http_unavailable');
    expect(error.details).toMatchObject({ problem_code: 'rate_limited', retry_after_s: 30 });
  });

  it('never shows the token in an error', async () => {
    for (const change of [{ status: 'refused' as const }, { request_sha256: '0'.repeat(64) }]) {
      reply(change);
      const error: unknown = await enrol().catch((e: unknown) => e);
      if (!isAgentError(error)) throw error;
      expect(JSON.stringify([error.message, error.details, error.describe(), String(error.cause)])).not.toContain(
        TOKEN,
      );
    }
  });
});
