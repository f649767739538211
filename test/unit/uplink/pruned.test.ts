import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkinInput } from '../../support/enrolled-appliance.ts';
import { appendFindings, DAY_S, prune, saveCheckpoint } from '../../support/prunable-log.ts';
import {
  openScriptedAppliance,
  ORIGIN,
  problem,
  startScriptedCentral,
  type ScriptedAppliance,
  type ScriptedCentral,
} from '../../support/scripted-central.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const SIZE = 800;
const PRUNED = 512;
const signal = new AbortController().signal;
let central: ScriptedCentral;
let appliance: ScriptedAppliance;
let whole: string[];

beforeAll(async () => {
  central = await startScriptedCentral();
});
afterAll(() => central.server.close());
beforeEach(async () => {
  central.stored = [];
  appliance = openScriptedAppliance(central);
  const { store, evidence } = appliance;
  appendFindings({ store, log: evidence }, SIZE - 1);
  while ((await appliance.uplink.uploadOnce(signal)).remaining > 0);
  whole = [...central.stored];
  saveCheckpoint(store, SIZE);
  expect((await prune(store, { nowT: NOW + 91 * DAY_S, wallNow: NOW + 91 * DAY_S })).size).toBe(PRUNED);
  central.requests.length = 0;
});
afterEach(() => appliance.close());

const checkIn = () => appliance.uplink.checkIn(checkinInput(appliance.uplink.queue()), signal);
const upload = () => appliance.uplink.uploadOnce(signal);
const uploads = () => central.requests.filter(({ path }) => path.endsWith('/evidence'));
const codes = async (): Promise<string[]> => (await checkIn()).alerts.map(({ code }) => code);
const append = (count: number): void => appendFindings({ store: appliance.store, log: appliance.evidence }, count);

describe('Central Command restored to less than was pruned', () => {
  it('is told apart plainly: which entries are gone, and nothing is sent for ever', async () => {
    central.stored = whole.slice(0, 300);
    for (let round = 0; round < 5; round += 1) {
      append(1);
      const { alerts } = await checkIn();
      expect(alerts).toMatchObject([{ code: 'evidence_pruned_early' }]);
      expect(alerts[0]!.sentence).toContain('lacks entries 300 to 511');
      expect(await upload()).toMatchObject({
        uploaded: 0,
        storedSize: 300,
        parked: { code: 'evidence_pruned_early', sentence: alerts[0]!.sentence },
      });
    }
    expect(uploads()).toEqual([]);
    expect(appliance.log.records.filter(({ phrase }) => phrase === 'upload parked')).toHaveLength(1);
    expect(appliance.uplink.queue().entries).toBe(SIZE + 5 - 300);
  });

  it('goes on by itself when all of that is there again, with a receipt for everything', async () => {
    central.stored = whole.slice(0, 300);
    await checkIn();
    await upload();
    append(3);
    central.stored = whole.slice(0, PRUNED);
    expect(await codes()).toEqual([]);
    expect(await upload()).toMatchObject({ remaining: 0, parked: null });
    expect(uploads().map(({ headers }) => headers['x-evidence-first-seq'])).toEqual([String(PRUNED)]);
    expect(appliance.store.uplink.latestReceipt(ORIGIN)).toMatchObject({ size: SIZE + 3 });
  });

  it('is not believed where what it restored is another log', async () => {
    central.stored = whole.slice(0, 300);
    await checkIn();
    central.stored = [...whole.slice(0, 599), 'something else'];
    expect(await codes()).toEqual(['evidence_diverged']);
    expect(appliance.store.uplink.pointer(ORIGIN)).toBe(300);
    central.stored = ['something else', ...whole.slice(1, 200)];
    expect(await codes()).toEqual(['evidence_pruned_early', 'evidence_diverged']);
  });

  it('sends nothing either where it asks for pruned entries in answer to an upload', async () => {
    append(1);
    const honest = central.evidence;
    central.evidence = (_request, response) =>
      problem(response, 409, 'evidence_gap', { fields: { expected_seq: 100 } });
    try {
      await upload();
      expect(await upload()).toMatchObject({ parked: { code: 'evidence_pruned_early' } });
      expect(await upload()).toMatchObject({ storedSize: 100, parked: { code: 'evidence_pruned_early' } });
    } finally {
      central.evidence = honest;
    }
    expect(uploads()).toHaveLength(1);
  });
});

describe('Central Command restored to what was not pruned', () => {
  it('gets it all again from the lines that are here', async () => {
    central.stored = whole.slice(0, 600);
    expect(await codes()).toEqual([]);
    expect(await upload()).toMatchObject({ remaining: 0, parked: null });
    expect(central.stored).toEqual(whole);
  });
});
