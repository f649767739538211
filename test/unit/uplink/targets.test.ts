import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTargetTable, type OwnTargetTable } from '../../../agent/targets/target-table.ts';
import { freshHpkeKey, sealHpke } from '../../../agent/wire/hpke.ts';
import type { CheckinAnswer, CheckinRequest } from '../../../agent/wire/schemas/checkin.ts';
import { encodeTargetsFrame, TARGETS_INFO, targetsAad } from '../../../agent/wire/targets-frame.ts';
import { checkinInput } from '../../support/enrolled-appliance.ts';
import {
  openScriptedAppliance,
  startScriptedCentral,
  type ScriptedAppliance,
  type ScriptedCentral,
  type ScriptedRequest,
} from '../../support/scripted-central.ts';
import { wireTarget } from '../../support/targets.ts';
import { NOW } from '../../support/trust-fixtures.ts';

let central: ScriptedCentral;
let appliance: ScriptedAppliance;
let table: OwnTargetTable;
const signal = new AbortController().signal;

beforeAll(async () => {
  central = await startScriptedCentral();
});
beforeEach(() => {
  central.requests.length = 0;
  const clock = { bootMs: (): number => appliance.clock.bootMs() };
  table = createTargetTable({ clock, networks: () => [{ prefix: '192.0.2.0/24', ports: [5986] }] });
  appliance = openScriptedAppliance(central, { targets: table });
});
afterEach(() => appliance.close());
afterAll(() => central.server.close());

interface Sealing {
  readonly ids: readonly string[];
  readonly recipient?: Buffer;
  readonly requestSha256?: string;
  readonly answerExpires?: number;
  readonly expiresAt?: number;
}

const keyOf = (request: ScriptedRequest): Buffer => {
  const { payload } = JSON.parse(request.body.toString()) as { payload: string };
  const { hpke_public_key: key } = JSON.parse(Buffer.from(payload, 'base64').toString()) as CheckinRequest;
  return Buffer.from(key, 'base64');
};

async function sealed(request: ScriptedRequest, s: Sealing): Promise<{ hpke: string }> {
  const targets = s.ids.map((id) => ({ target: wireTarget(id), secret: Buffer.from(`secret of ${id}`) }));
  const frame = encodeTargetsFrame(s.expiresAt ?? NOW + 600, targets);
  const aad = targetsAad(s.requestSha256 ?? request.payloadSha256, s.answerExpires ?? NOW + 300);
  const blob = await sealHpke(s.recipient ?? keyOf(request), frame, { info: TARGETS_INFO, aad });
  return { hpke: blob.toString('base64') };
}

/** One check-in whose answer carries `targets`. */
async function answered(targets: (request: ScriptedRequest) => Promise<CheckinAnswer['targets']>) {
  central.checkin = async (request) => {
    const made = await targets(request);
    return central.trust.sign('checkinAnswer', central.answer(request, made === undefined ? {} : { targets: made }));
  };
  return appliance.uplink.checkIn(checkinInput(appliance.uplink.queue()), signal);
}
const ids = (): string[] => table.list().map(({ id }) => id);

describe('targets in the answer of a check-in', () => {
  it('come into force as a whole, stay while an answer brings none, and go with an empty list', async () => {
    expect((await answered((r) => sealed(r, { ids: ['pc-1', 'pc-2'] }))).targetsRefused).toBe(null);
    expect(ids()).toEqual(['pc-1', 'pc-2']);
    expect(table.lease('pc-2')?.target.secret.toString()).toBe('secret of pc-2');
    await answered(async () => undefined);
    expect(ids()).toEqual(['pc-1', 'pc-2']);
    await answered((r) => sealed(r, { ids: ['pc-3'] }));
    expect(ids()).toEqual(['pc-3']);
    await answered((r) => sealed(r, { ids: [] }));
    expect(ids()).toEqual([]);
  });

  it.each<[string, (recorded: { hpke: string }) => (r: ScriptedRequest) => Promise<{ hpke: string }>, string]>([
    [
      'sealed to the key of another appliance',
      () => (r) => sealed(r, { ids: ['x'], recipient: freshHpkeKey().publicKey }),
      'hpke_unreadable',
    ],
    ['of an earlier answer', (recorded) => async () => recorded, 'hpke_unreadable'],
    [
      'bound to another request',
      () => (r) => sealed(r, { ids: ['x'], requestSha256: 'ab'.repeat(32) }),
      'hpke_unreadable',
    ],
    [
      'bound to an answer of another expiry',
      () => (r) => sealed(r, { ids: ['x'], answerExpires: NOW + 301 }),
      'hpke_unreadable',
    ],
    ['that are over', () => (r) => sealed(r, { ids: ['x'], expiresAt: NOW }), 'targets_expired'],
    ['that would last an hour', () => (r) => sealed(r, { ids: ['x'], expiresAt: NOW + 3_600 }), 'targets_expired'],
    ['that name one target twice', () => (r) => sealed(r, { ids: ['x', 'x'] }), 'targets_invalid'],
    [
      'that are no sealed message',
      () => async () => ({ hpke: Buffer.from('nothing').toString('base64') }),
      'hpke_unreadable',
    ],
  ])('%s: those in force stay, and the rest of the answer counts', async (_what, attack, code) => {
    let recorded = { hpke: '' };
    await answered(async (r) => (recorded = await sealed(r, { ids: ['pc-1'] })));
    const before = appliance.store.trust.signedTime();
    await appliance.clock.advance(1_000);
    const result = await answered(attack(recorded));
    expect(result.targetsRefused?.code).toBe(code);
    expect(ids()).toEqual(['pc-1']);
    expect(appliance.store.trust.signedTime()).not.toEqual(before);
  });

  it('go nowhere near the store', async () => {
    await answered((r) => sealed(r, { ids: ['pc-1'] }));
    expect(JSON.stringify(appliance.kept())).not.toContain('pc-1');
    expect(JSON.stringify(appliance.log.records)).not.toContain('secret of');
  });
});
