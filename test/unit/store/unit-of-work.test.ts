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
});
