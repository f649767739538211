import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { checkinInput } from '../../support/enrolled-appliance.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import {
  openScriptedAppliance,
  ORIGIN,
  startScriptedCentral,
  type ScriptedAppliance,
  type ScriptedCentral,
} from '../../support/scripted-central.ts';
import { toEmbedded, parseEnvelope } from '../../../agent/wire/dsse.ts';

let central: ScriptedCentral;
let appliance: ScriptedAppliance;
const signal = new AbortController().signal;
beforeAll(async () => {
  central = await startScriptedCentral();
});
afterEach(() => appliance.close());
afterAll(() => central.server.close());

/** An appliance that has the revocation of these keys in force. */
function without(...names: string[]): void {
  appliance = openScriptedAppliance(central, {
    revokedKeyids: new Set(names.map((name) => central.trust.keys[name]!.keyid)),
  });
}
const checkIn = () => appliance.uplink.checkIn(checkinInput(appliance.uplink.queue()), signal);

describe('what a revoked key signs', () => {
  it('is no answer to a check-in, and nothing of it is kept', async () => {
    without('timestamp');
    const before = appliance.kept();
    await expectCodeAsync(checkIn(), 'signature_invalid');
    expect(appliance.kept()).toEqual(before);
  });

  it('is no receipt for what was uploaded: it stays to be uploaded', async () => {
    without('receipt');
    const { uploaded, remaining, parked } = await appliance.uplink.uploadOnce(signal);
    expect([uploaded, remaining, parked?.code]).toEqual([0, 1, 'signature_invalid']);
    expect([appliance.uplink.storedSize(), appliance.store.uplink.latestReceipt(ORIGIN)]).toEqual([0, null]);
  });

  it('is no receipt in an answer either, which counts for all else', async () => {
    without('receipt');
    central.checkin = (request) => {
      const receipt = parseEnvelope(central.trust.sign('receipt', central.receipt()), { maxBytes: 100_000 });
      return central.trust.sign('checkinAnswer', central.answer(request, { receipts: [toEmbedded(receipt)] }));
    };
    const { alerts } = await checkIn();
    expect(alerts.map((alert) => alert.code)).toEqual(['signature_invalid']);
    expect(appliance.store.uplink.latestReceipt(ORIGIN)).toBe(null);
  });
});
