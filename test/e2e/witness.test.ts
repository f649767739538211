import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeAddCheckpoint } from '../../agent/wire/add-checkpoint.ts';
import { signCheckpoint } from '../../agent/wire/checkpoint.ts';
import { leafHash, rootOfLeaves, consistencyProof } from '../../agent/wire/merkle.ts';
import { openCosigned } from '../../agent/trust/cosigned-checkpoint.ts';
import { until } from '../../tools/demo/process.ts';
import { APPLIANCE } from '../../tools/demo/site.ts';
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

describe('a box whose disk was copied and set back', { timeout: 120_000 }, () => {
  const site = demoSite();
  const image = join(scratch, 'image');
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
    expect(cut.code).toBe(4);
    expect(cut.output).toContain('log_truncated');
  });

  it('is found at its next answered check-in: status, evidence and the alarms of Central Command say so', async () => {
    await site.endAgent('SIGTERM');
    cpSync(site.paths.state, image, { recursive: true });
    site.startAgent();
    const before = await site.untilStatus(
      'more is witnessed',
      (s) => s.witnessed !== null && s.blocking_reason === null,
    );
    await site.issue('run_check', { checks: ['disk'] });
    await site.untilStatus('still more is witnessed', (s) => (s.witnessed?.size ?? 0) >= before.witnessed!.size + 3);
    await site.endAgent('SIGTERM');
    renameSync(site.paths.state, join(scratch, 'real'));
    renameSync(image, site.paths.state);

    site.startAgent();
    // The image also repeats check-in counters of this boot: it is answered once it is past those that were used.
    const found = await site.untilStatus(
      'the conflict is found',
      (s) => ['log_rewound', 'log_forked'].includes(s.blocking_reason?.code ?? ''),
      60_000,
    );
    expect(found.blocking_reason?.sentence).toContain('takes only reading orders');
    const listed = await site.cli('evidence', 'list', '--kind', 'alert', '--json');
    expect(listed.output).toContain(found.blocking_reason!.code);
    // Central Command hears of a conflict that it cannot see itself with the check-in after the one that found it.
    await until(
      'the alarm of Central Command',
      async () => {
        const { alarms } = (await site.central('appliance', 'alarms')) as { alarms: { kind: string }[] };
        return alarms.some(({ kind }) => kind === found.blocking_reason!.code) ? true : null;
      },
      30_000,
    );
  });

  it('goes on observing and takes reading orders, and no others', async () => {
    const size = site.status()?.log?.size ?? 0;
    const routine = await site.issue('set_healing', { action: 'pause', minutes: 5 });
    const reading = await site.issue('run_check', { checks: ['disk'] });
    const outcome = await until(
      'the reading order is done',
      async () => {
        const { orders } = (await site.central('order', 'list', '--appliance', APPLIANCE)) as {
          orders: { order_id: string; state: string; outcome: string }[];
        };
        const of = (id: string) => orders.find((order) => order.order_id === id);
        return of(reading.order_id)?.outcome === 'success' ? of(routine.order_id) : null;
      },
      30_000,
    );
    expect(outcome?.outcome ?? '').not.toBe('success');
    const status = await site.untilStatus('entries are still written', (s) => (s.log?.size ?? 0) > size);
    expect(status.blocking_reason?.code).toMatch(/^log_(rewound|forked)$/);
    expect(status.healing_paused_until).toBeNull();
  });
});
