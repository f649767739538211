import { describe, expect, it } from 'vitest';
import { parseRunbook, parseTarget } from '../../../central/cli/order-options.ts';
import { expectCode } from '../../support/expect-code.ts';
import { makeTrust, RUNBOOK } from '../../support/trust-fixtures.ts';

const content = makeTrust().contentList();

describe('the options of orders and authorisations', () => {
  it('name a listed runbook by its id alone, or any by id, version and digest', () => {
    expect(parseRunbook(RUNBOOK.id, content)).toEqual(RUNBOOK);
    const other = { id: 'RB-WIN-OTHER-001', version: 7, sha256: 'ef'.repeat(32) };
    expect(parseRunbook(`${other.id}:7:${other.sha256}`, content)).toEqual(other);
  });

  it.each(['RB-WIN-OTHER-001', 'RB-WIN-OTHER-001:7', 'RB-WIN-OTHER-001:x:ab', ''])(
    'refuse the runbook "%s"',
    (text) => {
      expectCode(() => parseRunbook(text, content), 'usage');
      expectCode(() => parseRunbook(text, null), 'usage');
    },
  );

  it('name a target, with what it is pinned to where that is said', () => {
    expect(parseTarget('dc-1')).toEqual({ id: 'dc-1' });
    expect(parseTarget('dc-1=spki:ab=cd')).toEqual({ id: 'dc-1', pinned_identity: 'spki:ab=cd' });
    expectCode(() => parseTarget('DC 1'), 'usage');
    expectCode(() => parseTarget('dc-1='), 'usage');
  });
});
