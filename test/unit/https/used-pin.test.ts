import { afterEach, describe, expect, it } from 'vitest';
import { createHttpsClient } from '../../../agent/https/client.ts';
import { makeTestCa, type TestCa } from '../../support/test-ca.ts';
import { startHttpsServer } from '../../support/tls-server.ts';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** The pin that an answer names, where the server is under `issuer` and sends `sent` along. */
async function usedPin(issuer: TestCa, sent: string, o: { caPem: string; caPins: string[] }): Promise<string> {
  const { certPem, keyPem } = await issuer.issueServer();
  const server = await startHttpsServer({ certPem: certPem + sent, keyPem }, (_request, response) => response.end());
  const client = createHttpsClient({ baseUrl: `https://127.0.0.1:${server.port}`, ...o });
  ends.push(
    () => client.close(),
    () => server.close(),
  );
  const { caPin } = await client.request({ method: 'GET', path: '/', deadlineMs: 10_000, maxResponseBytes: 10 });
  return caPin;
}

describe('an answer names the pinned CA of its connection', () => {
  it('among several that could have been', async () => {
    const [one, two] = [await makeTestCa({ name: 'One' }), await makeTestCa({ name: 'Two' })];
    const both = { caPem: one.caPem + two.caPem, caPins: [one.caPin, two.caPin] };
    expect(await usedPin(one, '', both)).toBe(one.caPin);
    expect(await usedPin(two, '', both)).toBe(two.caPin);
  });

  it('not one whose public certificate the server sends along', async () => {
    const [one, two] = [await makeTestCa({ name: 'One' }), await makeTestCa({ name: 'Two' })];
    const both = { caPem: one.caPem + two.caPem, caPins: [one.caPin, two.caPin] };
    expect(await usedPin(one, two.caPem, both)).toBe(one.caPin);
  });

  it('where that is an intermediate one, or the one above it', async () => {
    const top = await makeTestCa({ name: 'Top' });
    const middle = await top.issueCa('Middle');
    expect(await usedPin(middle, middle.caPem, { caPem: top.caPem, caPins: [top.caPin] })).toBe(top.caPin);
    const withMiddle = { caPem: top.caPem + middle.caPem, caPins: [middle.caPin] };
    expect(await usedPin(middle, middle.caPem, withMiddle)).toBe(middle.caPin);
  });
});
