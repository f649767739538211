import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { signDocument } from '../../../agent/wire/document.ts';
import { encodeEnvelope } from '../../../agent/wire/dsse.ts';
import { claimAlias, CLAIM_LIFE_S } from '../../../agent/wire/claim-code.ts';
import type { Claim } from '../../../agent/wire/schemas/enrolment.ts';
import { openDocument } from '../../../agent/trust/open-document.ts';
import { approveClaim, newClaimCode } from '../../../central/service/claim-codes.ts';
import { CLAIM_LOCK_S, MAX_WRONG_CLAIMS, unlockClaims } from '../../../central/service/claim-lock.ts';
import { confirmDevice, findDevice } from '../../../central/service/confirm-appliance.ts';
import { enrol } from '../../../central/service/enrol.ts';
import { expectMachine, forgetMachine } from '../../../central/service/expected-machines.ts';
import { makeInProcessCentral, type InProcessCentral } from '../../support/central-in-process.ts';
import { claimOf, makeDevice, type Device } from '../../support/device.ts';
import { expectCode } from '../../support/expect-code.ts';
import { publishPolicy } from '../../support/site-policy.ts';

let central: InProcessCentral;
let device: Device;
beforeEach(async () => {
  central = await makeInProcessCentral();
  central.store.appliances.addSite({ site_id: 'south', customer_id: 'other-clinic' }, central.now());
  device = await makeDevice();
});
afterEach(() => central.remove());

const HARDWARE = { serial: 'MXL-1', macs: ['02:aa:bb:cc:dd:01'] };
const newCode = (): string => randomBytes(16).toString('hex');
async function ask(by: Device, change: Partial<Claim>) {
  const { token: _none, ...claim } = claimOf(by, '', { hardware: HARDWARE, ...change });
  const line = await enrol(central, Buffer.from(encodeEnvelope(signDocument('claim', claim, [by.signer]))));
  return openDocument(central.trust.root().root, 'timestamp', 'claimAnswer', line).value;
}
const askByMachine = (by: Device, change: Partial<Claim> = {}) => ask(by, { source: 'mac', ...change });
const askByCode = (by: Device, code: string, change: Partial<Claim> = {}) => ask(by, { source: 'qr', code, ...change });
const row = (by: Device) => central.store.enrolments.byDevice(by.signer.spki);
const expected = (kind: 'mac' | 'serial', value: string, siteId = 'north') =>
  expectMachine(central, kind, value, { siteId, days: 1, person: 'jane' });
const alarms = () => central.store.alarms.list(50).map((alarm) => alarm.kind);
const TECH = { account: 'tom', address: '192.0.2.7', siteId: 'north' };

describe('a machine that is expected by what stands on its label', () => {
  it.each([
    ['serial number', () => expected('serial', 'MXL-1')],
    ['network card', () => expected('mac', '02:aa:bb:cc:dd:01')],
  ])(
    'waits at its site under its %s, and gets nothing before an operator has confirmed it',
    async (_name, announce) => {
      announce();
      expect((await askByMachine(device)).status).toBe('pending');
      expect(row(device)).toMatchObject({ site_id: 'north', state: 'pending', source: 'mac' });
      confirmDevice(central, findDevice(central, row(device)!.fingerprint), {
        approver: 'jane',
        applianceId: 'north-1',
      });
      const { status, enrolled } = await askByMachine(device);
      expect([status, enrolled?.appliance_id]).toEqual(['confirmed', 'north-1']);
    },
  );

  it('is answered like one that nobody expects: a stranger learns no number', async () => {
    expected('serial', 'MXL-1');
    const stranger = await makeDevice();
    const answers = [await askByMachine(device), await askByMachine(stranger, { hardware: { serial: 'X', macs: [] } })];
    const shape = answers.map(({ request_sha256: _digest, ...rest }) => rest);
    expect(shape[1]).toEqual(shape[0]);
    expect(row(stranger)).toBeNull();
  });

  it('is not confirmed by its serial number alone, even where the site policy names it', async () => {
    await publishPolicy(central, 'north', { auto_confirm: ['MXL-1'] });
    expected('serial', 'MXL-1');
    expect((await askByMachine(device)).status).toBe('pending');
    expect((await askByMachine(device)).status).toBe('pending');
    expect(row(device)?.state).toBe('pending');
  });

  it('does not lose its place to a device that copies its label: both wait, an alarm says so, people choose', async () => {
    expected('serial', 'MXL-1');
    const copy = await makeDevice();
    await askByMachine(copy);
    await askByMachine(device);
    expect([row(copy)?.state, row(device)?.state]).toEqual(['pending', 'pending']);
    expect(alarms()).toContain('enrolment_contested');
    confirmDevice(central, row(device)!, { approver: 'jane' });
    const third = await makeDevice();
    expect((await askByMachine(third)).status).toBe('pending');
    expect(row(third)).toBeNull();
  });

  it('is expected no more after its date, or once somebody took it back', async () => {
    expected('serial', 'MXL-1');
    central.advance(86_400);
    await askByMachine(device);
    expect(row(device)).toBeNull();
    expected('serial', 'MXL-1');
    forgetMachine(central, 'serial', 'MXL-1', 'jane');
    await askByMachine(device);
    expect(row(device)).toBeNull();
    expectCode(() => forgetMachine(central, 'serial', 'MXL-1', 'jane'), 'machine_unknown');
  });

  it('keeps at most eight devices waiting under one label, and a thousand strangers', async () => {
    expected('serial', 'MXL-1');
    for (let i = 0; i < 9; i++) await askByMachine(await makeDevice());
    expect(central.store.enrolments.list()).toHaveLength(8);
    expect(central.store.claims.waiting()).toHaveLength(9);
    const [one] = central.store.claims.waiting();
    const { first_claim_at: _first, last_claim_at: _last, ...stranger } = one!;
    for (let i = 0; i < 1_000; i++) {
      central.store.claims.wait({ ...stranger, device_spki: `spki-${i}` }, central.now() + i, 1_000);
    }
    expect(central.store.claims.waiting()).toHaveLength(1_000);
  });
});

describe('a code that a device shows', () => {
  it('ties the device to the site for which a technician typed its alias, and no further', async () => {
    const code = newCode();
    expect((await askByCode(device, code)).status).toBe('pending');
    expect(row(device)).toBeNull();
    const tied = approveClaim(central, { alias: claimAlias(code) }, TECH);
    expect(tied).toMatchObject({ device_spki: device.signer.spki, site_id: 'north', state: 'pending', source: 'qr' });
    expect((await askByCode(device, code)).status).toBe('pending');
    confirmDevice(central, row(device)!, { approver: 'jane', applianceId: 'north-1' });
    expect((await askByCode(device, newCode())).enrolled?.appliance_id).toBe('north-1');
  });

  it('counts once: of two technicians at the same moment one gets the device', async () => {
    const code = newCode();
    await askByCode(device, code);
    approveClaim(central, { code }, TECH);
    expectCode(() => approveClaim(central, { code }, { ...TECH, account: 'eve', siteId: 'south' }), 'claim_unknown');
    expect(row(device)?.site_id).toBe('north');
  });

  it('counts for fifteen minutes from its first claim, however often it is sent again', async () => {
    const code = newCode();
    await askByCode(device, code);
    central.advance(CLAIM_LIFE_S - 1);
    await askByCode(device, code);
    central.advance(1);
    expectCode(() => approveClaim(central, { code }, TECH), 'claim_unknown');
  });

  it('is not taken over by another device that read it off the screen', async () => {
    const code = newCode();
    await askByCode(device, code);
    const thief = await makeDevice();
    expect((await askByCode(thief, code)).status).toBe('pending');
    expect(alarms()).toContain('claim_code_reused');
    expect(approveClaim(central, { code }, TECH).device_spki).toBe(device.signer.spki);
    expect(row(thief)).toBeNull();
  });

  it('makes way for the next one that the same device shows', async () => {
    const [first, second] = [newCode(), newCode()];
    await askByCode(device, first);
    await askByCode(device, second);
    expectCode(() => approveClaim(central, { code: first }, TECH), 'claim_unknown');
    expect(approveClaim(central, { code: second }, TECH).device_spki).toBe(device.signer.spki);
  });

  it('is stored as its digest only', async () => {
    const code = newCode();
    await askByCode(device, code);
    expect(JSON.stringify(central.store.claims.codes())).not.toContain(code);
  });

  it('of strangers never crowds out more than a thousand others', async () => {
    await askByCode(device, newCode());
    const [own] = central.store.claims.codes();
    for (let i = 0; i < 1_000; i++) {
      central.store.claims.addCode({
        ...own!,
        sha256: `digest-${i}`,
        device_spki: `spki-${i}`,
        created_at: own!.created_at - 1,
      });
    }
    const other = await makeDevice();
    await askByCode(other, newCode());
    const left = central.store.claims.codes();
    expect(left).toHaveLength(1_000);
    expect(left.map((code) => code.device_spki)).toEqual(
      expect.arrayContaining([device.signer.spki, other.signer.spki]),
    );
  });
});

describe('a code that was made for a site', () => {
  it('ties the first device that sends it to the site, and no second one', async () => {
    const { code } = newClaimCode(central, 'south', 'jane');
    await askByCode(device, code);
    expect(row(device)).toMatchObject({ site_id: 'south', state: 'pending', source: 'qr' });
    const second = await makeDevice();
    expect((await askByCode(second, code)).status).toBe('pending');
    expect(row(second)).toBeNull();
    expect(alarms()).toContain('claim_code_reused');
  });

  it('counts for fifteen minutes', async () => {
    const { code } = newClaimCode(central, 'south', 'jane');
    central.advance(CLAIM_LIFE_S);
    await askByCode(device, code);
    expect(row(device)).toBeNull();
  });

  it('cannot be approved by a technician in the place of a device', () => {
    const { code } = newClaimCode(central, 'south', 'jane');
    expectCode(() => approveClaim(central, { code }, TECH), 'claim_unknown');
    expectCode(() => approveClaim(central, { alias: claimAlias(code) }, TECH), 'claim_unknown');
  });

  it('confirms by itself only the serial numbers that the signed site policy names', async () => {
    await publishPolicy(central, 'north', { auto_confirm: ['MXL-1'] });
    const answer = await askByCode(device, newClaimCode(central, 'north', 'jane').code);
    expect(answer.status).toBe('confirmed');
    const other = await makeDevice();
    const hardware = { serial: 'MXL-2', macs: [] };
    expect((await askByCode(other, newClaimCode(central, 'north', 'jane').code, { hardware })).status).toBe('pending');
  });
});

describe('wrong claim codes', () => {
  const guess = (o: Partial<typeof TECH> = {}) => {
    approveClaim(central, { code: newCode() }, { ...TECH, ...o });
  };

  it('lock the account at every address, and the address for every account, but never the box', async () => {
    const code = newCode();
    await askByCode(device, code);
    for (let i = 0; i < MAX_WRONG_CLAIMS; i++) expectCode(() => guess(), 'claim_unknown');
    const right = (o: Partial<typeof TECH>) => approveClaim(central, { code }, { ...TECH, ...o });
    expectCode(() => right({}), 'claim_locked');
    expectCode(() => right({ address: '198.51.100.9' }), 'claim_locked');
    expectCode(() => right({ account: 'ann' }), 'claim_locked');
    expect(alarms().filter((kind) => kind === 'claim_locked')).toHaveLength(2);
    expect((await askByCode(device, code)).status).toBe('pending');
    expect(right({ account: 'ann', address: '198.51.100.9' }).device_spki).toBe(device.signer.spki);
  });

  it('are forgotten after the lock, or when a person lifts it', async () => {
    for (let i = 0; i < MAX_WRONG_CLAIMS; i++) expectCode(() => guess(), 'claim_unknown');
    expectCode(() => guess(), 'claim_locked');
    central.advance(CLAIM_LOCK_S);
    expectCode(() => guess(), 'claim_unknown');
    for (let i = 1; i < MAX_WRONG_CLAIMS; i++) expectCode(() => guess(), 'claim_unknown');
    expectCode(() => guess(), 'claim_locked');
    unlockClaims(central, 'account', 'tom', 'jane');
    unlockClaims(central, 'address', '192.0.2.7', 'jane');
    expectCode(() => guess(), 'claim_unknown');
  });

  it('do not add up over days', () => {
    for (let i = 0; i < 3 * MAX_WRONG_CLAIMS; i++) {
      expectCode(() => guess(), 'claim_unknown');
      central.advance(900);
    }
  });

  it('leave a record each of who tried what from where', () => {
    for (let i = 0; i < MAX_WRONG_CLAIMS; i++) expectCode(() => guess(), 'claim_unknown');
    const entries = central.store.access.list(50);
    expect(entries.filter((entry) => entry.action === 'claim_wrong')).toHaveLength(MAX_WRONG_CLAIMS);
    expect(
      entries
        .filter((entry) => entry.action === 'claim_locked')
        .map((entry) => entry.detail)
        .toSorted(),
    ).toEqual(['account', 'address']);
    expect(entries[0]).toMatchObject({ person: 'tom', address: '192.0.2.7' });
  });
});
