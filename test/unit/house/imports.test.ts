import { describe, it, expect } from 'vitest';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { cyclesOf, importProblems } from '../../../tools/import-law.ts';
import { lintConfig } from '../../../tools/make-lint.ts';
import { readImports } from '../../../tools/read-imports.ts';
import { allowedRooms, PACKAGES, ROOM_NAMES } from '../../../tools/rooms.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

function sourcesOf(...folders: string[]): Map<string, string> {
  const sources = new Map<string, string>();
  for (const folder of folders) {
    for (const item of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })) {
      const path = `${folder}/${item}`;
      if (path.endsWith('.ts') && !path.includes('node_modules'))
        sources.set(path, readFileSync(join(ROOT, path), 'utf8'));
    }
  }
  return sources;
}

const specifiers = (source: string) => readImports(source).map((found) => found.specifier);

describe('the import reader', () => {
  it.each([
    ['a static import', `import { a } from './a.ts';`, ['./a.ts']],
    ['a default and a namespace import', `import d, * as n from './a.ts';`, ['./a.ts']],
    ['a type import', `import type { A } from './a.ts';`, ['./a.ts']],
    ['an import without bindings', `import './a.ts';`, ['./a.ts']],
    ['a dynamic import', `const m = await import('./a.ts');`, ['./a.ts']],
    ['a dynamic import in a template', 'const s = `x ${(await import("./a.ts")).y} z`;', ['./a.ts']],
    ['a dynamic import of a template without parts', 'void import(`./a.ts`);', ['./a.ts']],
    ['a type query', `let x: import('./a.ts').A;`, ['./a.ts']],
    ['an export of everything', `export * from './a.ts'; export * as q from './b.ts';`, ['./a.ts', './b.ts']],
    ['an export of names', `export { a, b as c } from './a.ts';`, ['./a.ts']],
    ['an export of types', `export type { A } from './a.ts';`, ['./a.ts']],
    ['a require call', `const x = require('./a.cjs');`, ['./a.cjs']],
    ['names that span lines and words like from', `import {\n  from,\n  type as,\n} from './a.ts';`, ['./a.ts']],
    ['an import after a regular expression that holds a quote', `const r = /'/; import './a.ts';`, ['./a.ts']],
    ['an import after a division', `const r = a / b; const s = '/'; void import('./a.ts');`, ['./a.ts']],
    ['an import after a nested template', 'const t = `a${`b${{ c: 1 }.c}`}`; import "./a.ts";', ['./a.ts']],
    ['no import in comments', `// import './a.ts';\n/* import './b.ts' */`, []],
    ['no import in texts', `const s = "import './a.ts'"; const r = /import('x')/;`, []],
    ['no import for import.meta and members of that name', `import.meta.url; x.import('a'); x.require('b');`, []],
    ['no import for an export of own names', `const from = 'x'; export { from }; export const y = 1;`, []],
    [
      'a computed name as null',
      `void import(name); void import('./a' + name); void import(\`./\${name}\`);`,
      [null, null, null],
    ],
  ])('sees %s', (_what, source, expected) => {
    expect(specifiers(source)).toEqual(expected);
  });

  it('tells the line on which an import stands', () => {
    expect(readImports(`\n// one\nimport './a.ts';\n\nimport './b.ts';`).map((found) => found.line)).toEqual([3, 5]);
  });
});

describe('the law of imports', () => {
  const breach = (files: Record<string, string>) => importProblems(new Map(Object.entries(files)));

  it('holds for every file of the agent and of Central Command', () => {
    const sources = sourcesOf('agent', 'central');
    expect(sources.size).toBeGreaterThan(10);
    expect(importProblems(sources)).toEqual([]);
  });

  it('holds for every file of the installer, which no file of the agent or of Central Command knows', () => {
    const sources = sourcesOf('agent', 'central', 'iso');
    expect([...sources.keys()].filter((path) => path.startsWith('iso/')).length).toBeGreaterThan(5);
    expect(importProblems(sources).filter((problem) => /^iso\/|installer/.test(problem))).toEqual([]);
  });

  it.each([
    ['the agent', 'package.json', (home: string) => home !== 'central'],
    ['Central Command', 'central/package.json', (home: string) => home === 'central'],
  ])(
    'gives a home to every package that %s declares, and declares every package with a home there',
    (_who, file, isHere) => {
      const manifest = JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as { dependencies: Record<string, string> };
      const housed = Object.entries(PACKAGES).filter(([, homes]) => homes.some(isHere));
      expect(Object.keys(manifest.dependencies).toSorted()).toEqual(housed.map(([name]) => name).toSorted());
    },
  );

  it('allows no circle between rooms in the table itself', () => {
    const edges = new Map(
      ROOM_NAMES.map((room) => [room, new Set([...allowedRooms(room)].filter((name) => name !== room))]),
    );
    expect(cyclesOf(edges)).toEqual([]);
  });

  it.each([
    ['an arrow that the table lacks', { 'agent/store/a.ts': `import '../wire/b.ts';`, 'agent/wire/b.ts': '' }],
    [
      'a type import against the table',
      { 'agent/wire/a.ts': `import type { B } from '../system/b.ts';`, 'agent/system/b.ts': '' },
    ],
    [
      'a dynamic import against the table',
      { 'agent/cli/a.ts': `void import('../daemon/b.ts');`, 'agent/daemon/b.ts': '' },
    ],
    [
      'a type query against the table',
      { 'agent/trust/a.ts': `let x: import('../store/b.ts').B;`, 'agent/store/b.ts': '' },
    ],
    [
      'a re-export against the table',
      { 'agent/facts/a.ts': `export * from '../checks/b.ts';`, 'agent/checks/b.ts': '' },
    ],
    [
      'central reaching into a room that acts',
      { 'central/a.ts': `import '../agent/store/b.ts';`, 'agent/store/b.ts': '' },
    ],
    [
      'the agent reaching into the installer',
      { 'agent/cli/a.ts': `import '../../iso/installer/b.ts';`, 'iso/installer/b.ts': '' },
    ],
    [
      'the installer reaching into a room that acts',
      { 'iso/installer/a.ts': `import '../../agent/helpers/b.ts';`, 'agent/helpers/b.ts': '' },
    ],
    [
      'the installer reaching into central',
      { 'iso/installer/a.ts': `import '../../central/b.ts';`, 'central/b.ts': '' },
    ],
    [
      'central reaching into the installer',
      { 'central/a.ts': `import '../iso/installer/b.ts';`, 'iso/installer/b.ts': '' },
    ],
    ['the agent reaching into central', { 'agent/uplink/a.ts': `import '../../central/b.ts';`, 'central/b.ts': '' }],
    ['an import of main.ts', { 'agent/daemon/a.ts': `import '../main.ts';`, 'agent/main.ts': '' }],
    ['an import from the tests', { 'agent/wire/a.ts': `import '../../test/support/b.ts';` }],
    ['a file that does not exist', { 'agent/wire/a.ts': `import './gone.ts';` }],
    ['a file in no room', { 'agent/utils/a.ts': '' }],
    ['a package away from its home', { 'agent/cli/a.ts': `import Database from 'better-sqlite3';` }],
    ['a package that the table does not know', { 'agent/cli/a.ts': `import 'left-pad';` }],
    ['a path inside a package away from its home', { 'agent/trust/a.ts': `import '@peculiar/x509/build/x.js';` }],
    ['a file system in a pure room', { 'agent/guards/a.ts': `import { readFileSync } from 'node:fs';` }],
    ['a computed dynamic import', { 'agent/daemon/a.ts': `void import(process.argv[2]);` }],
    [
      'two files that import each other',
      { 'agent/wire/a.ts': `import './b.ts';`, 'agent/wire/b.ts': `import './a.ts';` },
    ],
    ['a file that imports itself', { 'agent/wire/a.ts': `import './a.ts';` }],
  ])('catches %s', (_what, files) => {
    expect(breach(files as Record<string, string>).length).toBeGreaterThan(0);
  });

  it('lets pass what the table allows', () => {
    expect(
      breach({
        'agent/evidence/a.ts': `import '../store/b.ts'; import type { C } from '../wire/schemas/c.ts'; import '../errors/d.ts';`,
        'agent/store/b.ts': `import Database from 'better-sqlite3'; import { join } from 'node:path';`,
        'agent/wire/schemas/c.ts': `import * as v from 'valibot'; import { createHash } from 'node:crypto';`,
        'agent/errors/d.ts': '',
        'central/a.ts': `import '../agent/verify/e.ts';`,
        'agent/verify/e.ts': '',
      }),
    ).toEqual([]);
  });

  it('names the line, the rooms and the reason of a breach', () => {
    const [problem] = breach({ 'agent/store/a.ts': `\nimport '../wire/b.ts';`, 'agent/wire/b.ts': '' });
    expect(problem).toMatch(/^agent\/store\/a\.ts:2 store may not import wire: the store keeps strings and numbers/);
  });
});

describe('the linter configuration', () => {
  it('is the one generated from the table of rooms', async () => {
    expect(readFileSync(join(ROOT, '.oxlintrc.json'), 'utf8')).toBe(await lintConfig());
  });
});
