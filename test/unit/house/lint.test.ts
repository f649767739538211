// The linter with the repository's configuration, on a small tree that breaks its rules.
import { afterAll, beforeAll, describe, it, expect } from 'vitest';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tmpdir } from 'node:os';

const ROOT = join(import.meta.dirname, '../../..');
const FILES: Record<string, string> = {
  'agent/wire/value.ts': 'export const value = 1;\n',
  'agent/store/forbidden.ts': `import { value } from '../wire/value.ts';\nexport const twice = value * 2;\n`,
  'agent/cli/away.ts': `import Database from 'better-sqlite3';\nexport const open = (path: string) => new Database(path);\n`,
  'agent/trust/impure.ts': `import { readFileSync } from 'node:fs';\nexport const read = (path: string) => readFileSync(path);\n`,
  'agent/system/floating.ts': `const work = async () => {};\nexport function start() {\n  work();\n}\n`,
  'agent/system/switch.ts': `export function name(v: 'a' | 'b') {\n  switch (v) {\n    case 'a':\n      return 1;\n  }\n  return 0;\n}\n`,
  'agent/verify/fine.ts': `import { value } from '../wire/value.ts';\nexport const same = value;\n`,
  'central/reach.ts': `import { twice } from '../agent/store/forbidden.ts';\nexport const four = twice * 2;\n`,
};

interface Diagnostic {
  readonly code: string;
  readonly filename: string;
}

let dir = '';
let found: string[] = [];
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'lint-'));
  for (const file of ['.oxlintrc.json', 'tsconfig.json', 'package.json']) cpSync(join(ROOT, file), join(dir, file));
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  for (const [path, source] of Object.entries(FILES)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), source);
  }
  const oxlint = join(ROOT, 'node_modules/.bin/oxlint');
  let output = '';
  try {
    output = execFileSync(oxlint, ['--format', 'json', 'agent', 'central'], { cwd: dir, encoding: 'utf8' });
  } catch (error) {
    output = (error as { stdout: string }).stdout;
  }
  const { diagnostics } = JSON.parse(output) as { diagnostics: Diagnostic[] };
  found = diagnostics.map((one) => `${one.filename} ${/\((.*)\)/.exec(one.code)?.[1] ?? one.code}`).toSorted();
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

describe('the linter', () => {
  it('catches forbidden imports, impure rooms, forgotten promises and cases, and nothing else', () => {
    expect(found).toEqual([
      'agent/cli/away.ts no-restricted-imports',
      'agent/store/forbidden.ts no-restricted-imports',
      'agent/system/floating.ts no-floating-promises',
      'agent/system/switch.ts switch-exhaustiveness-check',
      'agent/trust/impure.ts no-restricted-imports',
      'central/reach.ts no-restricted-imports',
    ]);
  });
});
