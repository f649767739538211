// What an appliance gets of node_modules, and that the tree starts and works without the rest.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installTree, librariesOf } from '../../../tools/install-tree.ts';

const REPO = join(import.meta.dirname, '../../..');
const lock = JSON.parse(readFileSync(join(REPO, 'package-lock.json'), 'utf8')) as Parameters<typeof librariesOf>[0];

let out: string;
beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), 'tree-'));
  installTree(process.execPath, join(REPO, 'node_modules'), out);
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

const agent = (...args: string[]) => spawnSync(join(out, 'bin/compliance-agent'), args, { encoding: 'utf8' });
const files = (): string[] => readdirSync(out, { recursive: true, encoding: 'utf8' });

describe('the tree that an appliance runs', () => {
  it('holds the libraries of the agent in all depths, and none of Central Command, tests or compilers', () => {
    const libraries = librariesOf(lock);
    expect(libraries).toEqual(expect.arrayContaining(['better-sqlite3', 'koffi', 'pino', 'sonic-boom', 'valibot']));
    expect(libraries.filter((name) => /fastify|vitest|typescript|x509|node-linux/.test(name))).toEqual([]);
  });

  it('a library that the lock file does not place is an error, not a hole in the tree', () => {
    expect(() => librariesOf({ packages: { '': { dependencies: { absent: '1.0.0' } } } })).toThrow(/absent/);
  });

  it('has no TypeScript, no sources of binaries and no build for another system', () => {
    expect(files().filter((name) => /\.(?:ts|cc|cpp|c|h)$|(?:win32|darwin|musl).*\.node$/.test(name))).toEqual([]);
    expect(files().some((name) => /\/LICENSE/i.test(name))).toBe(true);
  });

  it('starts under its launcher, which keeps Node from opening a debugger port on a signal', () => {
    expect(readFileSync(join(out, 'bin/compliance-agent'), 'utf8')).toContain(' --no-strip-types --disable-sigusr1 ');
    expect(agent('version')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^compliance-agent \d/) });
  });

  it('only the daemon may collect at rest, and every Node flag of the launcher exists', () => {
    const launcher = readFileSync(join(out, 'bin/compliance-agent'), 'utf8');
    const starts = launcher.split('\n').filter((line) => line.includes('exec '));
    expect(starts.map((line) => line.includes('--expose-gc '))).toEqual([true, false]);
    expect(starts[0]).toContain('"$1" = run');
    const flags = (starts[0] ?? '').match(/ --[a-z0-9=-]+/g)?.map((flag) => flag.trim()) ?? [];
    const code = `const { giveBackMemory } = await import(${JSON.stringify(join(out, 'lib/compliance-agent/agent/system/give-back-memory.js'))});
      console.log(giveBackMemory());`;
    const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, '--input-type=module', '-e', code], {
      encoding: 'utf8',
    });
    expect({ status, stdout: stdout.trim(), stderr }).toEqual({ status: 0, stdout: 'true', stderr: '' });
  });

  it('no source holds a character that would double its size in memory', () => {
    const sources = files().filter((name) => /^lib\/compliance-agent\/agent\/.*\.js$/.test(name));
    expect(sources.length).toBeGreaterThan(100);
    const wide = sources.filter((name) => /[\u0100-\uffff]/.test(readFileSync(join(out, name), 'utf8')));
    expect(wide).toEqual([]);
  });

  it('its native libraries load: SQLite, and the one that talks to the service manager', () => {
    const modules = join(out, 'lib/compliance-agent/node_modules');
    const code = `
      const { createRequire } = require('node:module');
      const load = createRequire(${JSON.stringify(join(modules, 'x.js'))});
      const Database = load('better-sqlite3');
      console.log(new Database(':memory:').prepare('select 6 * 7').pluck().get(), typeof load('koffi').load(null).func);`;
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', code], { cwd: out, encoding: 'utf8' });
    expect(stdout.trim(), stderr).toBe('42 function');
    expect(existsSync(join(modules, 'typescript'))).toBe(false);
  });
});
