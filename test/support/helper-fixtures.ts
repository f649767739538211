// What a daemon may hand to the privileged helpers: a trust root with its successors, and everything signed under them.
import { encodeEnvelope } from '../../agent/wire/dsse.ts';
import { signDocument } from '../../agent/wire/document.ts';
import type { CheckinAnswer } from '../../agent/wire/schemas/checkin.ts';
import type { Revocations, Root } from '../../agent/wire/schemas/root.ts';
import { parseRoot, type PinnedRoot } from '../../agent/trust/root.ts';
import { APPLIANCE, makeTrust, NOW, PARTNER, signerFrom } from './trust-fixtures.ts';

const DAY_S = 86_400;

export type HelperTrust = ReturnType<typeof helperTrust>;

/** A partner whose root began a day before `now`, Unix seconds, with what can be signed under it. */
export function helperTrust(now: number = NOW, seed = 'helpers') {
  const trust = makeTrust({ seed });
  const first: Root = { ...trust.root.root, issued_at: now - DAY_S, expires_at: now + 364 * DAY_S };
  const signRoot = (root: Root, ...people: string[]): string =>
    encodeEnvelope(
      signDocument(
        'root',
        root,
        people.map((name) => trust.keys[`root:${name}`]!),
      ),
    );
  /** Root n, signed by Alice and Bob; `change` bends it before. */
  const root = (version: number, change: Partial<Root> = {}): string =>
    signRoot({ ...first, version, ...change }, 'alice', 'bob');
  const answer = (serverTime: number = now, partial: Partial<CheckinAnswer> = {}): string =>
    trust.sign('checkinAnswer', {
      schema: 'compliance-agent/checkin-answer/v1',
      appliance_id: APPLIANCE,
      request_sha256: 'ab'.repeat(32),
      server_time: serverTime,
      expires_at: serverTime + 300,
      root_version: 1,
      content: null,
      policy: null,
      revocations: null,
      config: { checkin_interval_s: 60, log_level: 'info' },
      orders: [],
      witness: null,
      stored: { size: 0, root: 'cd'.repeat(32) },
      receipts: [],
      next_checkin_s: 60,
      ...partial,
    });
  const revocations = (version: number, keyids: readonly string[] = []): string => {
    const list: Revocations = {
      schema: 'compliance-agent/revocations/v1',
      partner_id: PARTNER,
      version,
      issued_at: now - 60,
      keys: keyids.map((keyid) => ({ keyid, revoked_at: now - 60, reason: 'stolen' })),
      origins: [],
    };
    return trust.sign('revocations', list);
  };
  const dates = { issued_at: now - DAY_S, expires_at: now + 30 * DAY_S };
  return {
    trust,
    now,
    signRoot,
    root,
    rootSha256: (parseRoot(root(1)) satisfies PinnedRoot).digest,
    firstRoot: first,
    answer,
    revocations,
    content: (version: number) => trust.sign('contentList', trust.contentList({ version, ...dates })),
    policy: (version: number, change: Partial<Parameters<typeof trust.policy>[0]> = {}) =>
      trust.sign('sitePolicy', trust.policy({ version, issued_at: now - 60, ...change })),
    binding: (change: Parameters<typeof trust.binding>[0] = {}) =>
      trust.sign('binding', trust.binding({ issued_at: now - 3_600, ...change })),
    /** A key that no root knows. */
    stranger: signerFrom('a stranger'),
  };
}
