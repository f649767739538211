import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeAddCheckpoint } from '../../agent/wire/add-checkpoint.ts';
import { signCheckpoint } from '../../agent/wire/checkpoint.ts';
import { leafHash, rootOfLeaves, consistencyProof } from '../../agent/wire/merkle.ts';
import { openCosigned } from '../../agent/trust/cosigned-checkpoint.ts';
import { startCuttingProxy } from '../support/cutting-proxy.ts';
import { demoSite } from '../support/demo-site.ts';
import { checkIn, checkinRequestOf, enrolDevice, evidenceLines, postCheckin } from '../support/device.ts';
import { enrolAppliance } from '../support/enrolled-appliance.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { startRealCentral, type RealCentral } from '../support/real-central.ts';

let central: RealCentral;
const scratch = mkdtempSync(join(tmpdir(), 'witness-e2e-'));
beforeAll(async () => {
  central = await startRealCentral();
});
afterAll(async () => {
  await central.remove();
  rmSync(scratch, { recursive: true, force: true });
});

const alarms = async (origin: string): Promise<string[]> => {
  const { alarms } = await central.json<{ alarms: { kind: string; subject: string }[] }>('appliance', 'alarms');
  return alarms.filter(({ subject }) => subject === origin).map(({ kind }) => kind);
};

describe('an appliance before the witness of a real Central Command', () => {
  it('has each check-in cosigned within 5 KB, also when the log has grown', async () => {
    const appliance = await enrolAppliance(central, { applianceId: 'north-1' });
    try {
      await appliance.checkIn();
      appliance.append(2_000);
      const grown = await appliance.checkIn();
      await appliance.drain();
      const idle = await appliance.checkIn();
      for (const { answer, alerts, bytes } of [grown, idle]) {
        expect(answer.witness?.verdict).toBe('cosigned');
        expect(alerts).toEqual([]);
        expect(bytes.sent + bytes.received).toBeLessThanOrEqual(5_000);
      }
      const latest = appliance.store.checkpoints.latest(appliance.identity.origin)!;
      const log = { origin: appliance.identity.origin, spki: appliance.keys.signer.spki };
      expect(latest).toMatchObject({ size: 2_001, root: appliance.evidence.root() });
      expect(openCosigned(central.root.root, latest.note, log).witnessedAt).toBe(latest.at);
      const at = await central.json<{ checkpoints: unknown[] }>('evidence', 'checkpoints', '--origin', log.origin);
      expect(at.checkpoints).toEqual([latest]);
    } finally {
      await appliance.close();
    }
  });

  it('heals by itself after an answer was lost, with no alarm on either side', async () => {
    const proxy = await startCuttingProxy(Number(new URL(central.url).port));
    const baseUrl = `https://127.0.0.1:${proxy.port}`;
    const appliance = await enrolAppliance(central, { applianceId: 'north-2', baseUrl });
    try {
      await appliance.checkIn();
      appliance.append(10);
      proxy.cutNextAnswer();
      await expectCodeAsync(appliance.checkIn(), 'response_truncated');
      appliance.append(10);
      const verdicts: (string | undefined)[] = [];
      for (let i = 0; i < 2; i += 1) {
        const { answer, alerts } = await appliance.checkIn();
        verdicts.push(answer.witness?.verdict);
        expect(alerts).toEqual([]);
      }
      expect(verdicts).toEqual(['stale', 'cosigned']);
      expect(appliance.uplink.cosigned()?.size).toBe(21);
      expect(appliance.uplink.conflict()).toBeNull();
      expect(await alarms(appliance.identity.origin)).toEqual([]);
    } finally {
      await appliance.close();
      await proxy.close();
    }
  });

  it('is cosigned once when two contradictory requests arrive at the same time', async () => {
    const me = await enrolDevice(central, central.url, 'north-3');
    const leaves = evidenceLines(me, 4).map((line) => leafHash(line));
    const ask = async (all: readonly Buffer[], oldSize: number) => {
      const checkpoint = signCheckpoint(
        { origin: me.origin, size: all.length, root: rootOfLeaves(all), extensions: [] },
        me.device.signer,
      );
      const witness_request = encodeAddCheckpoint({ oldSize, proof: consistencyProof(all, oldSize), checkpoint });
      return (await checkIn(central, central.url, me, { witness_request, boot_id: bootId() })).witness;
    };
    expect((await ask(leaves, 0))?.verdict).toBe('cosigned');
    const branches = Array.from({ length: 8 }, (_, i) => [...leaves, leafHash(`branch ${i}`)]);
    const verdicts = await Promise.all(branches.map((branch) => ask(branch, 4)));
    expect(verdicts.map((verdict) => verdict?.verdict).toSorted()).toEqual([
      'cosigned',
      ...Array.from({ length: 7 }, () => 'refused'),
    ]);
    expect(await alarms(me.origin)).toEqual(['log_forked']);
    const { refused } = await central.json<{ refused: { code: string }[] }>(
      ...['evidence', 'checkpoints', '--origin', me.origin, '--refused'],
    );
    expect(refused.map(({ code }) => code)).toEqual(Array.from({ length: 7 }, () => 'log_forked'));
  });

  it('is not cosigned on a counter that was used before, and the alarm of that stays', async () => {
    const me = await enrolDevice(central, central.url, 'north-5');
    const leaves = evidenceLines(me, 3).map((line) => leafHash(line));
    const root = rootOfLeaves(leaves);
    const checkpoint = signCheckpoint({ origin: me.origin, size: 3, root, extensions: [] }, me.device.signer);
    const witness_request = encodeAddCheckpoint({ oldSize: 0, proof: [], checkpoint });
    await checkIn(central, central.url, me, { counter: 1_000_000 });
    const again = await postCheckin(central, central.url, me, { change: { counter: 1_000_000, witness_request } });
    expect(again).toMatchObject({ status: 409, code: 'counter_reused' });
    const cosigned = await central.json<{ checkpoints: unknown[] }>('evidence', 'checkpoints', '--origin', me.origin);
    expect(cosigned.checkpoints).toEqual([]);
    expect(await alarms('north-5')).toEqual(['counter_reused']);
  });

  it.each(['log_rewound', 'log_forked'])('that says %s of itself is believed', async (code) => {
    const me = await enrolDevice(central, central.url, `north-6-${code.slice(4, 6)}`);
    const { health } = checkinRequestOf(me);
    const blocking_reason = { code, sentence: 'There are two histories.' };
    await checkIn(central, central.url, me, { health: { ...health, blocking_reason } });
    expect(await alarms(me.origin)).toEqual([code]);
  });

  it('teaches a Central Command that was restored from backup what it had cosigned', async () => {
    const appliance = await enrolAppliance(central, { applianceId: 'north-4' });
    try {
      await appliance.checkIn();
      await central.stop();
      central.backup();
      await central.start();
      appliance.append(5);
      await appliance.checkIn();
      await central.stop();
      central.restore();
      await central.start();
      appliance.append(5);
      const { answer, alerts } = await appliance.checkIn();
      expect(answer.witness?.verdict).toBe('cosigned');
      expect(alerts).toEqual([]);
      expect(appliance.uplink.cosigned()?.size).toBe(11);
      expect(await alarms(appliance.identity.origin)).toEqual(['witness_set_back']);
    } finally {
      await appliance.close();
    }
  });
});

/** Requests at once cannot have rising counters of one boot. */
let boots = 0;
const bootId = (): string => `a3bb189e-8bf9-4f67-8f3a-${String(++boots).padStart(12, '0')}`;

describe('the log of an appliance that runs', { timeout: 120_000 }, () => {
  const site = demoSite();
  const checkpoints = join(scratch, 'checkpoints.txt');
  const lines = join(scratch, 'log.jsonl');

  it('shows which entries are witnessed, in status and when the log is verified', async () => {
    await site.provision();
    site.startAgent();
    await site.confirm();
    const status = await site.untilStatus('entries are witnessed', (s) => (s.witnessed?.size ?? 0) > 4);
    expect(status.blocking_reason).toBeNull();
    expect((await site.cli('status')).output).toMatch(/witnessed=1 \(operator\) up to \d+ entries/);
    const verified = await site.cli('evidence', 'verify', '--root-sha256', site.rootDigest());
    expect(verified.code).toBe(0);
    expect(verified.output).toMatch(/entries 0 to \d+: witnessed=1 \(operator\), last seen/);
  });

  it('is verified elsewhere from its lines and checkpoints; without its tail it is refused', async () => {
    const [all, notes] = [await site.cli('evidence', 'list', '--lines'), await site.cli('evidence', 'checkpoints')];
    const entries = all.output.split('\n').filter((line) => line.startsWith('{'));
    writeFileSync(checkpoints, notes.output);
    const verify = async (kept: readonly string[]) => {
      writeFileSync(lines, kept.map((line) => `${line}\n`).join(''));
      const trust = ['--root', join(site.paths.provision, 'root.json'), '--root-sha256', site.rootDigest()];
      return await site.cli('evidence', 'verify', lines, '--checkpoints', checkpoints, ...trust, '--json');
    };
    expect(await verify(entries)).toMatchObject({ code: 0 });
    const cut = await verify(entries.slice(0, 3));
    expect(cut.code).toBe(9);
    expect(cut.output).toContain('log_truncated');
  });
});
