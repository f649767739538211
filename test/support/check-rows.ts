// What a test judged, and on which part, for the table that the run prints (tools/check-table-reporter.ts).
import { spawnSync } from 'node:child_process';
import { TestRunner } from 'vitest';
import type { CheckRow, PartKind } from '../../tools/check-table.ts';

declare module 'vitest' {
  interface TaskMeta {
    checkRows?: CheckRow[];
  }
}

/** What a finding was judged on. */
export interface Part {
  readonly kind: PartKind;
  readonly name: string;
}

const versions = new Map<string, string>();

/** First line of what the program prints with `argument`; short. */
function versionOf(program: string, argument: string): string {
  const known = versions.get(program);
  if (known !== undefined) return known;
  const printed = spawnSync(program, [argument], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
  const line = `${printed.stdout ?? ''}${printed.stderr ?? ''}`.trim().split('\n')[0] ?? '';
  const version = line.replace(/ (?:compiled|flags:|\((?!chrony\))).*$/, '').slice(0, 40);
  versions.set(program, version);
  return version;
}

/** A part of this machine, with the version of the program that stands behind it. */
export function live(what: string, program?: string, argument = '--version'): Part {
  return { kind: 'live', name: program === undefined ? what : `${what}, ${versionOf(program, argument)}` };
}

export const constructed = (what: string): Part => ({ kind: 'constructed', name: what });
export const recorded = (file: string): Part => ({ kind: 'recorded', name: file });

/** Notes a finding of the test that runs now. */
export function noteRow(check: string, result: string, part: Part, situation?: string): void {
  const test = TestRunner.getCurrentTest();
  // Judged in a hook: nobody asserted it.
  if (test === undefined) return;
  const rows = (test.meta.checkRows ??= []);
  const name = situation ?? test.name;
  const before = rows.filter((row) => row.check === check && row.situation.startsWith(name)).length;
  rows.push({
    check,
    situation: before === 0 ? name : `${name} (${before + 1})`,
    result,
    kind: part.kind,
    part: part.name,
  });
}
