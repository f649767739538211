// `npm test`: everything that runs on a bare machine without root and without extra packages.
import { defineConfig } from 'vitest/config';
import LongestFirst from './tools/longest-first.ts';

/** Per test. Unit tests end in milliseconds; the limit is for a slow machine, not for waiting. */
const TEST_TIMEOUT_MS = 60_000;
/** Tests that start real processes of both sides. */
const E2E_TIMEOUT_MS = 120_000;

/** Real SQLite and child processes: more than two at a time only slow each other down on a small machine. */
const BUSY = { maxWorkers: 2, sequence: { groupOrder: 0 } };

export default defineConfig({
  test: {
    pool: 'forks',
    sequence: { sequencer: LongestFirst },
    testTimeout: TEST_TIMEOUT_MS,
    hookTimeout: TEST_TIMEOUT_MS,
    projects: [
      { extends: true, test: { ...BUSY, name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      { extends: true, test: { ...BUSY, name: 'contract', include: ['test/contract/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/{e2e,attacks}/**/*.test.ts'],
          testTimeout: E2E_TIMEOUT_MS,
          hookTimeout: E2E_TIMEOUT_MS,
          // Most of their time they wait: for the next check-in, a deadline, a process that starts.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
