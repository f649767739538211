import { expect, it } from 'vitest';
import { describeBook } from '../../lab/describe-book.ts';
import { firewall, practiceRules } from '../../lab/scenarios/firewall.ts';
import { canonical } from '../../lab/run-step.ts';

describeBook(firewall, (played) => {
  it('never changes, disables or removes a rule that was there', () => {
    expect(played.size).toBe(firewall.scenarios.length);
    for (const [name, steps] of played) {
      for (const { step, before, after } of steps) {
        if (!('phase' in step) || before['firewall'] === undefined) continue;
        expect(canonical(practiceRules(after)), `${name} ${step.phase}`).toBe(canonical(practiceRules(before)));
      }
    }
  });
});
