// `npm run test:system`: tests that need root, Debian packages or minutes. Each skips with its reason where it cannot run.
import { defineConfig } from 'vitest/config';
import CheckTableReporter from './tools/check-table-reporter.ts';

/** Per test: power cuts, hundreds of kills, whole systems that boot. */
const SYSTEM_TIMEOUT_MS = 900_000;

export default defineConfig({
  test: {
    name: 'system',
    // Recorded systems run here too: their rows belong into the table of checks.
    include: ['test/system/**/*.test.ts', 'test/unit/facts/recorded-systems.test.ts'],
    reporters: ['default', new CheckTableReporter()],
    pool: 'forks',
    // One at a time: they mount file systems and count what a whole machine does.
    maxWorkers: 1,
    testTimeout: SYSTEM_TIMEOUT_MS,
    hookTimeout: SYSTEM_TIMEOUT_MS,
  },
});
