// The other decisions of the helpers: whether the clock is set, whose key is stored, how often one may run.
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { readHeldTrust, NOTHING_HELD } from '../../../agent/helpers/held-trust.ts';
import { judgeClock } from '../../../agent/helpers/judge-clock.ts';
import { judgeRun, type Run } from '../../../agent/helpers/judge-run.ts';
import { judgeSlot } from '../../../agent/helpers/judge-slot.ts';
import { HELPER_VERBS, helperUnit, RUN_LIMITS } from '../../../agent/helpers/verbs.ts';
import { parseRoot } from '../../../agent/trust/root.ts';
import { expectCode } from '../../support/expect-code.ts';
import { helperTrust } from '../../support/helper-fixtures.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const site = helperTrust();
const root = parseRoot(site.root(1));
const clock = { bootMs: 5_000, bootId: 'b', wallMs: (NOW - 3 * 365 * 86_400) * 1_000, synchronised: false };
const time = { serverTime: NOW, bootMs: 5_000, bootId: 'b' };

describe('set-clock', () => {
  it('steps a clock that is three years behind to signed time, counted on since it was signed', () => {
    expect(judgeClock(root, time, clock)).toBe(NOW);
    expect(judgeClock(root, time, { ...clock, bootMs: 65_000 })).toBe(NOW + 60);
  });

  it('leaves a clock alone that something keeps synchronised, however far off it is', () => {
    expectCode(() => judgeClock(root, time, { ...clock, synchronised: true }), 'helper_time_unneeded');
  });

  it.each([0, 120, -120])('leaves a clock alone that is %d s off', (off) => {
    expectCode(() => judgeClock(root, time, { ...clock, wallMs: (NOW + off) * 1_000 }), 'helper_time_unneeded');
  });

  it.each([121, -121])('steps one that is %d s off', (off) => {
    expect(judgeClock(root, time, { ...clock, wallMs: (NOW + off) * 1_000 })).toBe(NOW);
  });

  it('never steps to before the trust root was made', () => {
    const early = { ...time, serverTime: root.root.issued_at - 1 };
    expectCode(() => judgeClock(root, early, clock), 'helper_time_implausible');
  });
});

const bound = (change: Parameters<typeof site.binding>[0] = {}) =>
  readHeldTrust({ ...NOTHING_HELD, binding: site.binding(change) }).binding;
const own = site.trust.keys['device']!.spki;
const other = site.stranger.spki;

describe('store-device-key', () => {
  const second = bound({ epoch: 2, origin: `${root.root.log_domain}/main-street-1/2`, device_spki: other });

  it('takes the first key, and the same again', () => {
    expect(judgeSlot(null, own, null)).toEqual({ verdict: 'store', epoch: null });
    expect(judgeSlot(null, own, bound())).toEqual({ verdict: 'store', epoch: 1 });
    expect(judgeSlot({ spki: own, epoch: null }, own, bound())).toEqual({ verdict: 'kept', epoch: 1 });
  });

  it('takes the key of a later epoch once the registrar bound it', () => {
    expect(judgeSlot({ spki: own, epoch: 1 }, other, second)).toEqual({ verdict: 'store', epoch: 2 });
  });

  it.each([
    ['another key while nothing is bound', { spki: own, epoch: null }, null],
    ['another key than the bound one', { spki: own, epoch: 1 }, bound()],
    ['a key that is bound for an epoch that is stored already', { spki: own, epoch: 2 }, second],
    ['a first key that is not the bound one', null, bound()],
  ])('refuses %s', (_, slot, binding) => {
    expectCode(() => judgeSlot(slot, other, binding), 'helper_slot_taken');
  });
});

describe('the limit on runs', () => {
  it('lets no more than that many begin within its time in one boot, whenever they come', () => {
    const limit = { runs: 3, withinMs: 1_000 };
    fc.assert(
      fc.property(fc.array(fc.nat(400), { maxLength: 40 }), (pauses) => {
        let runs: readonly Run[] = [];
        const begun: number[] = [];
        let at = 0;
        for (const pause of pauses) {
          at += pause;
          try {
            runs = judgeRun(runs, { boot_id: 'b', boot_ms: at }, limit);
            begun.push(at);
          } catch {
            // Refused: counted as not begun.
          }
        }
        for (const from of begun) {
          expect(begun.filter((one) => one >= from && one < from + limit.withinMs).length).toBeLessThanOrEqual(3);
        }
      }),
    );
  });

  it('is refused with a code of its own, and runs of an earlier boot do not count', () => {
    const many = Array.from({ length: RUN_LIMITS['set-clock'].runs }, (_, n) => ({ boot_id: 'b', boot_ms: n }));
    expectCode(() => judgeRun(many, { boot_id: 'b', boot_ms: 9 }, RUN_LIMITS['set-clock']), 'helper_rate_limited');
    expect(judgeRun(many, { boot_id: 'c', boot_ms: 9 }, RUN_LIMITS['set-clock'])).toHaveLength(1);
  });

  it('each verb has one, and a unit of its own', () => {
    expect(Object.keys(RUN_LIMITS).toSorted()).toEqual(HELPER_VERBS.toSorted());
    expect(HELPER_VERBS.map(helperUnit)).toContain('compliance-agent-set-clock.service');
  });
});
