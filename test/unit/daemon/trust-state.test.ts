import { describe, expect, it } from 'vitest';
import { loadTrustState } from '../../../agent/daemon/trust-state.ts';
import type { Store } from '../../../agent/store/open-store.ts';
import { payloadDigest } from '../../../agent/wire/document.ts';
import { parseEnvelope } from '../../../agent/wire/dsse.ts';
import type { Revocations } from '../../../agent/wire/schemas/root.ts';
import { withLog } from '../../support/evidence-fixtures.ts';
import { makeTrust, NOW, PARTNER, SITE } from '../../support/trust-fixtures.ts';

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
      state.reload();
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
});
