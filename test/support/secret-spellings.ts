// Where a secret could stand, and in which spellings. For tests only.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** As it is, in UTF-16, in hex, and parts of the base64 of either at any place of a text. */
export function spellings(secret: Buffer): Buffer[] {
  const wide = Buffer.from(secret.toString('utf8'), 'utf16le');
  return [secret, wide].flatMap((form) => {
    const parts = [0, 1, 2].flatMap((before) => {
      const text = Buffer.concat([Buffer.alloc(before), form])
        .toString('base64')
        .slice(4, -4);
      // Lines of PEM may end within it.
      return [text.slice(0, 16), text.slice(-16)];
    });
    return [form, ...[form.toString('hex'), ...parts].map((text) => Buffer.from(text))];
  });
}

/** Every file below `dir`. */
export const filesIn = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
