// Recorded facts of real systems, and contexts for probes that read them.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProbeContext } from '../../agent/facts/probe.ts';
import { fakeExec } from './fakes/fake-exec.ts';

const FACTS = join(import.meta.dirname, '../fixtures/facts');
const PROGRAMS = join(import.meta.dirname, '../fixtures/programs');

export function fixture(path: string): string {
  return readFileSync(join(FACTS, path), 'utf8');
}

/** 2026-06-01, a fixed moment. */
export const READ_AT = 1_780_272_000;

/** A context in which nothing is installed and nothing hangs. */
export function probeContext(change: Partial<ProbeContext> = {}): ProbeContext {
  return {
    exec: fakeExec({}),
    clock: { wallMs: () => READ_AT * 1000 },
    stateDir: '/',
    keyFiles: [],
    pid: 4711,
    deadlineMs: 200,
    procDir: '/nowhere',
    runDir: '/nowhere',
    ...change,
  };
}

/** A directory of files that goes away with `[Symbol.dispose]`. */
export function temporaryTree(files: Readonly<Record<string, string>>): {
  readonly dir: string;
  [Symbol.dispose](): void;
} {
  const dir = mkdtempSync(join(tmpdir(), 'facts-'));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(dir, path, '..'), { recursive: true });
    writeFileSync(join(dir, path), content);
  }
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true }) };
}

/** A PATH on which the tools of probes are fixture programs: tool name → program of test/fixtures/programs. */
export function toolsOnPath(tools: Readonly<Record<string, string>>): {
  readonly dir: string;
  [Symbol.dispose](): void;
} {
  const tree = temporaryTree({});
  for (const [tool, program] of Object.entries(tools)) symlinkSync(join(PROGRAMS, program), join(tree.dir, tool));
  return tree;
}
