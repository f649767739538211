import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rootOfLeaves, leafHash } from '../../agent/wire/merkle.ts';
import { makeCentral, type RunningCentral, type TestCentral } from '../support/central-process.ts';
import { checkIn, enrolDevice, evidenceLines, upload, type Enrolled } from '../support/device.ts';

let central: TestCentral;
let server: RunningCentral;
let me: Enrolled;

beforeAll(async () => {
  central = await makeCentral();
  server = await central.serve('--checkin-interval', '7');
  me = await enrolDevice(central, server.url, 'north-1');
}, 60_000);
afterAll(async () => central.remove());

describe('central-command serve', () => {
  it('answers a check-in with the versions in force and what is stored', async () => {
    const answer = await checkIn(central, server.url, me);
    expect(answer).toMatchObject({
      appliance_id: 'north-1',
      root_version: 1,
      content: null,
      policy: null,
      witness: null,
      next_checkin_s: 7,
      orders: [],
      receipts: [],
      stored: { size: 0 },
    });
  });

  it('gives a receipt over the Merkle root of all that is stored', async () => {
    const lines = evidenceLines(me, 5);
    const first = await upload(central, server.url, me, 0, lines.slice(0, 3));
    expect(first).toMatchObject({ origin: me.origin, size: 3, stored_unverified: [] });
    const second = await upload(central, server.url, me, 3, lines.slice(3));
    const root = rootOfLeaves(lines.map((line) => leafHash(line))).toString('hex');
    expect(second).toMatchObject({ size: 5, root, stored_unverified: [] });
    const answer = await checkIn(central, server.url, me);
    expect(answer.stored).toEqual({ size: 5, root });
    expect(answer.receipts).toHaveLength(1);
    const verdict = await central.json<{ logs: { ok: boolean; size: number }[] }>('evidence', 'verify');
    expect(verdict.logs).toMatchObject([{ ok: true, size: 5 }]);
  });
});
