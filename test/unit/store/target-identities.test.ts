import { expect, it } from 'vitest';
import { withDir } from '../../support/evidence-fixtures.ts';
import { AT, open } from '../../support/store-fixtures.ts';

it('keeps the first machine of a target for good, and remembers which other one answered last', () =>
  withDir(async (dir) => {
    const store = open(dir);
    const table = store.targetIdentities;
    expect(table.byTarget('srv-1')).toBeNull();
    table.noteOther('srv-1', 'S-1-5-21-9-9-9', AT);
    expect(table.list()).toEqual([]);
    table.pin('srv-1', 'S-1-5-21-1-2-3', AT);
    table.pin('srv-1', 'S-1-5-21-4-5-6', AT + 1);
    table.noteOther('srv-1', 'S-1-5-21-4-5-6', AT + 2);
    store.close();
    const again = open(dir);
    const row = { targetId: 'srv-1', machineSid: 'S-1-5-21-1-2-3', pinnedAt: AT };
    expect(again.targetIdentities.byTarget('srv-1')).toEqual({ ...row, otherSid: 'S-1-5-21-4-5-6', otherAt: AT + 2 });
    again.targetIdentities.noteOther('srv-1', null, AT + 3);
    expect(again.targetIdentities.list()).toEqual([{ ...row, otherSid: null, otherAt: null }]);
    again.close();
  }));
