import { expect, it } from 'vitest';
import { describeBook } from '../../lab/describe-book.ts';
import { canonical } from '../../lab/run-step.ts';
import { encryption } from '../../lab/scenarios/encryption.ts';

describeBook(encryption, (played) => {
  it('changes nothing on the machine, in any scenario', () => {
    expect(played.size).toBe(encryption.scenarios.length);
    for (const [name, steps] of played) {
      for (const { before, after } of steps) expect(canonical(after), name).toBe(canonical(before));
    }
  });
});
