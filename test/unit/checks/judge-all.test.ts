import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import type { Check } from '../../../agent/checks/check.ts';
import { CHECKS, FACT_KEYS } from '../../../agent/checks/registry.ts';
import { judgeAll } from '../../../agent/checks/judge-all.ts';
import { neededProbes } from '../../../agent/checks/needed-probes.ts';
import { UNREADABLE_REASONS } from '../../../agent/facts/probe.ts';
import { PROBE_NAMES, type FactSet, type FactValues } from '../../../agent/facts/probes.ts';
import { scrub } from '../../../agent/evidence/scrub.ts';
import { jcsDigest } from '../../../agent/wire/jcs.ts';
import { plainObject } from '../../../agent/wire/schemas/primitives.ts';
import type { Finding } from '../../../agent/wire/schemas/finding.ts';
import type { Waiver } from '../../../agent/wire/schemas/site-policy.ts';
import { READ_AT } from '../../support/fixture-facts.ts';
import { anyWatched } from './any-watched-facts.ts';
import { CLOSURE, baseline, factSet, findingOf, HEALTHY, judgeInput, NOW, read, unreadable } from './sample-facts.ts';

const DAY = 86_400;
const full = factSet({ disk: { ...HEALTHY.disk, state: { ...HEALTHY.disk.state, usedPercent: 85 } } });
const waiver = (change: Partial<Waiver> = {}): Waiver => ({
  id: 'w-1',
  check: 'disk',
  target: 'appliance',
  reason: 'a larger disk is ordered',
  approver: 'alice',
  issued_at: NOW - DAY,
  expires_at: NOW + DAY,
  ...change,
});

describe('waivers', () => {
  it('a waived fail reads waived, names the waiver, and keeps what was found', () => {
    const plain = findingOf('disk', { facts: full });
    const finding = findingOf('disk', { facts: full, waivers: [waiver()] });
    expect(finding).toMatchObject({ result: 'waived', waiver_id: 'w-1', severity: plain.severity });
    expect(finding.facts_digest).toBe(plain.facts_digest);
    expect(finding.sentence).toContain(plain.sentence);
    expect(finding.sentence).toContain('alice');
  });

  it.each<[string, Partial<Waiver>]>([
    ['it expired this second', { expires_at: NOW }],
    ['it is issued in the future', { issued_at: NOW + 1 }],
    ['it is for another check', { check: 'clock' }],
    ['it is for another target', { target: 'srv-1' }],
    ['it lasts more than 90 days', { issued_at: NOW - DAY, expires_at: NOW + 90 * DAY }],
  ])('a waiver does not apply where %s', (_why, change) => {
    const finding = findingOf('disk', { facts: full, waivers: [waiver(change)] });
    expect([finding.result, finding.waiver_id]).toEqual(['fail', undefined]);
  });

  it('a waiver never turns an unknown, a pass or a not applicable into something else', () => {
    const waivers = [waiver()];
    expect(findingOf('disk', { waivers }).result).toBe('pass');
    expect(findingOf('disk', { waivers, facts: {} }).result).toBe('unknown');
    expect(findingOf('disk', { waivers, facts: full, baselineSigned: false }).result).toBe('unknown');
  });

  it('of several waivers the one that lasts longest is named', () => {
    const waivers = [waiver(), waiver({ id: 'w-2', expires_at: NOW + 5 * DAY }), waiver({ id: 'w-3' })];
    expect(findingOf('disk', { facts: full, waivers }).waiver_id).toBe('w-2');
  });
});

describe('what a finding rests on', () => {
  it('a baseline that the signed content list does not name judges nothing', () => {
    for (const finding of judgeAll(judgeInput({ baselineSigned: false }))) {
      expect([finding.result, finding.facts]).toEqual(['unknown', { baseline_signed: false }]);
    }
  });

  it('a check with a defect is unknown and does not silence the others', () => {
    const broken: Check = {
      ...CHECKS[0]!,
      judge: () => {
        throw new TypeError('defect');
      },
    };
    const findings = judgeAll(judgeInput({ checks: [broken, CHECKS[1]!] }));
    expect(findings.map((finding) => finding.result)).toEqual(['unknown', 'pass']);
  });

  it('a fact older than two cadences is stale and judges nothing', () => {
    const old = (age: number): FactSet => ({ ...factSet(), disk: read('disk', HEALTHY.disk, NOW - age) });
    expect(findingOf('disk', { facts: old(600) }).result).toBe('pass');
    expect(findingOf('disk', { facts: old(601) })).toMatchObject({
      result: 'unknown',
      facts: { unreadable_disk: 'stale' },
    });
  });

  it('the times are those of the oldest and the newest fact', () => {
    const facts = { ...factSet(), listeners: read('listeners', HEALTHY.listeners, READ_AT + 3) };
    expect(findingOf('firewall', { facts })).toMatchObject({
      observed_from: READ_AT,
      observed_to: READ_AT + 3,
      facts_read_at: READ_AT,
    });
  });

  it('baseline and controls are named, primary controls first, proposed ones in their own map', () => {
    const finding = findingOf('firewall');
    expect(finding.baseline).toEqual({ id: 'appliance', version: 1, sha256: baseline().sha256 });
    expect(finding.controls).toEqual([
      { map: 'hipaa-2013', cite: '164.308(a)(1)(ii)(B)' },
      { map: 'hipaa-2013', cite: '164.312(e)(1)' },
      { map: 'hipaa-nprm-2025', cite: '164.312(c)' },
      { map: 'hipaa-2013', cite: '164.312(a)(1)' },
    ]);
  });

  it('the digest is of the recorded facts without the measured ones, so an auditor can compute it', () => {
    for (const finding of judgeAll(judgeInput())) {
      const keys = FACT_KEYS[finding.check.id] ?? {};
      const judged = Object.entries(finding.facts).filter(([key]) => keys[key]?.judged);
      expect(finding.facts_digest).toBe(jcsDigest(Object.fromEntries(judged)));
    }
  });

  it('fill levels, offsets and skews inside their bucket do not change the digest, across its border they do', () => {
    const disk = (usedPercent: number): string =>
      findingOf('disk', {
        facts: factSet({ disk: { ...HEALTHY.disk, state: { ...HEALTHY.disk.state, usedPercent, freeMib: 8_000 } } }),
      }).facts_digest;
    expect(disk(79)).toBe(disk(41));
    expect(disk(80)).not.toBe(disk(79));
    const clock = (skewMs: number): string =>
      findingOf('clock', { facts: factSet({ clock: { ...HEALTHY.clock, skewMs, offsetMs: 1, stratum: 2 } }) })
        .facts_digest;
    expect(clock(4_999)).toBe(clock(-200));
    expect(clock(5_001)).not.toBe(clock(-200));
  });

  it('a text that is too long for an entry is cut', () => {
    const ports = Array.from({ length: 90 }, (_, i) => ({ protocol: 'tcp', scope: 'any', port: 1_000 + i }) as const);
    const finding = findingOf('firewall', { facts: factSet({ listeners: { listeners: ports } }) });
    expect(finding.sentence.length).toBeLessThanOrEqual(600);
    expect(finding.facts.listeners_undeclared).toHaveLength(33);
    const tables = Array.from(
      { length: 40 },
      (_, i) => `      - { family: ip, name: table-number-${i}, sha256: none }\n`,
    ).join('');
    const many = baseline((text) => text.replace('    undeclared_tables:', `${tables}    undeclared_tables:`));
    expect(findingOf('firewall', { baseline: many }).sentence.length).toBe(600);
  });
});

const volume = fc.record({
  fsType: fc.constantFrom('ext4', 'tmpfs', 'btrfs', 'fuse.sshfs', 'Strange FS', '9p'),
  totalMib: fc.nat(10_000_000),
  freeMib: fc.nat(10_000_000),
  usedPercent: fc.nat(100),
  inodesUsedPercent: fc.option(fc.nat(100)),
  readOnly: fc.boolean(),
});
const listeners = fc.array(
  fc.record({
    protocol: fc.constantFrom('tcp', 'udp'),
    scope: fc.constantFrom('any', 'loopback', 'address'),
    port: fc.integer({ min: 1, max: 65_535 }),
  }),
  { maxLength: 60 },
);
const policy = fc.constantFrom('drop', 'accept');
const values: { [N in keyof FactValues]: fc.Arbitrary<FactValues[N]> } = {
  clock: fc.record({
    source: fc.constantFrom('chrony', 'timedatectl', 'timesyncd', 'none'),
    synchronized: fc.option(fc.boolean()),
    offsetMs: fc.option(fc.integer({ min: -100_000_000_000, max: 100_000_000_000 })),
    stratum: fc.option(fc.nat(16)),
    skewMs: fc.option(fc.integer({ min: -100_000_000_000, max: 100_000_000_000 })),
  }),
  disk: fc.record({ state: volume, root: volume }),
  firewall: fc.record({
    tables: fc.array(
      fc.record({
        family: fc.constantFrom('inet', 'ip', 'ip6'),
        name: fc.constantFrom('compliance-agent-egress', "Dr. O'Neil", 'filter'),
        sha256: fc.constantFrom('ab'.repeat(32), 'cd'.repeat(32)),
      }),
      { maxLength: 5 },
    ),
    policies: fc.record({ input: policy, output: policy, forward: policy }),
    egressRefresh: fc.constantFrom('current', 'late', 'never', 'unreadable'),
  }),
  listeners: fc.record({ listeners }),
  ...anyWatched,
  self: fc.record({
    listeners,
    runsAsRoot: fc.boolean(),
    noNewPrivileges: fc.boolean(),
    seccompFilter: fc.boolean(),
    hasCapabilities: fc.boolean(),
    coreDumps: fc.boolean(),
    debuggerSignal: fc.boolean(),
    keyFiles: fc.nat(3),
    keyFilesMissing: fc.nat(3),
    keyFilesExposed: fc.nat(3),
    database: fc.constantFrom('ok', 'damaged', 'not_read'),
    certificate: fc.oneof(
      fc.constantFrom('none' as const, 'not_read' as const),
      fc.record({ notBefore: fc.nat(4_000_000_000), notAfter: fc.nat(4_000_000_000) }),
    ),
  }),
  logging: fc.record({
    storage: fc.constantFrom('persistent', 'volatile', 'none'),
    usedMib: fc.nat(100_000),
    journald: fc.constantFrom('active', 'inactive', 'failed', 'not-found', 'Strange'),
    forwarder: fc.option(fc.constantFrom('active', 'failed', 'bad-setting')),
    forwarderRestarts: fc.option(fc.record({ count: fc.nat(50), startedAt: fc.nat(4_000_000_000) })),
    suppressed: fc.nat(1_000_000),
    canary: fc.option(
      fc.record({
        at: fc.nat(4_000_000_000),
        outcome: fc.constantFrom('seen', 'not_seen', 'not_written', 'not_known'),
        latencyMs: fc.option(fc.nat(5_000)),
        expected: fc.nat(192),
        missing: fc.nat(192),
      }),
    ),
  }),
  patching: fc.oneof(
    fc.record({
      system: fc.constant('nixos' as const),
      runningClosure: fc.constantFrom(CLOSURE, `${CLOSURE}-other`),
      runningSha256: fc.constant('ab'.repeat(32)),
      bootedSha256: fc.option(fc.constant('cd'.repeat(32))),
      generation: fc.option(fc.nat(1_000)),
      generationCreatedAt: fc.option(fc.nat(4_000_000_000)),
      rebootPending: fc.option(fc.boolean()),
      rebootPendingSince: fc.option(fc.nat(4_000_000_000)),
    }),
    fc.record({
      system: fc.constant('apt' as const),
      updates: fc.nat(5_000),
      securityUpdates: fc.nat(5_000),
      securitySources: fc.nat(5),
      listsUpdatedAt: fc.option(fc.nat(4_000_000_000)),
      rebootPending: fc.option(fc.boolean()),
      rebootPendingSince: fc.option(fc.nat(4_000_000_000)),
    }),
  ),
};
/** Any facts: read, unreadable for any reason, or absent. */
const anyFacts: fc.Arbitrary<FactSet> = fc
  .tuple(
    ...PROBE_NAMES.map((probe) =>
      fc.oneof(
        {
          weight: 4,
          arbitrary: (values[probe] as fc.Arbitrary<any>).map((value) => [probe, read(probe, value)] as const),
        },
        fc.constantFrom(...UNREADABLE_REASONS).map((reason) => [probe, unreadable(probe, reason)] as const),
        fc.constant([probe, undefined] as const),
      ),
    ),
  )
  .map((pairs) => Object.fromEntries(pairs.filter(([, fact]) => fact !== undefined)) as FactSet);

describe('whatever the facts are', () => {
  const everyFinding = (assert: (finding: Finding, facts: FactSet) => void): void =>
    fc.assert(
      fc.property(anyFacts, (facts) => {
        for (const finding of judgeAll(judgeInput({ facts }))) assert(finding, facts);
      }),
      { numRuns: 300 },
    );

  it('a pass or a not applicable never rests on a fact that could not be read', () => {
    everyFinding((finding, facts) => {
      const probes = CHECKS.find((check) => check.id === finding.check.id)?.probes ?? [];
      const allRead = probes.every((probe) => facts[probe]?.status === 'read');
      if (!allRead) expect(['unknown', 'fail']).toContain(finding.result);
      expect(finding.result).not.toBe('not_applicable');
    });
  });

  it('findings hold declared keys of declared types only, and texts that fit an entry', () => {
    everyFinding((finding) => {
      const keys = FACT_KEYS[finding.check.id] ?? {};
      for (const [key, value] of Object.entries(finding.facts)) {
        const type = keys[key]?.type;
        expect(type, key).toBeDefined();
        if (value === null) continue;
        const isName = (text: unknown): boolean =>
          typeof text === 'string' && /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(text);
        if (type === 'integer') expect(Number.isSafeInteger(value)).toBe(true);
        else if (type === 'boolean') expect(typeof value).toBe('boolean');
        else if (type === 'digest') expect(value).toMatch(/^[0-9a-f]{64}$/);
        else if (type === 'names') expect((value as unknown[]).every(isName)).toBe(true);
        else expect(isName(value), `${key}: ${JSON.stringify(value)}`).toBe(true);
      }
      expect(v.is(plainObject, finding.facts)).toBe(true);
      expect(finding.sentence.length).toBeGreaterThan(0);
      expect(finding.sentence.length).toBeLessThanOrEqual(600);
    });
  });

  it('evidence keeps every fact and every word of a finding as it is', () => {
    everyFinding(({ observed_from: _from, observed_to: _to, ...finding }) => {
      const { body, counts } = scrub('finding', { ...finding, previous_result: null });
      expect(counts).toEqual({});
      expect(body).toEqual({ ...finding, previous_result: null });
    });
  });

  it('the same facts are judged the same', () => {
    fc.assert(
      fc.property(anyFacts, (facts) => {
        expect(judgeAll(judgeInput({ facts }))).toEqual(judgeAll(judgeInput({ facts })));
      }),
      { numRuns: 30 },
    );
  });
});

describe('what is read for a run of checks', () => {
  const none = { expected: 'none', reason: 'nothing of the kind here' } as const;
  const without = (id: string) => {
    const some = baseline();
    return { ...some, checks: { ...some.checks, [id]: none } };
  };

  it('is every probe of the checks, each once, where the baseline declares them all', () => {
    const all = new Set(CHECKS.flatMap((check) => check.probes));
    const needed = neededProbes(CHECKS, baseline());
    expect(new Set(needed)).toEqual(all);
    expect(needed.length).toBe(all.size);
  });

  it.each(CHECKS.map((check) => check.id))('is nothing for %s where the baseline expects none or is silent', (id) => {
    const [check] = CHECKS.filter((one) => one.id === id);
    const silent = { ...baseline(), checks: {} };
    expect(neededProbes([check!], without(id))).toEqual([]);
    expect(neededProbes([check!], silent)).toEqual([]);
    // Nothing is lost by that: the finding is the same with facts and without.
    for (const declared of [without(id), silent]) {
      const judged = (facts: FactSet) => judgeAll(judgeInput({ checks: [check!], baseline: declared, facts }))[0]!;
      const { result, sentence, facts_digest } = judged({});
      expect(judged(full)).toMatchObject({ result, sentence, facts_digest });
      expect(result).not.toBe('pass');
    }
  });
});
