import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signDocument } from '../../../agent/wire/document.ts';
import { encodeEnvelope, signEnvelope } from '../../../agent/wire/dsse.ts';
import type { RecoveryKey } from '../../../agent/wire/schemas/recovery-key.ts';
import { MAX_RECOVERY_KEYS, takeRecoveryKey } from '../../../central/service/take-recovery-key.ts';
import { bindDevice, makeInProcessCentral, type InProcessCentral } from '../../support/central-in-process.ts';
import type { Enrolled } from '../../support/device.ts';
import { expectCode } from '../../support/expect-code.ts';
import { makeOwner, recoveryKeyLine, recoveryKeyOf, VOLUME, type Owner } from '../../support/sealed-keys.ts';
import { ticketUpdate } from '../../support/ticket-updates.ts';

let central: InProcessCentral;
let owner: Owner;
let me: Enrolled;
let other: Enrolled;

beforeAll(async () => {
  central = await makeInProcessCentral();
  owner = await makeOwner();
  me = await bindDevice(central, 'north-1');
  other = await bindDevice(central, 'north-2');
});
afterAll(() => central.remove());

const clientOf = (who: Enrolled) => ({ applianceId: who.applianceId, spki: who.device.tlsSpki });
const hand = (who: Enrolled, sealed: string | Uint8Array, change: Partial<RecoveryKey> = {}) =>
  takeRecoveryKey(central, clientOf(who), recoveryKeyLine(who, sealed, change)).result;
const held = (who: Enrolled) => central.store.recoveryKeys.list(who.applianceId);

describe('the sealed recovery key of an appliance', () => {
  it('is kept byte for byte, once however often it comes, and its owner alone opens it', async () => {
    const sealed = await owner.seal('recovery key: first');
    expect([hand(me, sealed), hand(me, sealed)]).toEqual(['stored', 'known']);
    const [row, ...more] = held(me);
    expect([row?.luks_uuid, row?.epoch, more.length]).toEqual([VOLUME, 1, 0]);
    expect(row?.sealed.toString()).toBe(sealed);
    expect(await owner.open(row!.sealed.toString())).toBe('recovery key: first');
    await expect((await makeOwner()).open(sealed)).rejects.toThrow();
  });

  it('stays when that of a machine installed anew comes, and is not overwritten by a second one of its digest', async () => {
    central.advance(60);
    expect(hand(me, await owner.sealBinary('recovery key: second'), { luks_uuid: null })).toBe('stored');
    expect(held(me).map(({ luks_uuid }) => luks_uuid)).toEqual([null, VOLUME]);
    const { sha256 } = held(me)[1]!;
    const raw = held(me)[1]!;
    expect(() => central.store.recoveryKeys.add({ ...raw, luks_uuid: null })).toThrow();
    expect(held(me)[1]).toMatchObject({ sha256, luks_uuid: VOLUME });
  });

  it('reaches the copies of its own appliance only', async () => {
    const sealed = await owner.seal('recovery key: of another');
    const before = held(other);
    const foreign = recoveryKeyOf(other, sealed);
    const body = Buffer.from(encodeEnvelope(signDocument('recoveryKey', foreign, [me.device.signer])));
    expectCode(() => takeRecoveryKey(central, clientOf(me), body), 'identity_mismatch');
    expectCode(() => takeRecoveryKey(central, clientOf(other), body), 'signature_invalid');
    expectCode(() => takeRecoveryKey(central, clientOf(me), recoveryKeyLine(other, sealed)), 'signature_invalid');
    expectCode(() => hand(me, sealed, { site_id: 'south' }), 'identity_mismatch');
    const stolen = { ...clientOf(other), spki: me.device.tlsSpki };
    expectCode(() => takeRecoveryKey(central, stolen, recoveryKeyLine(other, sealed)), 'identity_mismatch');
    expect(held(other)).toEqual(before);
    // The same bytes from two of them are two copies.
    const mine = held(me)[1]!.sealed;
    expect([hand(other, mine), hand(other, mine)]).toEqual(['stored', 'known']);
    expect(held(me)).toHaveLength(2);
  });

  it('is refused where it is not sealed, and where the device signed something else, or not alone', async () => {
    const plain = Buffer.from('recovery key: cbdefghi-jklnrtuv\n').toString('base64');
    // As a daemon would send it that does not go by its own schema.
    const text = JSON.stringify({ ...recoveryKeyOf(me, await owner.seal('x')), sealed: plain });
    const { payloadType } = signDocument('recoveryKey', recoveryKeyOf(me, await owner.seal('x')), [me.device.signer]);
    const bare = signEnvelope(payloadType, Buffer.from(text), [me.device.signer]);
    const take = (envelope: typeof bare) => () =>
      takeRecoveryKey(central, clientOf(me), Buffer.from(encodeEnvelope(envelope)));
    expectCode(take(bare), 'schema_invalid');
    const key = recoveryKeyOf(me, await owner.seal('y'));
    expectCode(take(signDocument('recoveryKey', key, [me.device.signer, other.device.signer])), 'signature_invalid');
    expectCode(take(signDocument('ticketUpdate', ticketUpdate(me), [me.device.signer])), 'payload_type_mismatch');
    expect(held(me)).toHaveLength(2);
  });

  it('is not taken from an appliance that was shut out, and what it handed over before stays', async () => {
    const thief = await bindDevice(central, 'north-3');
    const retired = await bindDevice(central, 'north-4');
    const sealed = await owner.seal('recovery key: of the stolen one');
    hand(thief, sealed);
    hand(retired, sealed);
    const { appliances } = central.store;
    appliances.revoke({ appliance_id: 'north-3', reason: 'stolen', revoked_by: 'jane', revoked_at: central.now() });
    const out = { reason: 'old', person: 'jane', at: central.now() };
    appliances.decommission({ appliance_id: 'north-4', epoch: 1, ...out });
    expectCode(() => hand(thief, sealed), 'appliance_revoked');
    expectCode(() => hand(retired, sealed), 'appliance_decommissioned');
    expect([held(thief).length, held(retired).length]).toEqual([1, 1]);
  });

  it('is refused beyond what one epoch can have, and no flood displaces what came first', async () => {
    const greedy = await bindDevice(central, 'north-5');
    const first = await owner.seal('recovery key: the true one');
    hand(greedy, first);
    for (let n = 1; n < MAX_RECOVERY_KEYS; n += 1) hand(greedy, await owner.seal(`recovery key: ${n}`));
    const more = await owner.seal('recovery key: one more');
    expectCode(() => hand(greedy, more), 'rate_limited');
    expect(hand(greedy, first)).toBe('known');
    expect(held(greedy)).toHaveLength(MAX_RECOVERY_KEYS);
    expect(held(greedy).at(-1)?.sealed.toString()).toBe(first);
  });
});
