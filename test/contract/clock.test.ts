import { describe, expect, it } from 'vitest';
import { systemClock } from '../../agent/system/clock.ts';
import type { Clock } from '../../agent/system/ports.ts';
import { fakeClock } from '../support/fakes/fake-clock.ts';

/** Lets `ms` pass on this clock. */
type Pass = (ms: number) => Promise<void>;
const fake = fakeClock();
const suites: readonly [string, Clock, Pass][] = [
  ['the real clock', systemClock, (ms) => systemClock.sleep(ms)],
  ['the fake clock', fake, (ms) => fake.advance(ms)],
];

describe.each(suites)('clock port: %s', (name, clock, pass) => {
  it(`${name} gives Unix milliseconds, and its monotonic and boot clocks move on`, async () => {
    const before = [clock.wallMs(), clock.monoMs(), clock.bootMs()] as const;
    expect(Number.isSafeInteger(before[0]) && before[0] > 1_600_000_000_000).toBe(true);
    expect(Number.isSafeInteger(before[2])).toBe(true);
    await pass(30);
    expect(clock.monoMs()).toBeGreaterThan(before[1]);
    expect(clock.bootMs()).toBeGreaterThan(before[2]);
  });

  it(`${name} names this boot by a UUID that stays`, () => {
    expect(clock.bootId()).toMatch(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(clock.bootId()).toBe(clock.bootId());
  });

  it(`${name} ends a sleep after its time`, async () => {
    const before = clock.monoMs();
    const sleep = clock.sleep(20);
    if (clock === fake) await fake.advance(20);
    await sleep;
    // The timer wheel counts whole milliseconds.
    expect(clock.monoMs() - before).toBeGreaterThanOrEqual(19);
  });

  it(`${name} rejects a sleep with the reason of the signal`, async () => {
    const controller = new AbortController();
    const sleep = clock.sleep(1_000_000, controller.signal);
    const reason = new Error('stop');
    controller.abort(reason);
    await expect(sleep).rejects.toBe(reason);
    await expect(clock.sleep(1, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

describe('fake clock', () => {
  it('wakes sleepers in order of their time and lets them sleep again', async () => {
    const clock = fakeClock();
    const woken: string[] = [];
    const twice = async (): Promise<void> => {
      await clock.sleep(10);
      woken.push(`a${clock.monoMs() - 100_000}`);
      await clock.sleep(10);
      woken.push(`a${clock.monoMs() - 100_000}`);
    };
    const once = clock.sleep(15).then(() => woken.push(`b${clock.monoMs() - 100_000}`));
    const both = Promise.all([twice(), once]);
    await clock.advance(100);
    await both;
    expect(woken).toEqual(['a10', 'b15', 'a20']);
  });

  it('a reboot gives another boot id and a boot clock near zero', () => {
    const clock = fakeClock();
    const before = clock.bootId();
    clock.reboot();
    expect(clock.bootId()).not.toBe(before);
    expect(clock.bootMs()).toBeLessThan(100);
  });
});
