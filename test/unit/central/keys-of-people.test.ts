import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { generateEd25519 } from '../../../agent/wire/node-signature.ts';
import { withdraw } from '../../../central/cli/authorise.ts';
import { loadOnlineKeys, makeOnlineKey } from '../../../central/keys/online-keys.ts';
import { openSealedKey, sealKey } from '../../../central/keys/sealed-key.ts';
import { makeInProcessCentral, type InProcessCentral } from '../../support/central-in-process.ts';
import { expectCode, expectCodeAsync } from '../../support/expect-code.ts';

let central: InProcessCentral;
beforeEach(async () => {
  central = await makeInProcessCentral();
});
afterEach(() => central.remove());

describe('a sealed key', () => {
  it('takes no short passphrase, and opens with its own only', async () => {
    await expectCodeAsync(sealKey('a key', 'eleven char'), 'passphrase_weak');
    const sealed = await sealKey('a key', 'twelve chars');
    expect(await openSealedKey(sealed, 'twelve chars', 'file')).toBe('a key');
    await expectCodeAsync(openSealedKey(sealed, 'twelve charz', 'file'), 'passphrase_wrong');
    await expectCodeAsync(openSealedKey('no age file', 'twelve chars', 'file'), 'key_malformed');
  });
});

describe('the keys of the server', () => {
  it('are those that the root names, whatever other files lie beside them', () => {
    const { root } = central.trust.root();
    const further = makeOnlineKey(central.dataDir, 'order');
    expect(loadOnlineKeys(central.dataDir, root).order.keyid).toBe(central.keys.order.keyid);
    const roles = { ...root.roles, order: { threshold: 1, keyids: [further.keyid] } };
    const keys = root.keys.map((key) =>
      key.keyid === central.keys.order.keyid ? { ...key, keyid: further.keyid, spki: further.spki } : key,
    );
    expect(loadOnlineKeys(central.dataDir, { ...root, keys, roles }).order.keyid).toBe(further.keyid);
  });

  it('are missed by name where the root names one that is not here', () => {
    const { root } = central.trust.root();
    const { signer } = generateEd25519();
    const roles = { ...root.roles, timestamp: { threshold: 1, keyids: [signer.keyid] } };
    expectCode(() => loadOnlineKeys(central.dataDir, { ...root, roles }), 'online_key_missing');
  });
});

describe('an authorisation that nobody published', () => {
  it('is not withdrawn', async () => {
    const id = '019f0000-0000-7000-8000-000000000001';
    await expectCodeAsync(withdraw(id, { data: central.dataDir }), 'authorisation_unknown');
  });
});
