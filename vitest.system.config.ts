// `npm run test:system`: tests that need root, Debian packages or minutes. Each skips with its reason where it cannot run.
import { defineConfig } from 'vitest/config';
import CheckTableReporter from './tools/check-table-reporter.ts';
import LongestFirst from './tools/longest-first.ts';

/** Per test: power cuts, hundreds of kills, whole systems that boot. */
const SYSTEM_TIMEOUT_MS = 900_000;

/**
 * Tests that look at the whole machine (its sockets, journal, block devices, processes) and would see another test's. They run alone,
 * after the others.
 */
const WHOLE_MACHINE = [
  'test/system/*-check.test.ts',
  'test/system/*-checks.test.ts',
  'test/system/*-probe.test.ts',
  'test/system/root-facts.test.ts',
  'test/system/listening-sockets.test.ts',
  'test/system/huge-journal.test.ts',
  'test/system/clamav-service.test.ts',
];

export default defineConfig({
  test: {
    reporters: ['default', new CheckTableReporter()],
    pool: 'forks',
    sequence: { sequencer: LongestFirst },
    testTimeout: SYSTEM_TIMEOUT_MS,
    hookTimeout: SYSTEM_TIMEOUT_MS,
    projects: [
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/{system,interop}/**/*.test.ts'],
          exclude: WHOLE_MACHINE,
          // Most of their time they wait: for a daemon, a boot, a disk.
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'machine',
          // Recorded systems run here too: their rows belong into the table of checks.
          include: [...WHOLE_MACHINE, 'test/unit/facts/recorded-systems.test.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
