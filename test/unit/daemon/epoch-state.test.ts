import { describe, expect, it } from 'vitest';
import { saveOpenedEpoch, usesKnownSince, type OpenedEpoch } from '../../../agent/daemon/epoch-state.ts';
import { makeTrust, NOW } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const OPENED: OpenedEpoch = {
  epoch: 2,
  status: 'unbound',
  deviceSpki: '',
  succession: { payload: '', payloadType: '', signatures: [] },
  predecessor: { payload: '', payloadType: '', signatures: [] },
  ended: { old_origin: 'x', own_size: null, own_root: null, witnessed_size: null, witnessed_root: null, cause: 'x' },
  openedAt: 1_000,
  bindingSha256: null,
};

/** Settings as the store keeps them: text by key. */
function settingsWith(opened: OpenedEpoch | null) {
  const kept = new Map<string, string>();
  const store = {
    settings: {
      get: (key: string) => kept.get(key) ?? null,
      set: (key: string, value: string) => void kept.set(key, value),
      delete: (key: string) => void kept.delete(key),
    },
  };
  if (opened !== null) saveOpenedEpoch(store, opened);
  return store;
}

describe('since when uses of authorisations are known', () => {
  it.each<[string, OpenedEpoch | null, number, number | undefined]>([
    ['always where the epoch was bound at enrolment', null, 1, undefined],
    ['since its binding where another machine took over', null, 3, NOW],
    ['since its binding where a machine took over that had opened an epoch before', OPENED, 3, NOW],
    ['since it was opened where nobody has bound it', OPENED, 2, 1_000],
    ['since its binding where the clock of the machine was behind', { ...OPENED, boundAt: 5_000 }, 2, 5_000],
    ['since it was opened where the binding is dated back', { ...OPENED, boundAt: 10 }, 2, 1_000],
    [
      'since people confirmed it where the clock of the machine was ahead',
      { ...OPENED, openedAt: 90_000, boundAt: 5_000, confirmedAt: 6_000 },
      2,
      6_000,
    ],
    [
      'since it was opened, however late people confirm it',
      { ...OPENED, boundAt: 1_010, confirmedAt: 6_000 },
      2,
      1_010,
    ],
  ])('is %s', (_, opened, epoch, since) => {
    const bindingLine = trust.sign('binding', trust.binding({ epoch, issued_at: NOW }));
    expect(usesKnownSince(settingsWith(opened), { epoch, bindingLine })).toBe(since);
  });
});
