import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { contentFiles } from '../../../agent/store/content-files.ts';
import { sha256Hex } from '../../../agent/wire/digest.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'content-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('content files', () => {
  it('gives back what was written under its digest, also to the next process, readable by the agent alone', () => {
    const sha256 = contentFiles(dir).write(Buffer.from('text'));
    expect(sha256).toBe(sha256Hex('text'));
    expect(contentFiles(dir).read(sha256)?.toString()).toBe('text');
    expect(statSync(join(dir, 'content')).mode & 0o777).toBe(0o700);
    expect(statSync(join(dir, 'content', sha256)).mode & 0o777).toBe(0o600);
  });

  it('has no file whose bytes are not those of its name', () => {
    const sha256 = contentFiles(dir).write(Buffer.from('text'));
    writeFileSync(join(dir, 'content', sha256), 'changed by somebody');
    const later = contentFiles(dir);
    expect([later.has(sha256), later.read(sha256)]).toEqual([false, null]);
    later.write(Buffer.from('text'));
    expect(later.has(sha256)).toBe(true);
  });

  it('has nothing under a name that is no digest, whatever lies there', () => {
    contentFiles(dir).write(Buffer.from('text'));
    writeFileSync(join(dir, 'agent.db'), 'secret');
    for (const name of ['../agent.db', '', '.', '..', 'a'.repeat(63), 'A'.repeat(64)]) {
      expect(contentFiles(dir).read(name), name).toBe(null);
    }
  });

  it('removes what is named no more, half-written files included', () => {
    const files = contentFiles(dir);
    const [one, two] = [files.write(Buffer.from('one')), files.write(Buffer.from('two'))];
    writeFileSync(join(dir, 'content', '.half.tmp'), 'x');
    files.keepOnly(new Set([two]));
    expect(readdirSync(join(dir, 'content'))).toEqual([two]);
    expect([files.has(one), files.has(two)]).toEqual([false, true]);
    expect(() => contentFiles(join(dir, 'nowhere')).keepOnly(new Set())).not.toThrow();
  });
});
