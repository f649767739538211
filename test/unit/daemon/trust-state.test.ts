import { describe, expect, it } from 'vitest';
import { isBaselineSigned } from '../../../agent/daemon/run-checks.ts';
import { openStoredBinding } from '../../../agent/daemon/stored-binding.ts';
import { loadTrustState } from '../../../agent/daemon/trust-state.ts';
import type { Store } from '../../../agent/store/open-store.ts';
import { payloadDigest } from '../../../agent/wire/document.ts';
import { parseEnvelope } from '../../../agent/wire/dsse.ts';
import type { Revocations } from '../../../agent/wire/schemas/root.ts';
import { withLog } from '../../support/evidence-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';
import { BASELINE_SHA256, makeTrust, NOW, PARTNER, signerFrom, SITE } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const keyid = (name: string): string => trust.keys[name]!.keyid;
const revocations = (...revoked: string[]): Revocations => ({
  schema: 'compliance-agent/revocations/v1',
  partner_id: PARTNER,
  version: 1,
  issued_at: NOW,
  keys: revoked.map((name) => ({ keyid: keyid(name), revoked_at: NOW, reason: 'laptop lost' })),
  origins: [],
});
function put(store: Store, kind: 'content' | 'policy' | 'revocations', line: string): void {
  const digest = payloadDigest(parseEnvelope(line, { maxBytes: 1_000_000 }));
  store.trust.putDocument({ kind, version: 1, digest, line, at: NOW });
}
function pin(store: Store): void {
  store.trust.addRoot({ version: 1, digest: trust.root.digest, line: trust.root.line });
}

describe('the documents in force, read back from the store', () => {
  it('revoke nothing before the first list of revocations', () =>
    withLog(({ store }) => {
      pin(store);
      const state = loadTrustState(store, SITE);
      expect([state.revocationsVersion(), state.revokedKeyids().size]).toEqual([null, 0]);
    }));

  it('leave out a policy and a content list that need the signature of a revoked key, and say so', () =>
    withLog(({ store }) => {
      pin(store);
      put(store, 'policy', trust.sign('sitePolicy', trust.policy()));
      put(store, 'content', trust.sign('contentList', trust.contentList()));
      const state = loadTrustState(store, SITE);
      expect([state.policy() === null, state.content() === null]).toEqual([false, false]);
      put(store, 'revocations', trust.sign('revocations', revocations('operator:bob', 'content:alice')));
      state.refresh();
      expect([state.policy(), state.content(), state.revocationsVersion()]).toEqual([null, null, 1]);
      expect(state.problems()).toHaveLength(2);
    }));

  it('go on revoking after a new root has replaced those who signed the list', () =>
    withLog(({ store }) => {
      pin(store);
      put(store, 'revocations', trust.sign('revocations', revocations('order')));
      const root = structuredClone(trust.root.root);
      root.version = 2;
      root.roles.content = { threshold: 1, keyids: [keyid('content:carol')] };
      const line = trust.sign('root', root);
      store.trust.addRoot({ version: 2, digest: payloadDigest(parseEnvelope(line, { maxBytes: 1_000_000 })), line });
      const state = loadTrustState(store, SITE);
      expect([...state.revokedKeyids()]).toEqual([keyid('order')]);
      expect(state.problems()).toHaveLength(1);
    }));

  it('take up what was committed, also where what came after it failed', () =>
    withLog(({ store }) => {
      pin(store);
      const state = loadTrustState(store, SITE);
      put(store, 'revocations', trust.sign('revocations', revocations('order')));
      expect(state.revokedKeyids().size).toBe(0);
      state.refresh();
      expect([...state.revokedKeyids()]).toEqual([keyid('order')]);
    }));

  it('do not make signing optional where the content list does not verify any more', () => {
    const list = { value: trust.contentList() };
    expect(isBaselineSigned(null, false, BASELINE_SHA256)).toBe(true);
    expect(isBaselineSigned(list, true, BASELINE_SHA256)).toBe(true);
    expect(isBaselineSigned(list, true, 'ff'.repeat(32))).toBe(false);
    expect(isBaselineSigned(null, true, BASELINE_SHA256)).toBe(false);
  });

  it('let the binding of an enrolled appliance stand after the registrar key was replaced', () =>
    withLog(({ store }) => {
      pin(store);
      const root = structuredClone(trust.root.root);
      const other = signerFrom('the next registrar');
      root.version = 2;
      root.keys = root.keys.map((key) =>
        key.keyid === keyid('registrar') ? { ...key, keyid: other.keyid, spki: other.spki } : key,
      );
      root.roles.registrar = { threshold: 1, keyids: [other.keyid] };
      const line = trust.sign('root', root);
      store.trust.addRoot({ version: 2, digest: payloadDigest(parseEnvelope(line, { maxBytes: 1_000_000 })), line });
      const binding = trust.sign('binding', trust.binding());
      expect(openStoredBinding(store, binding).value.origin).toBe(trust.binding().origin);
      const forged = trust.sign('binding', trust.binding(), signerFrom('a stranger'));
      expectCode(() => openStoredBinding(store, forged), 'signature_invalid');
    }));
});
