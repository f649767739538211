// Any facts of the checks whose place the baseline declares, for properties.
import fc from 'fast-check';
import type { FactValues } from '../../../agent/facts/probes.ts';
import { BINARY_SHA256, PROVEN } from './sample-facts.ts';

const moment = fc.nat(4_000_000_000);
const jobFacts = fc.record({
  conclusive: fc.option(
    fc.record({
      outcome: fc.constantFrom('proven' as const, 'disproven' as const),
      reason: fc.option(fc.constantFrom('damaged', 'incomplete')),
      subject: fc.constant(PROVEN.subject),
      started_at: moment,
      finished_at: moment,
      counts: fc.dictionary(fc.constantFrom('read_data_percent', 'listed', 'restored', 'identical'), fc.nat(100)),
    }),
  ),
  last: fc.option(
    fc.record({
      outcome: fc.constantFrom('proven' as const, 'disproven' as const, 'inconclusive' as const),
      reason: fc.option(fc.constantFrom('locked', 'failed', 'timeout')),
    }),
  ),
});
const luksHeader = fc.record({
  version: fc.constantFrom(1 as const, 2 as const),
  cipher: fc.constantFrom('aes-xts-plain64', 'in-transition', "Dr. O'Neil"),
  keyBits: fc.nat(4_096),
  keySlots: fc.nat(32),
  tpm2: fc.boolean(),
  recoverySlots: fc.nat(32),
});

export const anyWatched: { [N in 'av_edr' | 'backup' | 'encryption']: fc.Arbitrary<FactValues[N]> } = {
  av_edr: fc.record({
    loadState: fc.constantFrom('loaded', 'not-found', 'masked', 'merged', "Dr. O'Neil"),
    activeState: fc.constantFrom('active', 'failed', 'activating', 'maintenance', "Dr. O'Neil"),
    restarts: fc.option(fc.record({ count: fc.nat(1_000), startedAt: moment })),
    binarySha256: fc.option(fc.constantFrom(BINARY_SHA256, 'cd'.repeat(32))),
    running: fc.constantFrom('declared', 'other', 'nothing'),
    signatures: fc.option(fc.record({ builtAt: moment, version: fc.nat(), signatures: fc.nat() })),
    scan: fc.option(fc.record({ endedAt: moment, succeeded: fc.boolean() })),
    exclusions: fc.array(fc.constantFrom('ExcludePath ^/proc/', 'ExcludePath ^/home/dr-smith'), { maxLength: 5 }),
  }),
  backup: fc.record({
    repository: fc.constantFrom('open', 'wrong_password', 'missing'),
    passwordFileExposed: fc.boolean(),
    repositoryId: fc.option(fc.constant(PROVEN.subject)),
    snapshots: fc.option(fc.nat(1_000)),
    newestAt: fc.option(moment),
    locks: fc.array(fc.record({ exclusive: fc.boolean(), at: moment }), { maxLength: 3 }),
    integrity: jobFacts,
    restore: jobFacts,
  }),
  encryption: fc.record({
    volumes: fc.array(
      fc.record({
        mountPoints: fc.subarray(['/', '/boot', '/home/dr-smith']),
        use: fc.constantFrom('mounted', 'swap'),
        protection: fc.constantFrom('luks', 'clear', 'other_crypt', 'unidentified'),
        headers: fc.subarray(['sda2', 'sdb']),
      }),
      { maxLength: 4 },
    ),
    headers: fc.array(
      fc.record({
        device: fc.constantFrom('sda2', 'sdb'),
        header: fc.oneof(luksHeader, fc.constantFrom('damaged' as const, 'none' as const, 'unread' as const)),
      }),
      { maxLength: 2 },
    ),
  }),
};
