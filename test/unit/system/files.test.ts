import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  readFileLimited,
  readSecretFile,
  readUnforgeableFile,
  secretFileProblem,
  writeFileAtomic,
} from '../../../agent/system/files.ts';
import { expectCode } from '../../support/expect-code.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'files-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('writeFileAtomic', () => {
  it('a written file holds the bytes, has mode 0600 and leaves no temporary file', () => {
    const path = join(dir, 'a');
    writeFileAtomic(path, Buffer.from([0, 255, 10]));
    writeFileAtomic(path, 'second');
    expect(readFileSync(path, 'utf8')).toBe('second');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir)).toEqual(['a']);
  });

  it('the mode is the one asked for whatever the umask says', () => {
    const before = process.umask(0o077);
    try {
      writeFileAtomic(join(dir, 'a'), 'x', { mode: 0o644, sync: false });
    } finally {
      process.umask(before);
    }
    expect(statSync(join(dir, 'a')).mode & 0o777).toBe(0o644);
  });

  it('a link in the place of the file is replaced and its target is not written', () => {
    writeFileSync(join(dir, 'target'), 'untouched');
    symlinkSync(join(dir, 'target'), join(dir, 'link'));
    writeFileAtomic(join(dir, 'link'), 'new');
    expect(readFileSync(join(dir, 'target'), 'utf8')).toBe('untouched');
    expect(readFileSync(join(dir, 'link'), 'utf8')).toBe('new');
  });

  it('what cannot be written has a code, and nothing is left behind', () => {
    expectCode(() => writeFileAtomic(join(dir, 'none', 'a'), 'x'), 'file_missing');
    mkdirSync(join(dir, 'sub'));
    expectCode(() => writeFileAtomic(join(dir, 'sub'), 'x'), 'file_failed');
    expect(readdirSync(dir)).toEqual(['sub']);
    expectCode(() => writeFileAtomic('/proc/self/nothing', 'x'), 'file_missing');
  });
});

describe('readFileLimited', () => {
  it('a file of exactly the limit is read, one byte more is refused', () => {
    writeFileSync(join(dir, 'a'), 'x'.repeat(100_000));
    expect(readFileLimited(join(dir, 'a'), 100_000)).toHaveLength(100_000);
    expectCode(() => readFileLimited(join(dir, 'a'), 99_999), 'file_too_large');
  });

  it('files of the kernel that show no size are read', () => {
    expect(readFileLimited('/proc/self/status', 100_000).toString()).toContain('Pid:');
    expectCode(() => readFileLimited('/proc/self/status', 10), 'file_too_large');
  });

  it('a directory, a device and a FIFO without a writer are refused at once', () => {
    execFileSync('mkfifo', [join(dir, 'fifo')]);
    for (const path of [dir, '/dev/zero', join(dir, 'fifo')])
      expectCode(() => readFileLimited(path, 10), 'file_failed');
    expectCode(() => readFileLimited(join(dir, 'none'), 10), 'file_missing');
  });
});

describe('secret files', () => {
  it('a secret that others can read is refused with the code of its permissions', () => {
    const path = join(dir, 'key');
    writeFileSync(path, 'k');
    for (const mode of [0o644, 0o640, 0o604, 0o602, 0o660]) {
      chmodSync(path, mode);
      expectCode(() => readSecretFile(path, 10), 'file_permissions');
    }
    for (const mode of [0o600, 0o400]) {
      chmodSync(path, mode);
      expect(readSecretFile(path, 10).toString()).toBe('k');
    }
  });

  it('a file that belongs to somebody else is refused, one of root is not', () => {
    const place = { ownUid: 1000, isSystemdCredential: false };
    expect(secretFileProblem({ mode: 0o100600, uid: 1000 }, place)).toBeNull();
    expect(secretFileProblem({ mode: 0o100600, uid: 0 }, place)).toBeNull();
    expect(secretFileProblem({ mode: 0o100600, uid: 1001 }, place)).not.toBeNull();
  });

  it("a systemd credential is accepted as root's read-only file, group read included, and nothing wider", () => {
    const place = { ownUid: 1000, isSystemdCredential: true };
    expect(secretFileProblem({ mode: 0o100440, uid: 0 }, place)).toBeNull();
    expect(secretFileProblem({ mode: 0o100400, uid: 0 }, place)).toBeNull();
    for (const mode of [0o100444, 0o100460, 0o100640, 0o100441]) {
      expect(secretFileProblem({ mode, uid: 0 }, place)).not.toBeNull();
    }
    expect(secretFileProblem({ mode: 0o100440, uid: 1001 }, place)).not.toBeNull();
  });
});

describe('readUnforgeableFile', () => {
  const own = process.getuid?.() ?? 0;
  const at = (mode: number): string => {
    const path = join(dir, 'a');
    writeFileSync(path, 'what the owner wrote');
    chmodSync(path, mode);
    return path;
  };

  it.each([0o600, 0o644, 0o444])('reads a file of the owner that only the owner can write: mode %o', (mode) => {
    expect(readUnforgeableFile(at(mode), 100, own).toString()).toBe('what the owner wrote');
  });

  it.each([0o620, 0o602, 0o666])('refuses a file that others can write: mode %o', (mode) => {
    expectCode(() => readUnforgeableFile(at(mode), 100, own), 'file_permissions');
  });

  it('refuses a file of another owner, though a link to it is the right owner’s', () => {
    expectCode(() => readUnforgeableFile(at(0o600), 100, own + 1), 'file_permissions');
    symlinkSync(at(0o666), join(dir, 'link'));
    expectCode(() => readUnforgeableFile(join(dir, 'link'), 100, own), 'file_permissions');
  });

  it('refuses one that is too large, missing, or a folder', () => {
    expectCode(() => readUnforgeableFile(at(0o600), 19, own), 'file_too_large');
    expectCode(() => readUnforgeableFile(join(dir, 'none'), 100, own), 'file_missing');
    expectCode(() => readUnforgeableFile(dir, 100, own), 'file_failed');
  });
});
