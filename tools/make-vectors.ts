// Writes test/vectors/ anew: `npx node tools/make-vectors.ts`. A test checks that what is committed is what this writes.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { allVectors } from './vectors/all.ts';

const folder = join(import.meta.dirname, '..', 'test', 'vectors');
for (const [path, text] of allVectors()) {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
