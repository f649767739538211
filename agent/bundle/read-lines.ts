// Lines of exported evidence, streamed: a file, or a folder of `<first>-<last>.jsonl` files in the order of their numbers.
import { isUtf8 } from 'node:buffer';
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import { fileError } from '../system/files.ts';
import { MAX_ENTRY_BYTES } from '../wire/schemas/entry.ts';

const CHUNK_BYTES = 1_048_576;
const LF = 0x0a;
/** A longer line is no entry; it is handed on cut, so that the verifier refuses it and memory stays bounded. */
const MAX_LINE_BYTES = MAX_ENTRY_BYTES + 1;
const EXPORTED = /^([0-9]{1,15})-([0-9]{1,15})\.jsonl$/;

/** The file itself, or the exported files of a folder by their first number. @throws usage, file_missing, … */
export function evidenceFiles(path: string): string[] {
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch (error) {
    throw fileError(error, 'read', path);
  }
  if (!isFolder) return [path];
  const files = readdirSync(path)
    .map((name) => ({ name, first: Number(EXPORTED.exec(name)?.[1] ?? Number.NaN) }))
    .filter((file) => Number.isSafeInteger(file.first))
    .toSorted((a, b) => a.first - b.first);
  if (files.length === 0) {
    throw new AgentError('usage', 'the folder holds no <first>-<last>.jsonl files', { place: path });
  }
  return files.map((file) => join(path, file.name));
}

function open(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw fileError(error, 'read', path);
  }
}

/** Bytes that are no UTF-8 become an empty line: refused as json_not_strict, and no replacement character is ever judged. */
const textOf = (bytes: Buffer): string => (isUtf8(bytes) ? bytes.toString('utf8') : '');

/** Every line without its LF, exactly as it stands; a last line without LF counts. A carriage return stays in the line. */
export function* readLines(path: string): Generator<string> {
  const fd = open(path);
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let rest = Buffer.alloc(0);
  try {
    for (;;) {
      const length = readSync(fd, chunk);
      if (length === 0) break;
      let start = 0;
      for (let end = chunk.subarray(0, length).indexOf(LF); end >= 0;) {
        yield textOf(Buffer.concat([rest, chunk.subarray(start, end)]));
        rest = Buffer.alloc(0);
        start = end + 1;
        const next = chunk.subarray(start, length).indexOf(LF);
        end = next < 0 ? -1 : start + next;
      }
      if (rest.length < MAX_LINE_BYTES) rest = Buffer.concat([rest, chunk.subarray(start, length)]);
      if (rest.length > MAX_LINE_BYTES) rest = rest.subarray(0, MAX_LINE_BYTES);
    }
  } catch (error) {
    throw fileError(error, 'read', path);
  } finally {
    closeSync(fd);
  }
  if (rest.length > 0) yield textOf(rest);
}
