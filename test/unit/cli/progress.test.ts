import { describe, it, expect } from 'vitest';
import { createProgress } from '../../../agent/cli/progress.ts';
import { fakeClock } from '../../support/fakes/fake-clock.ts';

async function work(isTTY: boolean, steps: number, stepMs: number): Promise<string> {
  let text = '';
  const clock = fakeClock();
  const progress = createProgress({ stderr: { isTTY, write: (t) => void (text += t) }, clock }, 'verified entries');
  for (let step = 1; step <= steps; step += 1) {
    await clock.advance(stepMs);
    progress.at(step, steps);
  }
  progress.end();
  return text;
}

describe('progress', () => {
  it('says nothing about work that takes less than a second', async () => {
    expect(await work(true, 9, 100)).toBe('');
    expect(await work(false, 9, 100)).toBe('');
  });

  it('rewrites one line on a terminal and removes it at the end', async () => {
    const text = await work(true, 20, 100);
    expect(text).toContain('\r\u001b[Kverified entries: 10 of 20 (50 %), 10/s');
    expect(text.endsWith('\r\u001b[K')).toBe(true);
    expect(text).not.toContain('\n');
  });

  it('writes a whole line now and then where there is no terminal', async () => {
    const lines = (await work(false, 250, 100)).trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toBe('verified entries: 10 of 250 (4 %), 10/s');
  });
});
