import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readProvisionFiles } from '../../agent/identity/provision-files.ts';
import { loadOrCreateKeys } from '../../agent/identity/keys.ts';
import { fingerprint } from '../../agent/wire/fingerprint.ts';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCuttingProxy } from '../support/cutting-proxy.ts';
import { claimOnce, enrolAppliance, type EnrolledAppliance } from '../support/enrolled-appliance.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { startRealCentral, type RealCentral } from '../support/real-central.ts';

let central: RealCentral;
const scratch = mkdtempSync(join(tmpdir(), 'uplink-e2e-'));
const signal = new AbortController().signal;

beforeAll(async () => {
  central = await startRealCentral();
});
afterAll(async () => {
  await central.remove();
  rmSync(scratch, { recursive: true, force: true });
});

/** Central Command's copy of the log, line by line. */
async function linesAtCentral(appliance: EnrolledAppliance): Promise<string[]> {
  const out = join(scratch, `${appliance.identity.applianceId}.jsonl`);
  rmSync(out, { force: true });
  await central.json('evidence', 'export-lines', '--origin', appliance.identity.origin, '--out', out);
  return readFileSync(out, 'utf8').trimEnd().split('\n');
}

function ownLines(appliance: EnrolledAppliance): string[] {
  const all = { maxEntries: 1_000_000, maxBytes: Number.MAX_SAFE_INTEGER };
  return appliance.store.entries.range(1, 0, all).map(({ line }) => line);
}

describe('an appliance at a real Central Command', () => {
  it('waits as pending until an operator confirms its fingerprint, then enrols with the same token', async () => {
    const keys = loadOrCreateKeys(join(scratch, 'keys'));
    const provision = readProvisionFiles(await central.stick());
    for (let i = 0; i < 2; i++) expect((await claimOnce(provision, keys)).status).toBe('pending');
    await central.confirm(fingerprint(keys.signer.spki, provision.root.digest), 'north-9');
    for (let i = 0; i < 2; i++) {
      const answer = await claimOnce(provision, keys);
      expect(answer).toMatchObject({ status: 'confirmed', identity: { applianceId: 'north-9', epoch: 1 } });
    }
  });

  it('is refused with the token of another device, and told so in a signed answer', async () => {
    const provision = readProvisionFiles(await central.stick());
    await claimOnce(provision, loadOrCreateKeys(join(scratch, 'first')));
    const error = await expectCodeAsync(
      claimOnce(provision, loadOrCreateKeys(join(scratch, 'second'))),
      'enrolment_refused',
    );
    expect(error.details['code']).toBe('enrolment_token_used');
  });

  it('checks in on one connection with at most 5 KB a time', async () => {
    const appliance = await enrolAppliance(central, { applianceId: 'north-1' });
    try {
      await appliance.checkIn();
      await appliance.drain();
      const { bytes, alerts, answer } = await appliance.checkIn();
      expect(alerts).toEqual([]);
      expect(answer.receipts).toHaveLength(1);
      expect(bytes.sent + bytes.received).toBeLessThanOrEqual(5_000);
      const [day] = appliance.store.uplink.traffic();
      expect(day!.sent).toBeGreaterThan(bytes.sent);
    } finally {
      await appliance.close();
    }
  });

  it('uploads 1,300 entries in batches, and every byte of them arrives', async () => {
    const appliance = await enrolAppliance(central, { applianceId: 'north-2' });
    try {
      appliance.append(1_299);
      expect(await appliance.drain()).toBe(3);
      expect(appliance.uplink.queue()).toEqual({ entries: 0, bytes: 0, oldest_at: null });
      expect(await linesAtCentral(appliance)).toEqual(ownLines(appliance));
      const receipt = appliance.store.uplink.latestReceipt(appliance.identity.origin);
      expect(receipt).toMatchObject({ size: 1_300, root: appliance.evidence.root() });
    } finally {
      await appliance.close();
    }
  });

  it('uploads again what was stored but whose receipt was lost, and nothing is doubled', async () => {
    const proxy = await startCuttingProxy(Number(new URL(central.url).port));
    const appliance = await enrolAppliance(central, {
      applianceId: 'north-3',
      baseUrl: `https://127.0.0.1:${proxy.port}`,
    });
    try {
      expect(await appliance.drain()).toBe(1);
      appliance.append(700);
      proxy.cutNextAnswer();
      await expectCodeAsync(appliance.uplink.uploadOnce(signal), 'response_truncated');
      expect(proxy.cuts()).toBe(1);
      expect(appliance.uplink.storedSize()).toBe(1);
      const { answer } = await appliance.checkIn();
      // Stored there, although no receipt says so here.
      expect(answer.stored.size).toBe(501);
      await appliance.drain();
      expect(appliance.uplink.storedSize()).toBe(701);
      expect(await linesAtCentral(appliance)).toEqual(ownLines(appliance));
    } finally {
      await appliance.close();
      await proxy.close();
    }
  });

  it('uploads again what a Central Command restored from an older backup has lost', async () => {
    const appliance = await enrolAppliance(central, { applianceId: 'north-4' });
    try {
      appliance.append(599);
      await appliance.drain();
      await central.stop();
      central.backup();
      await central.start();
      appliance.append(600);
      await appliance.drain();
      expect(appliance.uplink.storedSize()).toBe(1_200);
      await central.stop();
      central.restore();
      await central.start();
      const { answer, alerts } = await appliance.checkIn();
      expect(answer.stored.size).toBe(600);
      expect(alerts).toEqual([]);
      expect(appliance.uplink.storedSize()).toBe(600);
      await appliance.drain();
      expect(await linesAtCentral(appliance)).toEqual(ownLines(appliance));
    } finally {
      await appliance.close();
    }
  });

  it('keeps everything while Central Command is away, and uploads it when it is back', async () => {
    const appliance = await enrolAppliance(central, { applianceId: 'north-5' });
    try {
      await central.stop();
      appliance.append(200);
      await expectCodeAsync(appliance.checkIn(), 'connect_refused');
      await expectCodeAsync(appliance.uplink.uploadOnce(signal), 'connect_refused');
      await central.start();
      await appliance.checkIn();
      await appliance.drain();
      expect(await linesAtCentral(appliance)).toEqual(ownLines(appliance));
    } finally {
      await appliance.close();
    }
  });
});
