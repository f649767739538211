import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDamagedStore } from '../../../agent/store/damaged-store.ts';
import { DATABASE_FILE, LOCK_FILE } from '../../../agent/store/open-store.ts';
import { pendingSetAside, setAside, settleSetAside } from '../../../agent/store/set-aside.ts';
import { leafHash } from '../../../agent/wire/merkle.ts';
import { linesOf, openLog, withDir } from '../../support/evidence-fixtures.ts';
import { alertBody } from '../../support/sample-log.ts';

const PARTS = ['-wal', '-shm', ''];
const NAMES = PARTS.map((part) => `${DATABASE_FILE}${part}`);

const move = (dir: string): string => setAside(dir, DATABASE_FILE, LOCK_FILE, '2026-06-01');

describe('a damaged database that is set aside', () => {
  it.each([0, 1, 2, 3])('is moved whole, also where a kill came after %i of its files', (moved) =>
    withDir((dir) => {
      NAMES.forEach((name) => writeFileSync(join(dir, name), `old ${name}`));
      if (moved > 0) {
        writeFileSync(join(dir, 'set-aside.json'), JSON.stringify({ folder: 'damaged-x' }));
        mkdirSync(join(dir, 'damaged-x'));
        NAMES.slice(0, moved).forEach((name) => renameSync(join(dir, name), join(dir, 'damaged-x', name)));
      }
      const folder = move(dir);
      expect(folder).toBe(moved === 0 ? 'damaged-2026-06-01' : 'damaged-x');
      for (const name of NAMES) expect(readFileSync(join(dir, folder, name), 'utf8')).toBe(`old ${name}`);
      expect(NAMES.some((name) => existsSync(join(dir, name)))).toBe(false);
      expect(pendingSetAside(dir)).toBe(folder);
    }),
  );

  it('is never replaced: a new database beside it stays where it is, and a second one gets a folder of its own', () =>
    withDir((dir) => {
      writeFileSync(join(dir, DATABASE_FILE), 'old');
      const folder = move(dir);
      writeFileSync(join(dir, DATABASE_FILE), 'new');
      expect(move(dir)).toBe(folder);
      expect(readFileSync(join(dir, DATABASE_FILE), 'utf8')).toBe('new');
      expect(readFileSync(join(dir, folder, DATABASE_FILE), 'utf8')).toBe('old');
      settleSetAside(dir);
      expect(pendingSetAside(dir)).toBeNull();
      expect(move(dir)).toBe(`${folder}-2`);
      expect(readdirSync(dir).filter((name) => name.startsWith('damaged-'))).toHaveLength(2);
    }));
});

describe('what can be read of a damaged database', () => {
  it('is every line but those on the damaged pages, and only rows whose sums hold', () =>
    withDir((dir) => {
      const { store, log } = openLog(dir);
      store.unit(() => {
        for (let n = 1; n < 300; n += 1) log.append('alert', alertBody(n));
        store.orders.useAuthorisation('a-good', 'ab'.repeat(32), 5);
        store.orders.useAuthorisation('a-bad', 'ab'.repeat(32), 5);
      });
      const lines = linesOf(store);
      store.close();
      const path = join(dir, DATABASE_FILE);
      const bytes = readFileSync(path);
      bytes.write('a-bud', bytes.indexOf('a-bad'));
      const pageSize = bytes.readUInt16BE(16);
      const page = Math.floor(bytes.indexOf(lines[150]!.slice(0, 400)) / pageSize);
      bytes.fill(0xee, page * pageSize, (page + 1) * pageSize);
      writeFileSync(path, bytes);

      const damaged = openDamagedStore(dir, DATABASE_FILE)!;
      const before = damaged.lines(1, 0, 1_000);
      expect(before.map(({ line }) => line)).toEqual(lines.slice(0, before.length));
      expect(before.length).toBeGreaterThan(100);
      expect(before.length).toBeLessThanOrEqual(150);
      const after = damaged.lines(1, 200, 1_000);
      expect(after.map(({ line }) => line)).toEqual(lines.slice(200));
      for (const { line, leaf } of after) expect(leafHash(line).equals(leaf)).toBe(true);
      expect(damaged.logState(1)?.size).toBe(300);
      expect(damaged.lastSeq(1)).toBe(299);
      expect(damaged.rows('authorisations', ['authorisation_id', 'order_digest', 'at'])).toEqual([
        { authorisation_id: 'a-good', order_digest: 'ab'.repeat(32), at: 5 },
      ]);
      damaged.close();
    }));

  it('is nothing where the file is no database', () =>
    withDir((dir) => {
      writeFileSync(join(dir, DATABASE_FILE), 'x'.repeat(8_192));
      expect(openDamagedStore(dir, DATABASE_FILE)).toBeNull();
      expect(openDamagedStore(join(dir, 'nowhere'), DATABASE_FILE)).toBeNull();
    }));
});
