import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createIds } from '../../agent/system/ids.ts';
import { systemClock } from '../../agent/system/clock.ts';
import type { Ids } from '../../agent/system/ports.ts';
import { fakeIds, seededBytes } from '../support/fakes/fake-ids.ts';

const suites: readonly [string, Ids][] = [
  ['the real ids', createIds(systemClock)],
  ['the fake ids', fakeIds('contract')],
];

describe.each(suites)('ids port: %s', (name, ids) => {
  it(`${name} make lower-case UUIDs of version 7 that rise`, () => {
    const made = Array.from({ length: 20_000 }, () => ids.uuidv7());
    expect(made.every((id) => /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id))).toBe(
      true,
    );
    expect(made.every((id, i) => i === 0 || id > (made[i - 1] ?? ''))).toBe(true);
  });

  it(`${name} give as many random bytes as asked for, and numbers in [0, 1)`, () => {
    expect(ids.randomBytes(33)).toHaveLength(33);
    expect(ids.randomBytes(16)).not.toEqual(ids.randomBytes(16));
    const numbers = Array.from({ length: 1_000 }, () => ids.random());
    expect(numbers.every((n) => n >= 0 && n < 1)).toBe(true);
    expect(new Set(numbers).size).toBe(1_000);
  });
});

describe('UUIDv7', () => {
  it('ids rise whatever the wall clock does', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4_000_000_000_000 }), { minLength: 2, maxLength: 200 }),
        (walls) => {
          let at = 0;
          const ids = createIds({ wallMs: () => walls[at++] ?? 1 }, seededBytes('steps'));
          const made = walls.map(() => ids.uuidv7());
          return made.every((id, i) => i === 0 || id > (made[i - 1] ?? ''));
        },
      ),
    );
  });

  it('the first 48 bits are the Unix time in milliseconds (RFC 9562, 5.7)', () => {
    const id = createIds({ wallMs: () => 0x017f22e279b0 }, seededBytes(1)).uuidv7();
    expect(id.startsWith('017f22e2-79b0-7')).toBe(true);
  });
});
