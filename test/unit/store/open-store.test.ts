import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SCHEMA_VERSION } from '../../../agent/store/migrations.ts';
import { DATABASE_FILE, LOCK_FILE } from '../../../agent/store/open-store.ts';
import { withDir } from '../../support/evidence-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';
import { appendLines, dump, fill, identity, open, withRaw } from '../../support/store-fixtures.ts';
import { openConnection } from '../../../agent/store/connection.ts';

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

describe('openStore', () => {
  it('makes the state directory 0700 and every file in it 0600', () =>
    withDir((parent) => {
      const dir = join(parent, 'state');
      const store = open(dir);
      appendLines(store, ['a', 'b']);
      expect(modeOf(dir)).toBe('700');
      expect(readdirSync(dir).map((file) => [file, modeOf(join(dir, file))])).toEqual(
        ['agent.db', 'agent.db-shm', 'agent.db-wal', 'lock.db', 'lock.db-journal'].map((file) => [file, '600']),
      );
      store.close();
    }));

  it('takes rights away from a database that others could read', () =>
    withDir((dir) => {
      open(dir).close();
      chmodSync(join(dir, DATABASE_FILE), 0o644);
      open(dir).close();
      expect(modeOf(join(dir, DATABASE_FILE))).toBe('600');
    }));

  it('writes ahead with synchronous=FULL although the packaged SQLite defaults to NORMAL there', () =>
    withDir((dir) => {
      const { raw } = openConnection(join(dir, 'x.db'), { readOnly: false });
      expect(raw.pragma('journal_mode', { simple: true })).toBe('wal');
      expect(raw.pragma('synchronous', { simple: true })).toBe(2);
      expect(raw.pragma('foreign_keys', { simple: true })).toBe(1);
      raw.close();
    }));

  it('keeps everything across a reopening', () =>
    withDir((dir) => {
      const store = open(dir);
      fill(store);
      store.close();
      const before = dump(dir);
      const again = open(dir);
      expect(again.trust.identity()).toEqual(identity);
      expect(again.pragmaCheck()).toBe('ok');
      again.close();
      expect(dump(dir)).toBe(before);
    }));

  it('refuses a second opener in the same process and lets it in after the first has closed', () =>
    withDir((dir) => {
      const first = open(dir);
      const error = expectCode(() => open(dir), 'store_locked');
      expect(error.place).toBe(join(dir, LOCK_FILE));
      appendLines(first, ['a']);
      first.close();
      open(dir).close();
    }));

  it('refuses to open while another process holds the store, and opens after that process was killed', async () =>
    withDir(async (dir) => {
      const holder = join(import.meta.dirname, '../../fixtures/programs/hold-store.ts');
      const child = spawn(process.execPath, [holder, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      expectCode(() => open(dir), 'store_locked');
      const reader = open(dir, true);
      expect(reader.settings.get('held')).toBe('yes');
      reader.close();
      child.kill('SIGKILL');
      await once(child, 'exit');
      const store = open(dir);
      expect(store.settings.get('held')).toBe('yes');
      store.close();
    }));

  it('lets a reader in beside the writer, and the reader cannot write', () =>
    withDir((dir) => {
      const writer = open(dir);
      appendLines(writer, ['a', 'b']);
      const reader = open(dir, true);
      expect(reader.entries.state(1).size).toBe(2);
      expectCode(() => reader.settings.set('k', 'v'), 'store_read_only');
      writer.settings.set('k', 'w');
      expect(reader.settings.get('k')).toBe('w');
      reader.close();
      writer.close();
    }));

  it('tells a reader that comes before the first start that there is no store', () =>
    withDir((dir) => {
      expectCode(() => open(dir, true), 'store_missing');
      expect(existsSync(join(dir, LOCK_FILE))).toBe(false);
    }));

  it('opens a newer file whose steps say that this version can work with it, and leaves its version alone', () =>
    withDir((dir) => {
      open(dir).close();
      withRaw(dir, (raw) => raw.pragma(`user_version = ${SCHEMA_VERSION + 1}`));
      const store = open(dir);
      store.settings.set('k', 'v');
      store.close();
      expect(withRaw(dir, (raw) => raw.pragma('user_version', { simple: true }))).toBe(SCHEMA_VERSION + 1);
    }));

  it('refuses a file of a newer agent that this version cannot work with', () =>
    withDir((dir) => {
      open(dir).close();
      withRaw(dir, (raw) => {
        raw.pragma(`user_version = ${SCHEMA_VERSION + 2}`);
        raw.exec(`UPDATE meta SET value = '${SCHEMA_VERSION + 1}' WHERE key = 'readable_from'`);
      });
      const error = expectCode(() => open(dir), 'store_too_new');
      expect(error.details).toEqual({ file: SCHEMA_VERSION + 2, program: SCHEMA_VERSION });
      expectCode(() => open(dir, true), 'store_too_new');
    }));

  it('refuses a database of another program', () =>
    withDir((dir) => {
      withRaw(dir, (raw) => raw.exec('CREATE TABLE t (x); PRAGMA user_version = 1'));
      expectCode(() => open(dir), 'store_corrupt');
      withRaw(dir, (raw) => raw.pragma('user_version = 0'));
      expectCode(() => open(dir), 'store_corrupt');
    }));

  it('refuses a file that is no database and leaves it as it is', () =>
    withDir((dir) => {
      writeFileSync(join(dir, DATABASE_FILE), 'not a database '.repeat(400));
      const error = expectCode(() => open(dir), 'store_corrupt');
      expect(error.place).toBe(join(dir, DATABASE_FILE));
      expect(readFileSync(join(dir, DATABASE_FILE), 'utf8')).toBe('not a database '.repeat(400));
    }));

  it('finds a state directory that is a file', () =>
    withDir((dir) => {
      writeFileSync(join(dir, 'state'), '');
      expectCode(() => open(join(dir, 'state')), 'store_read_only');
    }));

  it('gives the lock back when opening fails', () =>
    withDir((dir) => {
      writeFileSync(join(dir, DATABASE_FILE), 'not a database '.repeat(400));
      expectCode(() => open(dir), 'store_corrupt');
      expectCode(() => open(dir), 'store_corrupt');
    }));

  it('says that a state directory cannot be written', async () =>
    withDir(async (parent) => {
      const dir = join(parent, 'state');
      open(dir).close();
      // The superuser may write anywhere: the try runs as nobody then.
      const asRoot = process.getuid?.() === 0;
      chmodSync(parent, 0o755);
      chmodSync(dir, 0o555);
      chmodSync(join(dir, DATABASE_FILE), 0o444);
      const program = join(import.meta.dirname, '../../fixtures/programs/hold-store.ts');
      const child = spawn(process.execPath, [program, dir], {
        stdio: ['ignore', 'pipe', 'inherit'],
        ...(asRoot ? { uid: 65_534, gid: 65_534 } : {}),
      });
      const said: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
      await once(child, 'close');
      expect(Buffer.concat(said).toString().trim()).toBe('store_read_only');
      chmodSync(dir, 0o755);
    }));
});

describe('backupTo', () => {
  it('writes a complete private copy that opens as a store of its own', () =>
    withDir((dir) => {
      const store = open(join(dir, 'a'));
      fill(store);
      mkdirSync(join(dir, 'b'));
      const copy = join(dir, 'b', DATABASE_FILE);
      store.backupTo(copy);
      store.settings.set('later', 'not in the copy');
      expect(modeOf(copy)).toBe('600');
      const other = open(join(dir, 'b'));
      expect(other.entries.state(1)).toEqual(store.entries.state(1));
      expect(other.settings.get('later')).toBe(null);
      other.close();
      store.close();
    }));

  it('refuses an existing file and a running unit of work', () =>
    withDir((dir) => {
      const store = open(join(dir, 'a'));
      writeFileSync(join(dir, 'there'), 'mine');
      expectCode(() => store.backupTo(join(dir, 'there')), 'backup_exists');
      expect(readFileSync(join(dir, 'there'), 'utf8')).toBe('mine');
      expectCode(() => store.unit(() => store.backupTo(join(dir, 'new'))), 'internal');
      store.close();
    }));

  it('writes the copy from a reader as well', () =>
    withDir((dir) => {
      const store = open(join(dir, 'a'));
      fill(store);
      const reader = open(join(dir, 'a'), true);
      reader.backupTo(join(dir, 'copy.db'));
      expect(statSync(join(dir, 'copy.db')).size).toBeGreaterThan(4_096);
      reader.close();
      store.close();
    }));
});
