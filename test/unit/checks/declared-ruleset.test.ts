import { describe, expect, it } from 'vitest';
import { parseBaseline } from '../../../agent/checks/baseline.ts';
import { rulesetProblem } from '../../../agent/checks/declared-ruleset.ts';
import { expectCode } from '../../support/expect-code.ts';
import { healBaseline, RULESET } from '../../support/heal-fixtures.ts';

const TABLES = [{ family: 'inet', name: 'lab' }];

describe('the ruleset of a baseline', () => {
  it('declares the declared tables, with comments and quoted text of any kind', () => {
    expect(rulesetProblem(RULESET, TABLES)).toBeNull();
    const text = `# include "x" {\ntable inet lab { chain a { accept comment "} include {"; } }\n;table ip x { }`;
    expect(rulesetProblem(text, [...TABLES, { family: 'ip', name: 'x' }])).toBeNull();
    expect(parseBaseline(healBaseline(), 'b').checks.firewall).toMatchObject({ ruleset: `${RULESET}\n` });
  });

  it.each([
    ['reads another file', 'include "/etc/x"\ntable inet lab { }'],
    ['reads another file inside a table', 'table inet lab { include "/etc/x" }'],
    ['flushes everything', 'flush ruleset\ntable inet lab { }'],
    ['deletes a table after it', 'table inet lab { }\ndelete table inet other'],
    ['declares another table', 'table inet lab { }\ntable inet other { }'],
    ['names a table twice', 'table inet lab { }\ntable inet lab { }'],
    ['leaves a declared table out', '# nothing'],
    ['leaves the family out', 'table lab { }'],
    ['does not close a table', 'table inet lab { chain a { }'],
    ['hides a word behind a quote that does not end', 'table inet lab { }\n"\ninclude x'],
    ['joins lines', 'table inet lab { }\\\ninclude x'],
    ['defines outside of tables', 'define x = 1\ntable inet lab { }'],
  ])('is refused where it %s', (_name, text) => {
    expect(rulesetProblem(text, TABLES)).not.toBeNull();
    expectCode(() => parseBaseline(healBaseline({ ruleset: text }), 'b'), 'baseline_invalid');
  });
});
