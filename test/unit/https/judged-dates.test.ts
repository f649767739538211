import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createHttpsClient, type HttpsClient } from '../../../agent/https/client.ts';
import type { DateJudge } from '../../../agent/https/judged-dates.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { makeTestCa, type IssuedCertificate, type TestCa } from '../../support/test-ca.ts';
import { startHttpsServer, type RunningServer } from '../../support/tls-server.ts';

const DAY_S = 86_400;
const now = Math.floor(Date.now() / 1_000);
const days = (n: number): Date => new Date((now + n * DAY_S) * 1_000);
const EXPIRED = { notBefore: days(-30), notAfter: days(-10) };
const NOT_YET = { notBefore: days(10), notAfter: days(30) };
const NOBODY: DateJudge = { by: 'nobody' };

let ca: TestCa;
let otherCa: TestCa;
let server: RunningServer | null = null;
let client: HttpsClient | null = null;
let requests = 0;

beforeAll(async () => {
  ca = await makeTestCa();
  otherCa = await makeTestCa();
});
afterEach(async () => {
  await client?.close();
  await server?.close();
  [client, server, requests] = [null, null, 0];
});

async function ask(
  identity: IssuedCertificate,
  judge: DateJudge,
  o: { caPem?: string; caPins?: string[]; tls?: object } = {},
): Promise<number> {
  server = await startHttpsServer(
    identity,
    (_request, response) => {
      requests += 1;
      response.end('ok');
    },
    o.tls ?? {},
  );
  client = createHttpsClient({
    baseUrl: `https://localhost:${server.port}`,
    caPem: o.caPem ?? ca.caPem,
    caPins: o.caPins ?? [ca.caPin, 'f'.repeat(64)],
    dates: () => judge,
  });
  const answer = await client.request({ method: 'GET', path: '/', deadlineMs: 20_000, maxResponseBytes: 100 });
  return answer.status;
}

describe('a server certificate whose dates nobody can judge', () => {
  it.each([
    ['lapsed', EXPIRED],
    ['not valid yet', NOT_YET],
    ['in date', {}],
  ])('is taken where it is %s and all else holds', async (_name, dates) => {
    expect(await ask(await ca.issueServer(dates), NOBODY)).toBe(200);
  });

  it('is taken below a subordinate CA of the pinned one', async () => {
    const below = await ca.issueCa('Below');
    const leaf = await below.issueServer(EXPIRED);
    expect(await ask({ ...leaf, certPem: leaf.certPem + below.caPem }, NOBODY)).toBe(200);
  });

  it.each<[string, string, () => Promise<IssuedCertificate>]>([
    ['by another CA', 'tls_untrusted', () => otherCa.issueServer(EXPIRED)],
    ['by a CA of the same name as ours', 'tls_untrusted', async () => (await makeTestCa()).issueServer(NOT_YET)],
    ['for another name', 'tls_name_mismatch', () => ca.issueServer({ ...EXPIRED, names: ['elsewhere.example'] })],
    ['of a client', 'tls_untrusted', () => ca.issueClient({ cn: 'localhost', ...EXPIRED })],
  ])(
    'is refused %s although only a date is what OpenSSL names last, and no request is sent',
    async (_name, code, issue) => {
      await expectCodeAsync(ask(await issue(), NOBODY), code as 'tls_untrusted');
      expect(requests).toBe(0);
    },
  );

  it('is refused by a trusted CA whose key is not pinned', async () => {
    const both = { caPem: ca.caPem + otherCa.caPem };
    await expectCodeAsync(ask(await otherCa.issueServer(EXPIRED), NOBODY, both), 'tls_pin_mismatch');
    expect(requests).toBe(0);
  });

  it('is refused with the public certificate of the pinned CA sent beside a chain that does not use it', async () => {
    const foreign = await otherCa.issueServer(EXPIRED);
    const dressed = { ...foreign, certPem: foreign.certPem + ca.caPem };
    await expectCodeAsync(ask(dressed, NOBODY), 'tls_untrusted');
    expect(requests).toBe(0);
  });

  it('is refused where it signed a certificate itself: a leaf is no CA', async () => {
    const leaf = await ca.issueServer(EXPIRED);
    const forged = await makeTestCa({ name: 'localhost' });
    const under = await forged.issueServer(EXPIRED);
    await expectCodeAsync(ask({ ...under, certPem: under.certPem + leaf.certPem }, NOBODY), 'tls_untrusted');
    expect(requests).toBe(0);
  });

  it('is refused below TLS 1.3', async () => {
    await expectCodeAsync(ask(await ca.issueServer(EXPIRED), NOBODY, { tls: { maxVersion: 'TLSv1.2' } }), 'tls_failed');
  });
});

describe('a server certificate that signed time judges', () => {
  const at = (unixS: number): DateJudge => ({ by: 'signed_time', at: unixS });

  it.each([
    ['lapsed by the wall clock is taken within its dates', EXPIRED, now - 20 * DAY_S],
    ['not valid yet by the wall clock is taken within its dates', NOT_YET, now + 20 * DAY_S],
  ])('%s', async (_name, dates, time) => {
    const wide = await makeTestCa({ notBefore: days(-400), notAfter: days(400) });
    const trust = { caPem: wide.caPem, caPins: [wide.caPin, 'f'.repeat(64)] };
    expect(await ask(await wide.issueServer(dates), at(time), trust)).toBe(200);
  });

  it.each([
    ['before its dates', now - 400 * DAY_S],
    ['after its dates', now + 400 * DAY_S],
  ])('is refused %s, whatever the wall clock says', async (_name, time) => {
    await expectCodeAsync(ask(await ca.issueServer(), at(time)), 'tls_date_invalid');
    expect(requests).toBe(0);
  });

  it('is refused by a CA whose own certificate is out of date', async () => {
    const wide = { notBefore: days(-400), notAfter: days(400) };
    const lapsed = await makeTestCa({ notBefore: days(-400), notAfter: days(-100) });
    const trust = { caPem: lapsed.caPem, caPins: [lapsed.caPin, 'f'.repeat(64)] };
    await expectCodeAsync(ask(await lapsed.issueServer(wide), at(now), trust), 'tls_date_invalid');
    expect(requests).toBe(0);
  });
});
