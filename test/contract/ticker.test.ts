import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createExec } from '../../agent/system/exec.ts';
import type { Ticker } from '../../agent/system/ports.ts';
import { systemTicker } from '../../agent/system/ticker.ts';
import { fakeTicker } from '../support/fakes/fake-ticker.ts';

const fake = fakeTicker();
const suites: readonly [string, Ticker, () => void][] = [
  ['the real ticker', systemTicker, () => undefined],
  ['the fake ticker', fake, () => fake.tick()],
];

describe.each(suites)('ticker port: %s', (name, ticker, beat) => {
  it(`${name} ticks again and again, and not after it was stopped`, async () => {
    let ticks = 0;
    await new Promise<void>((resolve) => {
      const stop = ticker.start(() => {
        if (++ticks === 2) {
          stop();
          resolve();
        }
      });
      beat();
      beat();
      beat();
    });
    expect(ticks).toBe(2);
  });
});

describe('the real ticker and the wall clock', () => {
  it('the pulse goes on when the wall clock steps three years forward and then back', async () => {
    const script = join(import.meta.dirname, '../fixtures/programs/tick-through-clock-steps.ts');
    const r = await createExec().run([process.execPath, script], { deadlineMs: 30_000 });
    expect([r.status, r.stdout.toString(), r.stderr.toString()]).toEqual(['exited', 'parts=3\n', '']);
  }, 40_000);
});
