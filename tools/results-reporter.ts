// Vitest reporter that writes what tools/proof.ts and .ci/run need: every test with its state and, if skipped, the reason.
// VITEST_RESULTS names the file; without it nothing is written.
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';
import type { TestResult } from './proof.ts';

export default class ResultsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const file = process.env['VITEST_RESULTS'];
    if (file === undefined) return;
    const results: TestResult[] = [];
    for (const module of modules) {
      const path = relative(process.cwd(), module.moduleId);
      for (const test of module.children.allTests()) {
        const result = test.result();
        results.push({
          file: path,
          name: test.name,
          fullName: test.fullName,
          state: result.state,
          ms: Math.round(test.diagnostic()?.duration ?? 0),
          reason: (result.state === 'skipped' ? result.note : undefined) ?? null,
        });
      }
      // A module that does not load has no tests at all: it must count as a failure and not as nothing.
      if (module.errors().length > 0) {
        results.push({ file: path, name: path, fullName: path, state: 'failed', reason: 'the file did not load' });
      }
    }
    writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
  }
}
