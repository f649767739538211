import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openDocument } from '../../../agent/trust/open-document.ts';
import { signDocument } from '../../../agent/wire/document.ts';
import { encodeEnvelope } from '../../../agent/wire/dsse.ts';
import { freshHpkeKey, openHpke, type HpkeKeyPair } from '../../../agent/wire/hpke.ts';
import type { CheckinRequest } from '../../../agent/wire/schemas/checkin.ts';
import { decodeTargetsFrame, TARGETS_INFO, targetsAad } from '../../../agent/wire/targets-frame.ts';
import { checkIn } from '../../../central/service/check-in.ts';
import { addTarget, removeTarget, setTargetSecret, type TargetFields } from '../../../central/service/targets.ts';
import { databasePath } from '../../../central/store/open-central-store.ts';
import { bindDevice, makeInProcessCentral, type InProcessCentral } from '../../support/central-in-process.ts';
import { checkinRequestOf, type Enrolled } from '../../support/device.ts';
import { expectCode } from '../../support/expect-code.ts';
import { makeTestCa } from '../../support/test-ca.ts';
import { wireTarget } from '../../support/targets.ts';

const SECRET = 'Tr0ub4dor&3-Grün';
let central: InProcessCentral;
let me: Enrolled;
async function begin(): Promise<void> {
  central = await makeInProcessCentral();
  me = await bindDevice(central, 'north-1');
}

function fieldsOf(id: string, change: Partial<TargetFields> = {}): TargetFields {
  const { principal: _p, domain: _d, credential_id: _c, credential_version: _v, ...fields } = wireTarget(id);
  return { ...fields, ...change };
}
const by = { person: 'jane' };
const setSecret = (secret = SECRET, credentialId = 'clinic-svc') =>
  setTargetSecret(central, {
    siteId: 'north',
    credentialId,
    principal: 'svc-compliance',
    domain: 'CLINIC',
    secret: Buffer.from(secret),
    ...by,
  });
const add = (id: string, change: Partial<TargetFields> = {}, credentialId = 'clinic-svc') =>
  addTarget(central, { applianceId: 'north-1', credentialId, fields: fieldsOf(id, change), ...by });

interface Asked {
  /** What the appliance says that it holds. */
  readonly holds?: readonly string[];
  readonly change?: Partial<CheckinRequest>;
  readonly key?: HpkeKeyPair;
}

/** The targets that one check-in brings; null where the answer has none. */
async function ask({ holds = [], change = {}, key = freshHpkeKey() }: Asked = {}, who = me) {
  const { health } = checkinRequestOf(who);
  const request = checkinRequestOf(who, {
    hpke_public_key: key.publicKey.toString('base64'),
    health: { ...health, targets: holds.map((id) => ({ id, state: 'ready' })) },
    ...change,
  });
  const body = Buffer.from(encodeEnvelope(signDocument('checkinRequest', request, [who.device.signer])));
  const line = await checkIn(central, { applianceId: who.applianceId, spki: who.device.tlsSpki }, body);
  const { value } = openDocument(central.trust.root().root, 'timestamp', 'checkinAnswer', line);
  if (value.targets === undefined) return null;
  const aad = targetsAad(value.request_sha256, value.expires_at);
  const frame = await openHpke(key, Buffer.from(value.targets.hpke, 'base64'), { info: TARGETS_INFO, aad });
  return decodeTargetsFrame(frame);
}
const ids = (frame: Awaited<ReturnType<typeof ask>>) => frame?.targets.map(({ target }) => target.id) ?? null;
const databaseBytes = (): Buffer =>
  Buffer.concat(
    readdirSync(central.dataDir)
      .filter((name) => name.startsWith('central.db'))
      .map((name) => readFileSync(join(central.dataDir, name))),
  );
function tamper(sql: string): void {
  const db = new Database(databasePath(central.dataDir));
  db.exec(sql);
  db.close();
}

describe('targets at Central Command', () => {
  beforeEach(begin);
  afterEach(() => central.remove());

  it('are sealed to the key of the request, with their secret and 15 minutes to live', async () => {
    setSecret();
    add('pc-1');
    const frame = await ask();
    expect(frame?.targets[0]?.secret.toString()).toBe(SECRET);
    expect(frame?.targets[0]?.target).toMatchObject({ id: 'pc-1', principal: 'svc-compliance', credential_version: 1 });
    expect(frame?.expiresAt).toBe(central.now() + 900);
  });

  it('are sent when the list or a secret changed, when the appliance lost them, and after ten minutes; not each time', async () => {
    expect(await ask()).toBe(null);
    setSecret();
    add('pc-1');
    expect(ids(await ask())).toEqual(['pc-1']);
    expect(await ask({ holds: ['pc-1'] })).toBe(null);
    expect(ids(await ask({ holds: [] }))).toEqual(['pc-1']);
    central.advance(599);
    expect(await ask({ holds: ['pc-1'] })).toBe(null);
    central.advance(1);
    expect(ids(await ask({ holds: ['pc-1'] }))).toEqual(['pc-1']);
    setSecret('next');
    expect((await ask({ holds: ['pc-1'] }))?.targets[0]?.target.credential_version).toBe(2);
    add('pc-2');
    expect(ids(await ask({ holds: ['pc-1'] }))).toEqual(['pc-1', 'pc-2']);
  });

  it('that were all removed are wiped by an empty list, until the appliance names none any more', async () => {
    setSecret();
    add('pc-1');
    await ask();
    removeTarget(central, { applianceId: 'north-1', targetId: 'pc-1', ...by });
    expect(ids(await ask({ holds: ['pc-1'] }))).toEqual([]);
    expect(ids(await ask({ holds: ['pc-1'] }))).toEqual([]);
    expect(await ask({ holds: [] })).toBe(null);
  });

  it('of one appliance go to no other', async () => {
    const other = await bindDevice(central, 'north-2');
    setSecret();
    add('pc-1');
    expect(await ask({}, other)).toBe(null);
  });

  it('go into no epoch that people have not confirmed', async () => {
    setSecret();
    add('pc-1');
    expect(await ask({ change: { epoch_state: { status: 'provisional' } } })).toBe(null);
    expect(ids(await ask())).toEqual(['pc-1']);
  });

  it('count their versions up for ever, also after all of a credential was removed', () => {
    expect([setSecret(), setSecret()]).toEqual([1, 2]);
    add('pc-1');
    removeTarget(central, { applianceId: 'north-1', targetId: 'pc-1', ...by });
    expectCode(() => add('pc-1'), 'usage');
    expect(setSecret()).toBe(3);
  });

  it('have their secret nowhere in the database, and no more once nothing uses it', () => {
    const secret = Buffer.from(SECRET);
    setTargetSecret(central, { siteId: 'north', credentialId: 'c', principal: 'p', secret, ...by });
    expect(secret.every((byte) => byte === 0)).toBe(true);
    for (const form of [SECRET, Buffer.from(SECRET).toString('base64'), Buffer.from(SECRET).toString('hex')]) {
      expect(databaseBytes().includes(form)).toBe(false);
    }
    add('pc-1', {}, 'c');
    expect(central.store.targets.credential('north', 'c')?.sealed.length).toBeGreaterThan(0);
    removeTarget(central, { applianceId: 'north-1', targetId: 'pc-1', ...by });
    expect(central.store.targets.credential('north', 'c')?.sealed.length).toBe(0);
  });

  it('leave a row of who set, added and removed what, without the secret', () => {
    setSecret();
    add('pc-1');
    removeTarget(central, { applianceId: 'north-1', targetId: 'pc-1', ...by });
    const rows = central.store.access.list(3).map(({ action, person, detail }) => [action, person, detail]);
    expect(rows).toEqual([
      ['target_removed', 'jane', 'pc-1'],
      ['target_added', 'jane', 'pc-1 at 192.0.2.10 port 5986, clinic-svc'],
      ['target_secret_set', 'jane', 'clinic-svc version 1'],
    ]);
  });

  it('are refused where they are added if the appliance would refuse them', () => {
    setSecret();
    for (const change of [{ address: 'x'.repeat(61) }, { port: 0 }, { role: 'no role' }, { id: 'PC-1' }]) {
      expectCode(() => add('pc-1', change), 'usage');
    }
    add('pc-1');
  });

  it('with auth certificate take only a key and its certificate, whichever of the two is stored first', async () => {
    const ca = await makeTestCa();
    const dates = { notBefore: new Date(0), notAfter: new Date('2049-01-01') };
    const [client, other] = await Promise.all([
      ca.issueClient({ cn: 'agent', ...dates }),
      ca.issueClient({ cn: 'other', ...dates }),
    ]);
    setSecret('a password', 'clinic-cert');
    const change = { auth: 'certificate' } as const;
    expectCode(() => add('pc-1', change, 'clinic-cert'), 'target_certificate_invalid');
    expect(central.store.targets.of('north-1')).toEqual([]);
    setSecret(client.keyPem + client.certPem, 'clinic-cert');
    add('pc-1', change, 'clinic-cert');
    for (const secret of ['a password', other.keyPem + client.certPem]) {
      expectCode(() => setSecret(secret, 'clinic-cert'), 'target_certificate_invalid');
    }
    const server = await ca.issueServer(dates);
    expectCode(() => setSecret(server.keyPem + server.certPem, 'clinic-cert'), 'target_certificate_purpose');
    expect(central.store.targets.credential('north', 'clinic-cert')?.version).toBe(2);
    expect(setSecret(other.keyPem + other.certPem, 'clinic-cert')).toBe(3);
    // Other credentials stay what they were.
    setSecret('a password');
  });

  it('are refused for an appliance, a site or a secret that is not there', () => {
    expectCode(() => add('pc-1'), 'usage');
    setSecret();
    const there = { credentialId: 'clinic-svc', fields: fieldsOf('pc-1'), ...by };
    expectCode(() => addTarget(central, { ...there, applianceId: 'ghost' }), 'appliance_unknown');
    const secret = () => Buffer.from(SECRET);
    expectCode(
      () => setTargetSecret(central, { siteId: 'ghost', credentialId: 'c', secret: secret(), ...by }),
      'site_unknown',
    );
    expectCode(
      () => setTargetSecret(central, { siteId: 'north', credentialId: 'c', secret: secret(), ...by }),
      'usage',
    );
    expectCode(
      () =>
        setTargetSecret(central, {
          siteId: 'north',
          credentialId: 'c',
          principal: 'p',
          secret: Buffer.alloc(0),
          ...by,
        }),
      'usage',
    );
  });
});

describe('whoever writes to the database of Central Command', () => {
  const openAlarm = () => central.store.alarms.list(1)[0];
  beforeAll(async () => {
    await begin();
    setSecret();
    setSecret('another secret', 'other-svc');
    add('pc-1');
  });
  afterAll(() => central.remove());

  it.each([
    [
      'lets a secret go to a machine of his own',
      `UPDATE targets SET json = replace(json, '192.0.2.10', '203.0.113.66')`,
    ],
    ['lets a machine be reached without TLS', `UPDATE targets SET json = replace(json, '"https"', '"http"')`],
    ['gives a target another account', `UPDATE targets SET credential_id = 'other-svc'`],
    ['gives a secret the name of another account', `UPDATE target_credentials SET principal = 'administrator'`],
    [
      'puts one secret in the place of another',
      `UPDATE target_credentials SET sealed = (SELECT sealed FROM target_credentials WHERE credential_id = 'other-svc')`,
    ],
    ['says that a secret is of a later version', `UPDATE target_credentials SET version = version + 1`],
  ])('%s: nothing is sent, an alarm says so, and the rest of the answer goes out', async (_what, sql) => {
    expect(ids(await ask())).toEqual(['pc-1']);
    tamper(sql);
    expect(await ask()).toBe(null);
    expect(openAlarm()).toMatchObject({ kind: 'targets_not_sealed', subject: 'north-1', detail: 'central_damaged' });
    setSecret();
    setSecret('another secret', 'other-svc');
    add('pc-1');
    expect(ids(await ask())).toEqual(['pc-1']);
    expect(openAlarm()?.cleared_at).toBe(central.now());
  });

  it('has no secret without the key that lies beside the online keys, and neither has the server', async () => {
    rmSync(join(central.dataDir, 'keys/target-secrets.key'));
    central = await central.reopen();
    expect(await ask()).toBe(null);
    expect(openAlarm()?.kind).toBe('targets_not_sealed');
  });
});
