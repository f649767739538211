import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { payloadDigest, signDocument } from '../../../agent/wire/document.ts';
import { encodeEnvelope, type Signer } from '../../../agent/wire/dsse.ts';
import type { Role } from '../../../agent/wire/schemas/root.ts';
import { personSigners } from '../../../central/keys/person-keys.ts';
import { buildAnswer } from '../../../central/service/build-answer.ts';
import { findDocument } from '../../../central/service/find-document.ts';
import { issueOrder } from '../../../central/service/issue-order.ts';
import { findKey, revokeKey, revokeOrigin, rolesLeftShort } from '../../../central/service/publish-revocations.ts';
import { bindDevice, makeInProcessCentral, type InProcessCentral } from '../../support/central-in-process.ts';
import { expectCode } from '../../support/expect-code.ts';
import { signerFrom } from '../../support/trust-fixtures.ts';

let central: InProcessCentral;
let content: Signer[];
beforeEach(async () => {
  central = await makeInProcessCentral();
  content = (await personSigners(central.keysDir, 'content', root())).map((person) => person.signer);
});
afterEach(() => central.remove());

const root = () => central.trust.root().root;
const keyOf = (role: Role): string => root().roles[role].keyids[0]!;
const revoke = (role: Role, signers: readonly Signer[] = content) =>
  revokeKey(central, { keyid: keyOf(role), reason: 'laptop lost' }, signers);

describe('publishing revocations', () => {
  it('rises in version, and each list names all that is revoked', () => {
    expect(revoke('order').published?.value.version).toBe(1);
    const { published } = revoke('receipt');
    expect(published?.value.version).toBe(2);
    expect(published?.value.keys.map(({ keyid }) => keyid)).toEqual([keyOf('order'), keyOf('receipt')]);
  });

  it('publishes nothing for a key that is revoked already', () => {
    revoke('order');
    expect(revoke('order').published).toBe(null);
    expect(central.trust.revocations()?.version).toBe(1);
  });

  it('is named by the next answer and given out by its digest, to any appliance', async () => {
    const me = await bindDevice(central, 'north-1');
    const answer = () => buildAnswer(central, central.store.appliances.binding('north-1')!, 'ab'.repeat(32));
    expect(answer().revocations).toBe(null);
    const { published } = revoke('order');
    expect(answer().revocations).toEqual({ version: 1, sha256: published?.digest });
    const client = { applianceId: 'north-1', spki: me.device.tlsSpki };
    expect(findDocument(central, client, 'revocations', published?.digest ?? '')).toBe(published?.line);
  });

  it('publishes nothing that appliances would refuse', async () => {
    const operator = (await personSigners(central.keysDir, 'operator', root())).map((person) => person.signer);
    expectCode(() => revoke('order', operator), 'signature_invalid');
    revoke('content');
    expectCode(() => revoke('order'), 'signature_invalid');
    expect(central.trust.revocations()?.version).toBe(1);
  });

  it('revokes no root key, and no key that the root does not name', () => {
    expectCode(() => revoke('root'), 'usage');
    expectCode(() => revokeKey(central, { keyid: '0'.repeat(64), reason: 'x' }, content), 'usage');
  });

  it('names revoked logs beside revoked keys, and each list goes on naming both', () => {
    revoke('order');
    const log = { origin: 'logs.example/north-1/1', trust_until_size: 6, root: 'ab'.repeat(32) };
    const { published } = revokeOrigin(central, log, content);
    expect(published?.value).toMatchObject({ version: 2, keys: [{ keyid: keyOf('order') }], origins: [log] });
    expect(revoke('receipt').published?.value).toMatchObject({ version: 3, origins: [log] });
    expect(central.trust.revocations()?.value.keys).toHaveLength(2);
  });

  it('takes trust in a log away and never gives any back', () => {
    const at = (size: number) => ({ origin: 'logs.example/north-1/1', trust_until_size: size, root: 'ab'.repeat(32) });
    expect(revokeOrigin(central, at(6), content).published?.value.version).toBe(1);
    for (const size of [6, 7]) {
      expect(revokeOrigin(central, at(size), content)).toMatchObject({
        published: null,
        revoked: { trust_until_size: 6 },
      });
    }
    expect(revokeOrigin(central, at(5), content).published?.value.origins).toMatchObject([{ trust_until_size: 5 }]);
    expect(central.trust.revocations()?.version).toBe(2);
  });

  it('signs the list anew where its signers are no holders of content in the root in force any more', () => {
    const log = { origin: 'logs.example/north-1/1', trust_until_size: 6, root: 'ab'.repeat(32) };
    const list = {
      schema: 'compliance-agent/revocations/v1' as const,
      partner_id: root().partner_id,
      version: 1,
      issued_at: central.now(),
      keys: [{ keyid: keyOf('order'), revoked_at: central.now(), reason: 'laptop lost' }],
      origins: [{ ...log, revoked_at: central.now() }],
    };
    const former = signDocument('revocations', list, [signerFrom('a former holder of content')]);
    const digest = payloadDigest(former);
    const line = encodeEnvelope(former);
    central.store.documents.add({ kind: 'revocations', scope: '', version: 1, digest, line }, central.now());
    const { keys, origins } = list;
    expect(revokeOrigin(central, log, content).published?.value).toMatchObject({ version: 2, keys, origins });
    expect(revokeOrigin(central, log, content).published).toBe(null);
    expect(revoke('order').published).toBe(null);
  });

  it('revokes no log by the keys of operators', async () => {
    const operator = (await personSigners(central.keysDir, 'operator', root())).map((person) => person.signer);
    const log = { origin: 'logs.example/north-1/1', trust_until_size: 6, root: 'ab'.repeat(32) };
    expectCode(() => revokeOrigin(central, log, operator), 'signature_invalid');
    expect(central.trust.revocations()).toBe(null);
  });

  it('finds a key by its first eight digits', () => {
    const keyid = keyOf('order');
    expect(findKey(root(), keyid.slice(0, 8).toUpperCase())).toBe(keyid);
    for (const query of [keyid.slice(0, 7), '', 'zzzzzzzz']) expectCode(() => findKey(root(), query), 'usage');
  });

  it('says which roles are left without enough holders', () => {
    expect(rolesLeftShort(root(), new Set())).toEqual([]);
    expect(rolesLeftShort(root(), new Set([keyOf('order'), keyOf('operator')]))).toEqual(['operator', 'order']);
    expect(rolesLeftShort(root(), new Set([keyOf('root')]))).toEqual([]);
  });

  it('stops issuing orders once its order key is revoked', async () => {
    await bindDevice(central, 'north-1');
    const issue = () => issueOrder(central, { applianceId: 'north-1', kind: 'run_check', issuedBy: 'test' });
    issue();
    revoke('order');
    expectCode(issue, 'order_key_revoked');
  });
});
