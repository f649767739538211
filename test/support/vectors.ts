// Reads test/vectors/. For tests only.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '..', 'vectors');

/** The text of a vector file; `path` is relative to test/vectors/. */
export function vectorText(path: string): string {
  return readFileSync(join(FOLDER, path), 'utf8');
}

export function vectorJson<T>(path: string): T {
  return JSON.parse(vectorText(path)) as T;
}
