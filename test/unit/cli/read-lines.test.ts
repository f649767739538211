import { afterAll, beforeAll, describe, it, expect } from 'vitest';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { evidenceFiles, readLines } from '../../../agent/bundle/read-lines.ts';
import { MAX_ENTRY_BYTES } from '../../../agent/wire/schemas/entry.ts';
import { expectCode } from '../../support/expect-code.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'lines-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});
function read(content: string | Buffer): string[] {
  const path = join(dir, 'file');
  writeFileSync(path, content);
  return [...readLines(path)];
}

describe('readLines', () => {
  it('gives every line exactly, also across the borders of what is read at once', () => {
    // Lengths that are no divisor of the chunk, over three chunks.
    const lines = Array.from({ length: 60_000 }, (_, n) => `${n} ${'ä'.repeat(n % 37)}`);
    expect(read(`${lines.join('\n')}\n`)).toEqual(lines);
  });

  it.each([
    ['nothing', '', []],
    ['one line feed', '\n', ['']],
    ['a last line without its line feed', 'a\nb', ['a', 'b']],
    ['empty lines', 'a\n\nb\n', ['a', '', 'b']],
    ['carriage returns, which stay', 'a\r\nb\r\n', ['a\r', 'b\r']],
    ['blanks at both ends, which stay', ' a \n', [' a ']],
  ])('reads %s', (_what, content, expected) => {
    expect(read(content)).toEqual(expected);
  });

  it('hands on at most as much of an endless line as makes it no entry', () => {
    const [line = '', ...rest] = read(Buffer.alloc(5_000_000, 'x'));
    expect(rest).toEqual([]);
    expect(line.length).toBeGreaterThan(MAX_ENTRY_BYTES);
    expect(line.length).toBeLessThan(3_000_000);
  });

  it('says that the file does not exist', () => {
    expectCode(() => [...readLines(join(dir, 'none'))], 'file_missing');
  });
});

describe('evidenceFiles', () => {
  it('orders the files of a folder by number and leaves others out', () => {
    for (const name of ['100-199.jsonl', '0-9.jsonl', '10-99.jsonl', 'x.jsonl', '5.jsonl', '1-2.txt']) {
      writeFileSync(join(dir, name), '');
    }
    expect(evidenceFiles(dir)).toEqual(['0-9.jsonl', '10-99.jsonl', '100-199.jsonl'].map((name) => join(dir, name)));
  });
});
