// What a compromised daemon may hand to the helper that keeps root's copies of trust, and what comes of it. Each case changes one
// thing in what the first test shows accepted.
import { describe, expect, it } from 'vitest';
import { NOTHING_HELD, readHeldTrust, type HeldLines } from '../../../agent/helpers/held-trust.ts';
import { judgeSync, type Offered, type SyncContext } from '../../../agent/helpers/judge-sync.ts';
import { FIRST_ROOT_ATTACKS, OLD_TRUTH_ATTACKS } from '../../attacks/helper-attacks.ts';
import { expectCode } from '../../support/expect-code.ts';
import { helperTrust } from '../../support/helper-fixtures.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const site = helperTrust();
const { trust } = site;
const BOOT = { bootId: 'b0', bootMs: 600_000 };
const context: SyncContext = {
  firstRootSha256: site.rootSha256,
  known: null,
  clock: { ...BOOT, wallMs: NOW * 1_000, synchronised: true },
};
const offered: Offered = {
  roots: [site.root(1), site.root(2), site.root(3)],
  answer: site.answer(),
  revocations: site.revocations(4),
  content: site.content(7),
  policy: site.policy(5),
  binding: site.binding(),
};
const nothing: Offered = {
  roots: [],
  answer: site.answer(),
  revocations: null,
  content: null,
  policy: null,
  binding: null,
};
const empty = readHeldTrust(NOTHING_HELD);
const held: HeldLines = {
  root: site.root(3),
  revocations: site.revocations(4),
  content: site.content(7),
  policy: site.policy(5),
  binding: site.binding({ epoch: 2, origin: `${trust.root.root.log_domain}/main-street-1/2` }),
};
const full = readHeldTrust(held);
const sync = (change: Partial<Offered>, base = full, c: Partial<SyncContext> = {}) =>
  judgeSync(base, { ...nothing, ...change }, { ...context, ...c });

describe('sync-trust takes', () => {
  it('the roots from the one that the configuration names, each step, and what is signed under the last', () => {
    const { root, news, time } = judgeSync(empty, offered, context);
    expect(root.root.version).toBe(3);
    expect(news).toEqual({
      root: offered.roots[2],
      revocations: offered.revocations,
      content: offered.content,
      policy: offered.policy,
      binding: offered.binding,
    });
    expect(time).toEqual({ serverTime: NOW, ...BOOT });
  });

  it('nothing twice', () => {
    const { news } = sync({ ...held, roots: [site.root(3)] });
    expect(Object.values(news).filter((line) => line !== null)).toEqual([]);
  });

  it('the next root, content list and policy over those that it holds', () => {
    const news = { root: site.root(4), content: site.content(8), policy: site.policy(6) };
    expect(sync({ ...news, roots: [site.root(3), news.root] }).news).toMatchObject(news);
  });

  it('a root that expired long ago on the way to one that did not', () => {
    const expired = { expires_at: NOW - 5 };
    const roots = [site.root(4, expired), site.root(5)];
    expect(sync({ roots }).root.root.version).toBe(5);
  });
});

describe('sync-trust refuses', () => {
  it.each(FIRST_ROOT_ATTACKS)('before it holds a root: $what, with $code', ({ change, code }) => {
    expectCode(() => sync({ ...offered, ...change(site) }, empty), code);
  });

  it.each(OLD_TRUTH_ATTACKS)('once it holds one: $what, with $code', ({ change, code }) => {
    expectCode(() => sync(change(site)), code);
  });

  it('the first root where the configuration names none', () => {
    expectCode(() => sync(offered, empty, { firstRootSha256: null }), 'helper_root_unknown');
  });

  it('a policy before it knows whose site this is', () => {
    expectCode(() => sync({ ...offered, binding: null }, empty), 'helper_input_missing');
  });

  it('what a key signed that the revocations beside it take away', () => {
    const revocations = site.revocations(5, [trust.keys['operator:bob']!.keyid]);
    expectCode(() => sync({ revocations, policy: site.policy(6) }), 'threshold_not_met');
  });

  it('a content list under a root that is expired by signed time', () => {
    const late = NOW + 400 * 86_400;
    const clock = { ...context.clock, wallMs: late * 1_000 };
    expectCode(() => sync({ answer: site.answer(late), content: site.content(8) }, full, { clock }), 'root_expired');
  });

  it('where NTP is dead, an answer from before the highest signed time that it ever took, also after a restart', () => {
    const clock = { ...context.clock, synchronised: false, wallMs: (NOW - 90_000) * 1_000 };
    const before = { serverTime: NOW + 500, bootMs: 9_000_000, bootId: 'an earlier boot' };
    const unsynchronised = { clock, known: before };
    expectCode(() => sync({}, full, unsynchronised), 'helper_time_old');
    expect(sync({ answer: site.answer(NOW + 500) }, full, unsynchronised).time.serverTime).toBe(NOW + 500);
  });

  it('where NTP is dead, an answer that lies behind what this boot counted since', () => {
    const clock = { ...context.clock, synchronised: false, bootMs: 600_000 + 3_600_000 };
    const known = { serverTime: NOW, ...BOOT };
    expectCode(() => sync({}, full, { clock, known }), 'helper_time_old');
    expect(sync({ answer: site.answer(NOW + 3_600) }, full, { clock, known }).time.serverTime).toBe(NOW + 3_600);
  });
});

describe('a time that was a lie', () => {
  it('does not hold the helpers for ever: a synchronised clock sets them right', () => {
    const known = { serverTime: NOW + 40_000_000, bootMs: 0, bootId: BOOT.bootId };
    expect(sync({}, full, { known }).time.serverTime).toBe(NOW);
  });
});
