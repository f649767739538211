// Vitest reporter that prints the table of checks: each row is a finding that a passed test judged (test/support/check-rows.ts).
// CHECK_TABLE_FILE names a page to write it to. A complete run without enough rows fails.
import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule, TestSpecification, Vitest } from 'vitest/node';
import { CHECKS } from '../agent/checks/registry.ts';
import { sortedRows, tableProblems, tableText, type CheckRow } from './check-table.ts';

const CHECK_IDS = CHECKS.map((check) => check.id);

const page = (rows: readonly CheckRow[]): string => `# Checks on real parts

Written by a run of the system tests with \`CHECK_TABLE_FILE=docs/check-table.md\`: every finding that a passed test judged, with what
it was judged on. *live*: a real part of the machine that ran the tests, with its version. *recorded*: output of a real system,
replayed from \`test/fixtures/recorded/\`. *constructed*: made by hand, because no such system could be had; these rows do not count.

${tableText(rows)}`;

export default class CheckTableReporter implements Reporter {
  #vitest: Vitest | null = null;
  #files = 0;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunStart(specifications: readonly TestSpecification[]): void {
    this.#files = specifications.length;
  }

  async onTestRunEnd(modules: readonly TestModule[]): Promise<void> {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const rows = tests.flatMap((test) => (test.result().state === 'passed' ? (test.meta().checkRows ?? []) : []));
    if (rows.length === 0) return;
    const sorted = sortedRows(rows, CHECK_IDS);
    const live = sorted.filter((row) => row.kind === 'live').length;
    console.log(`\n${tableText(sorted)}\n${sorted.length} findings, ${live} of them on live parts`);
    const file = process.env['CHECK_TABLE_FILE'];
    if (file !== undefined) writeFileSync(file, page(sorted));
    const isComplete = this.#files === (await this.#vitest?.globTestSpecifications())?.length;
    // What a machine cannot run is skipped with its reason; the table is then as short as that machine is bare.
    if (!isComplete || tests.some((test) => test.result().state === 'skipped')) return;
    const problems = tableProblems(sorted, CHECK_IDS);
    if (problems.length === 0) return;
    console.error(`the table of checks is no proof: ${problems.join('; ')}`);
    process.exitCode = 1;
  }
}
