import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withDir } from '../../support/evidence-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';
import { appendLines, open } from '../../support/store-fixtures.ts';

describe('unit of work', () => {
  it('commits all of it or nothing of it', () =>
    withDir((dir) => {
      const store = open(dir);
      store.unit(() => {
        store.settings.set('a', '1');
        appendLines(store, ['x']);
      });
      expect(() =>
        store.unit(() => {
          store.settings.set('a', '2');
          appendLines(store, ['y']);
          throw new Error('stop');
        }),
      ).toThrow('stop');
      expect(store.settings.get('a')).toBe('1');
      expect(store.entries.state(1).size).toBe(1);
      store.close();
    }));

  it('gives back what its function returns', () =>
    withDir((dir) => {
      const store = open(dir);
      expect(store.unit(() => store.unit(() => 42))).toBe(42);
      store.close();
    }));

  it('joins a nested call: the outer failure takes both back', () =>
    withDir((dir) => {
      const store = open(dir);
      expect(() =>
        store.unit(() => {
          store.unit(() => store.settings.set('inner', '1'));
          throw new Error('stop');
        }),
      ).toThrow('stop');
      expect(store.settings.get('inner')).toBe(null);
      store.close();
    }));

  it('undoes a nested call alone when its error is caught outside it', () =>
    withDir((dir) => {
      const store = open(dir);
      store.unit(() => {
        store.settings.set('outer', '1');
        expect(() =>
          store.unit(() => {
            store.settings.set('inner', '1');
            throw new Error('stop');
          }),
        ).toThrow('stop');
        store.unit(() => store.settings.set('after', '1'));
      });
      expect(['outer', 'inner', 'after'].map((key) => store.settings.get(key))).toEqual(['1', null, '1']);
      store.close();
    }));

  it('refuses a function that awaits, and takes back what it did before', () =>
    withDir((dir) => {
      const store = open(dir);
      const awaits = async (): Promise<void> => {
        store.settings.set('a', '1');
        await Promise.resolve();
      };
      expectCode(() => store.unit(awaits), 'internal');
      expect(store.settings.get('a')).toBe(null);
      store.close();
    }));

  it('after any units, nested or not, undone or not, the log ends where the file says', () =>
    withDir((dir) => {
      const store = open(dir);
      let kept: string[] = [];
      const run = (steps: readonly Step[]): void => {
        for (const { lines, inner, fails } of steps) {
          const before = kept;
          try {
            store.unit(() => {
              appendLines(store, lines);
              kept = [...kept, ...lines];
              run(inner);
              if (fails) throw new Error('stop');
            });
          } catch (error) {
            if (!(error instanceof Error) || error.message !== 'stop') throw error;
            kept = before;
          }
          expect(store.entries.state(1).size).toBe(kept.length);
        }
      };
      fc.assert(
        fc.property(fc.array(step, { maxLength: 4 }), (steps) => {
          run(steps);
          const reader = open(dir, true);
          expect(store.entries.state(1)).toEqual(reader.entries.state(1));
          expect(store.entries.range(1, 0, { maxEntries: 10_000, maxBytes: 1e9 }).map(({ line }) => line)).toEqual(
            kept,
          );
          reader.close();
        }),
        { numRuns: 40 },
      );
      store.close();
    }));
});

interface Step {
  readonly lines: string[];
  readonly inner: Step[];
  readonly fails: boolean;
}
const { step } = fc.letrec<{ step: Step }>((tie) => ({
  step: fc.record({
    lines: fc.array(fc.string({ minLength: 1, maxLength: 8 }), { maxLength: 3 }),
    inner: fc.array(tie('step'), { maxLength: 2, depthIdentifier: 'units' }),
    fails: fc.boolean(),
  }),
}));
