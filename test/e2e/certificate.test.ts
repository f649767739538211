// Renewal and recovery of client certificates over real TLS, with a Central Command whose clock the test moves. TLS itself
// goes by this machine's clock, so Central Command starts in the past and is moved to the present.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { isAgentError, type AgentError } from '../../agent/errors/agent-error.ts';
import { initialState, type Enrolled as EnrolledState } from '../../agent/daemon/agent-state.ts';
import { blockingReason } from '../../agent/daemon/blocking-reason.ts';
import { centralClient } from '../../agent/daemon/central-client.ts';
import type { DaemonContext } from '../../agent/daemon/context.ts';
import { certificateStage } from '../../agent/daemon/stages/certificate-stage.ts';
import { expectAnswer } from '../../agent/https/expect-answer.ts';
import type { HttpsClient } from '../../agent/https/client.ts';
import { swappableClient } from '../../agent/https/swappable-client.ts';
import { loadOrCreateKeys } from '../../agent/identity/keys.ts';
import { makeCsr } from '../../agent/identity/make-csr.ts';
import { openStore, type EnrolledIdentity, type Store } from '../../agent/store/open-store.ts';
import { signDocument } from '../../agent/wire/document.ts';
import { encodeEnvelope, type Signer } from '../../agent/wire/dsse.ts';
import { listen } from '../../central/http/listen.ts';
import type { Central } from '../../central/service/central.ts';
import { revokeAppliance } from '../../central/service/revoke-appliance.ts';
import { fakeClock } from '../support/fakes/fake-clock.ts';
import { fakeIds } from '../support/fakes/fake-ids.ts';
import { memoryLog } from '../support/fakes/memory-log.ts';
import { bindDevice, makeInProcessCentral, type InProcessCentral } from '../support/central-in-process.ts';
import type { TestCentral } from '../support/central-process.ts';
import { postCheckin, send, type Device, type Enrolled } from '../support/device.ts';
import { expectCodeAsync } from '../support/expect-code.ts';

const DAY_S = 86_400;
const PATH = '/api/v1/appliances/certificate';
const DSSE = { 'content-type': 'application/vnd.dsse+json' };
const signal = new AbortController().signal;
const cleanUp: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).toReversed()) await step();
});

interface Running {
  readonly central: InProcessCentral;
  readonly url: string;
  /** For the helpers that speak to a Central Command as a device does. */
  readonly asSeen: TestCentral;
}

/** Started `agoS` before now, by its own clock and that of its certificates; `bend` makes it lie. */
async function serve(
  agoS: number,
  bend: (central: InProcessCentral) => Partial<Central> = () => ({}),
): Promise<Running> {
  const central = await makeInProcessCentral(Math.floor(Date.now() / 1_000) - agoS);
  cleanUp.push(() => central.remove());
  const server = await listen(
    { ...central, ...bend(central) },
    { dataDir: central.dataDir, host: '127.0.0.1', port: 0 },
  );
  cleanUp.push(() => server.close());
  const asSeen = { caPem: central.authority.caPem, root: central.trust.root() } as TestCentral;
  return { central, url: server.url, asSeen };
}

/** The parts of a running agent that the stage works on, enrolled at `central` with real keys and a real store. */
async function makeBox({ central, url }: Running, applianceId = 'north-1') {
  const dir = mkdtempSync(join(tmpdir(), 'certificate-'));
  const clock = fakeClock({ wallMs: Date.now() });
  const keys = loadOrCreateKeys(join(dir, 'keys'));
  const device: Device = { ...keys, csr: makeCsr(keys.tlsKeyPem, 'device') };
  const bound = await bindDevice(central, applianceId, device);
  const store = openStore({ dir, clock });
  const identity: EnrolledIdentity = {
    applianceId,
    siteId: bound.siteId,
    customerId: 'clinic',
    partnerId: 'acme',
    deploymentMode: 'reseller',
    resellerId: 'acme',
    origin: bound.origin,
    epoch: 1,
    bindingLine: bound.bindingLine,
    certificatePem: bound.tls.cert,
    centralUrl: url,
    caPem: central.authority.caPem,
    caPins: [central.authority.pin, 'f'.repeat(64)],
  };
  store.trust.saveIdentity(identity);
  const triggered: string[] = [];
  const state = initialState();
  const config = { central_url: null, poll_interval_s: 60 } as DaemonContext['config'];
  const base = { config, keys, state, store, clock };
  const https = swappableClient(centralClient(base, identity, central.trust.root().root, identity.certificatePem));
  state.enrolled = { identity, https, trust: { root: () => central.trust.root() } } as EnrolledState;
  const context = {
    ...base,
    ids: fakeIds(1, clock),
    log: memoryLog(),
    trigger: (name: string) => void triggered.push(name),
  } as unknown as DaemonContext;
  cleanUp.push(async () => {
    await https.close();
    store.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const stage = certificateStage(context);
  return {
    bound,
    state,
    store,
    https,
    triggered,
    run: () => stage.run(signal, 'run-1'),
    heard: () => getRoot(https),
    /** As a good check-in leaves it. */
    knowsTime: () =>
      store.trust.saveSignedTime({ serverTime: central.now(), bootMs: clock.bootMs(), bootId: clock.bootId() }),
    certificate: () => certificateIn(store),
  };
}

const certificateIn = (store: Store): string => store.trust.identity()!.certificatePem;

/** Any address that needs a certificate will do. */
async function getRoot(https: HttpsClient): Promise<void> {
  const response = await https.request({
    method: 'GET',
    path: '/api/v1/appliances/documents/root/1',
    deadlineMs: 10_000,
    maxResponseBytes: 100_000,
  });
  expectAnswer(response, { host: https.host, mediaType: 'application/vnd.dsse+json' });
}

async function refusalOf(what: Promise<unknown>): Promise<AgentError> {
  const error: unknown = await what.then(
    () => null,
    (reason: unknown) => reason,
  );
  return isAgentError(error) ? error : expect.fail('it was not refused');
}

/** A certificate request as `who` could send it; `signer` may be somebody else's. */
function requestBody(who: Enrolled, o: { challenge?: string | null; csr?: string; signer?: Signer } = {}): string {
  const csr = o.csr ?? who.device.csr;
  const request = {
    schema: 'compliance-agent/certificate-request/v1' as const,
    appliance_id: who.applianceId,
    challenge: o.challenge ?? null,
    csr,
    csr_sha256: createHash('sha256').update(Buffer.from(csr, 'base64')).digest('hex'),
    sent_at: Math.floor(Date.now() / 1_000),
  };
  return encodeEnvelope(signDocument('certificateRequest', request, [o.signer ?? who.device.signer]));
}

const challengeFor = async ({ asSeen, url }: Running, applianceId: string): Promise<string> => {
  const answer = await send(asSeen, url, `${PATH}/challenges/${applianceId}`);
  expect(answer.status).toBe(200);
  return (JSON.parse(answer.body) as { challenge: string }).challenge;
};
const ask = ({ asSeen, url }: Running, body: string, tls: Enrolled['tls'] | null = null) =>
  send(asSeen, url, PATH, { headers: DSSE, body, tls });

describe('an appliance whose certificate is running out', () => {
  it('renews it at two thirds of its life by signed time, and goes on with the new one', async () => {
    const running = await serve(62_500);
    const box = await makeBox(running);
    const first = box.certificate();
    running.central.advance(50_000);
    box.knowsTime();
    await box.run();
    expect(box.certificate()).toBe(first);
    running.central.advance(12_500);
    box.knowsTime();
    await box.run();
    expect(box.certificate()).not.toBe(first);
    // The first one is past its date now; what is kept open shows the second.
    running.central.advance(30_000);
    await box.heard();
    const answer = await postCheckin(running.asSeen, running.url, box.bound, { tls: box.bound.tls });
    expect([answer.status, answer.code]).toEqual([401, 'client_certificate_lapsed']);
    await box.run();
    expect(box.triggered).toEqual([]);
  });

  it('was off for 40 days: it is told that its certificate lapsed, and recovers a new one by itself', async () => {
    const running = await serve(40 * DAY_S);
    const box = await makeBox(running);
    running.central.advance(40 * DAY_S);
    await box.run();
    expect(box.triggered).toEqual([]);
    box.state.checkinError = await refusalOf(box.heard());
    expect(box.state.checkinError.details['problem_code']).toBe('client_certificate_lapsed');
    await box.run();
    expect(box.triggered).toEqual(['checkin']);
    await box.heard();
    const recovered = box.certificate();
    // The refusal was about the old certificate: it is not taken for one of the new.
    await box.run();
    expect(box.certificate()).toBe(recovered);
  });

  it.each<[string, (central: InProcessCentral) => { applianceId?: string; spki?: string; now?: number }]>([
    ['for another key', (central) => ({ spki: central.store.appliances.binding('north-2')!.tls_spki })],
    ['for another appliance', () => ({ applianceId: 'north-2' })],
    ['that ends no later than the one that is held', (central) => ({ now: central.now() - 40 * DAY_S })],
  ])('takes no certificate %s, keeps the one that it has, and says so', async (_what, wrong) => {
    const running = await serve(40 * DAY_S, (central) => ({
      authority: {
        ...central.authority,
        issueDevice(o) {
          const { spki, ...rest } = wrong(central);
          return central.authority.issueDevice({
            ...o,
            ...rest,
            ...(spki === undefined ? {} : { spki: Buffer.from(spki, 'base64') }),
          });
        },
      },
    }));
    const box = await makeBox(running);
    await bindDevice(running.central, 'north-2');
    const before = box.certificate();
    running.central.advance(40 * DAY_S);
    box.state.checkinError = await refusalOf(box.heard());
    await expectCodeAsync(box.run(), 'certificate_mismatch');
    expect(box.certificate()).toBe(before);
    expect(blockingReason({ ...box.state, enrolled: null })).toMatchObject({ code: 'certificate_mismatch' });
  });

  it('is revoked: it says so with the reason, and gets no certificate', async () => {
    const running = await serve(40 * DAY_S);
    const box = await makeBox(running);
    revokeAppliance(running.central, 'north-1', { reason: 'returned by the clinic', revokedBy: 'jane' });
    running.central.advance(40 * DAY_S);
    box.state.checkinError = await refusalOf(box.heard());
    const refused = await refusalOf(box.run());
    expect(refused.details['problem_code']).toBe('appliance_revoked');
    box.state.checkinError = refused;
    expect(blockingReason({ ...box.state, enrolled: null })).toMatchObject({
      code: 'appliance_revoked',
      sentence: 'Central Command has revoked this appliance: returned by the clinic.',
    });
  });
});

describe('somebody who wants the certificate of an appliance', () => {
  it('has its TLS key, not its device key: gets nothing, over mutual TLS and with a challenge', async () => {
    const running = await serve(0);
    const me = await bindDevice(running.central, 'north-1');
    const thief = await bindDevice(running.central, 'north-2');
    const bodies = [requestBody(me, { signer: thief.device.signer }), requestBody(thief)];
    const codes = await Promise.all(bodies.map(async (body) => (await ask(running, body, me.tls)).code));
    expect(codes).toEqual(['signature_invalid', 'identity_mismatch']);
    const challenge = await challengeFor(running, 'north-1');
    const forged = await ask(running, requestBody(me, { challenge, signer: thief.device.signer }));
    expect([forged.status, forged.code]).toEqual([403, 'signature_invalid']);
  });

  it('has stolen a challenge: uses it for no other appliance and not twice', async () => {
    const running = await serve(0);
    const me = await bindDevice(running.central, 'north-1');
    const thief = await bindDevice(running.central, 'north-2');
    const challenge = await challengeFor(running, 'north-1');
    expect((await ask(running, requestBody(thief, { challenge }))).code).toBe('challenge_unknown');
    const body = requestBody(me, { challenge });
    const good = await ask(running, body);
    expect([good.status, good.headers['content-type']]).toEqual([200, 'application/pem-certificate-chain']);
    const again = await ask(running, body);
    expect([again.status, again.code]).toEqual([403, 'challenge_unknown']);
  });

  it('asks for a renewal without a certificate, or for another key: gets nothing', async () => {
    const running = await serve(0);
    const me = await bindDevice(running.central, 'north-1');
    const thief = await bindDevice(running.central, 'north-2');
    const none = await ask(running, requestBody(me));
    expect([none.status, none.code]).toEqual([401, 'client_certificate_missing']);
    const other = await ask(running, requestBody(me, { csr: thief.device.csr }), me.tls);
    expect([other.status, other.code]).toEqual([400, 'csr_invalid']);
  });

  it('is not told which appliances there are, and is slowed down', async () => {
    const running = await serve(0);
    await bindDevice(running.central, 'north-1');
    for (const id of ['north-1', 'ghost']) expect(await challengeFor(running, id)).toMatch(/^[0-9a-f]{32}$/);
    const odd = await send(running.asSeen, running.url, `${PATH}/challenges/NORTH`);
    expect([odd.status, odd.code]).toEqual([400, 'request_malformed']);
    const get = await send(running.asSeen, running.url, `${PATH}/challenges/north-1`, { method: 'GET' });
    expect([get.status, get.headers['allow']]).toEqual([405, 'POST']);
    let limited = null;
    for (let i = 0; i < 60 && limited === null; i++) {
      const answer = await send(running.asSeen, running.url, `${PATH}/challenges/ghost`);
      if (answer.status === 429) limited = answer;
    }
    expect(limited?.code).toBe('rate_limited');
  });
});
