import { describe, expect, it } from 'vitest';
import type { CanaryFacts } from '../../../agent/facts/logging.ts';
import type { NixosSystem } from '../../../agent/facts/nixos-system.ts';
import type { FactValues } from '../../../agent/facts/probes.ts';
import { baseline, CLOSURE, factSet, findingOf, HEALTHY, NOW, TABLE_SHA256, unreadable } from './sample-facts.ts';

const volume = (change: Partial<FactValues['disk']['state']>) => ({ ...HEALTHY.disk.state, ...change });
const clock = (change: Partial<FactValues['clock']>): Partial<FactValues> => ({
  clock: { ...HEALTHY.clock, ...change },
});
const firewall = (change: Partial<FactValues['firewall']>): Partial<FactValues> => ({
  firewall: { ...HEALTHY.firewall, ...change },
});
const self = (change: Partial<FactValues['self']>): Partial<FactValues> => ({ self: { ...HEALTHY.self, ...change } });
const listening = (
  protocol: 'tcp' | 'udp',
  scope: 'any' | 'loopback' | 'address',
  port: number,
): Partial<FactValues> => ({
  listeners: { listeners: [...HEALTHY.listeners.listeners, { protocol, scope, port }] },
});
const logging = (change: Partial<FactValues['logging']>): Partial<FactValues> => ({
  logging: { ...HEALTHY.logging, ...change },
});
const canary = (change: Partial<CanaryFacts>): Partial<FactValues> =>
  logging({ canary: { ...(HEALTHY.logging.canary as CanaryFacts), ...change } });
const patching = (change: Partial<NixosSystem>): Partial<FactValues> => ({
  patching: { ...(HEALTHY.patching as NixosSystem), ...change },
});
const table = HEALTHY.firewall.tables[0]!;

describe('a healthy appliance', () => {
  it.each(['clock', 'disk', 'firewall', 'logging', 'patching', 'self'])(
    'passes %s and the sentence names what the pass rests on',
    (check) => {
      const finding = findingOf(check);
      expect(finding.result).toBe('pass');
      expect(finding.sentence).toMatch(
        /chrony|state volume|tables are loaded|listens on nothing|canary was read back|declared one/,
      );
      expect(Object.keys(finding.facts).length).toBeGreaterThan(5);
    },
  );
});

describe.each<[string, [string, Partial<FactValues>, string][]]>([
  [
    'disk',
    [
      [
        'the state volume is full to its limit',
        { disk: { ...HEALTHY.disk, state: volume({ usedPercent: 80 }) } },
        'medium',
      ],
      [
        'the state volume is almost full',
        { disk: { ...HEALTHY.disk, state: volume({ usedPercent: 95 }) } },
        'critical',
      ],
      ['inodes run out', { disk: { ...HEALTHY.disk, state: volume({ inodesUsedPercent: 96 }) } }, 'critical'],
      [
        'little space is free on a large volume',
        { disk: { ...HEALTHY.disk, state: volume({ freeMib: 511 }) } },
        'medium',
      ],
      ['the state volume is read-only', { disk: { ...HEALTHY.disk, state: volume({ readOnly: true }) } }, 'critical'],
      ['the state volume is a tmpfs', { disk: { ...HEALTHY.disk, state: volume({ fsType: 'tmpfs' }) } }, 'critical'],
      ['the root volume is read-only', { disk: { ...HEALTHY.disk, root: volume({ readOnly: true }) } }, 'critical'],
      ['the root volume is full', { disk: { ...HEALTHY.disk, root: volume({ usedPercent: 100 }) } }, 'critical'],
    ],
  ],
  [
    'clock',
    [
      ['the clock is three years ahead of the signed time', clock({ skewMs: 94_608_000_000 }), 'high'],
      ['the clock is behind the signed time', clock({ skewMs: -5_001 }), 'high'],
      ['NTP reports a large offset', clock({ offsetMs: -5_001 }), 'high'],
      ['NTP is not synchronised', clock({ synchronized: false, offsetMs: null, stratum: null }), 'medium'],
      ['NTP is not synchronised though the signed time agrees', clock({ synchronized: false, skewMs: 1 }), 'medium'],
    ],
  ],
  [
    'firewall',
    [
      ['the declared table is missing', firewall({ tables: [] }), 'critical'],
      ['the declared table differs', firewall({ tables: [{ ...table, sha256: 'cd'.repeat(32) }] }), 'high'],
      ['the table has the name in another family', firewall({ tables: [{ ...table, family: 'ip' }] }), 'critical'],
      [
        'there is one more table',
        firewall({ tables: [table, { family: 'ip', name: 'x', sha256: TABLE_SHA256 }] }),
        'medium',
      ],
      [
        'the default for output is accept',
        firewall({ policies: { input: 'drop', output: 'accept', forward: 'drop' } }),
        'critical',
      ],
      ['nothing has opened the egress table for three turns', firewall({ egressRefresh: 'late' }), 'high'],
      ['nothing has opened the egress table since the start', firewall({ egressRefresh: 'never' }), 'high'],
      ['an undeclared TCP port listens', listening('tcp', 'any', 22), 'high'],
      ['an undeclared port listens on this machine only', listening('tcp', 'loopback', 8080), 'high'],
      ['an undeclared UDP port listens', listening('udp', 'any', 5353), 'high'],
      ['a port that is declared for this machine listens to everybody', listening('udp', 'any', 53), 'high'],
    ],
  ],
  [
    'self',
    [
      ['the agent listens', self({ listeners: [{ protocol: 'tcp', scope: 'loopback', port: 9229 }] }), 'critical'],
      ['the agent runs as root', self({ runsAsRoot: true }), 'high'],
      ['the agent holds capabilities', self({ hasCapabilities: true }), 'high'],
      ['core dumps are possible', self({ coreDumps: true }), 'high'],
      ['a signal opens a debugger', self({ debuggerSignal: true }), 'high'],
      ['privileges can be gained', self({ noNewPrivileges: false }), 'high'],
      ['no seccomp filter is on', self({ seccompFilter: false }), 'high'],
      ['a key file is open to others', self({ keyFilesExposed: 1 }), 'critical'],
      ['a key file is missing', self({ keyFilesMissing: 1 }), 'critical'],
      ['the database is damaged', self({ database: 'damaged' }), 'critical'],
    ],
  ],
  [
    'logging',
    [
      ['journald does not run', logging({ journald: 'failed' }), 'critical'],
      ['the journal keeps nothing', logging({ storage: 'none' }), 'critical'],
      ['the journal is lost at a restart', logging({ storage: 'volatile' }), 'medium'],
      ['the canary could not be read back', canary({ outcome: 'not_seen', latencyMs: null }), 'critical'],
      ['nobody took the canary', canary({ outcome: 'not_written', latencyMs: null }), 'critical'],
      ['an earlier canary is gone from the log', canary({ missing: 1 }), 'high'],
      ['journald dropped a message', logging({ suppressed: 1 }), 'medium'],
      ['the journal takes more room than declared', logging({ usedMib: 4_097 }), 'low'],
    ],
  ],
  [
    'patching',
    [
      ['another system runs', patching({ runningClosure: `${CLOSURE}-other` }), 'high'],
      ['the generation is too old', patching({ generationCreatedAt: NOW - 30 * 86_400 - 1 }), 'medium'],
      ['the system is no generation', patching({ generation: null, generationCreatedAt: null }), 'medium'],
      ['a restart is overdue', patching({ rebootPending: true, rebootPendingSince: NOW - 86_401 }), 'medium'],
    ],
  ],
])('%s', (check, cases) => {
  it.each(cases)(`${check} fails where %s`, (_what, change, severity) => {
    const finding = findingOf(check, { facts: factSet(change) });
    expect([finding.result, finding.severity]).toEqual(['fail', severity]);
    expect(finding.remedy).toBeTruthy();
  });

  it.each(['missing_tool', 'denied', 'timeout', 'too_much_output', 'unparsable', 'stale', 'failed'] as const)(
    `${check} is unknown where its facts are unreadable: %s`,
    (reason) => {
      const probe = check as 'disk';
      const finding = findingOf(check, { facts: { ...factSet(), [probe]: unreadable(probe, reason) } });
      expect(finding.result).toBe('unknown');
      expect(finding.facts[`unreadable_${probe}`]).toBe(reason);
      expect(JSON.stringify(finding)).not.toContain('secret detail');
    },
  );

  it(`${check} is unknown where nobody read anything`, () => {
    expect(findingOf(check, { facts: {} }).result).toBe('unknown');
  });

  it(`${check} is not applicable only where the baseline says so, with its reason`, () => {
    const without = (text: string): string =>
      text.replace(
        new RegExp(`^  ${check}:\n(?:    .*\n| *#.*\n)+`, 'm'),
        `  ${check}:\n    expected: none\n    reason: not on this machine\n`,
      );
    const finding = findingOf(check, { baseline: baseline(without) });
    expect([finding.result, finding.facts]).toEqual(['not_applicable', { expected: 'none' }]);
    expect(finding.sentence).toContain('not on this machine');
  });

  it(`${check} is unknown where the baseline does not name it`, () => {
    const forgotten = (text: string): string =>
      text.replace(new RegExp(`^  ${check}:\n(?:    .*\n| *#.*\n)+`, 'm'), '');
    const finding = findingOf(check, { baseline: baseline(forgotten) });
    expect([finding.result, finding.facts]).toEqual(['unknown', { expected: 'not_declared' }]);
  });
});

describe('judging with less than everything', () => {
  it('a firewall table without a declared digest is never a pass', () => {
    const unsettled = baseline((text) => text.replace(`sha256: ${TABLE_SHA256}`, 'sha256: none'));
    expect(findingOf('firewall', { baseline: unsettled }).result).toBe('unknown');
  });

  it('rules as declared are no pass where nobody can say whether the egress table is opened, and the baseline asks for it', () => {
    const facts = factSet(firewall({ egressRefresh: 'unreadable' }));
    expect(findingOf('firewall', { facts }).result).toBe('unknown');
    const silent = baseline((text) => text.replace('egress_refresh: required', ''));
    expect(findingOf('firewall', { facts, baseline: silent })).toMatchObject({ result: 'pass' });
    expect(findingOf('firewall', { facts, baseline: silent }).facts).not.toHaveProperty('egress_refresh');
  });

  it('an undeclared listener is a fail even where the rules could not be read', () => {
    const facts = { ...factSet(listening('tcp', 'any', 22)), firewall: unreadable('firewall', 'denied') };
    const finding = findingOf('firewall', { facts });
    expect(finding.result).toBe('fail');
    expect(finding.facts).toMatchObject({ unreadable_firewall: 'denied', listeners_undeclared: ['tcp-any-22'] });
  });

  it('rules as declared are no pass where the listening sockets could not be read', () => {
    const facts = { ...factSet(), listeners: unreadable('listeners', 'failed') };
    expect(findingOf('firewall', { facts }).result).toBe('unknown');
  });

  it('the signed time alone does not pass the clock where NTP is required', () => {
    const facts = factSet(clock({ source: 'none', synchronized: null, offsetMs: null, stratum: null, skewMs: 1 }));
    expect(findingOf('clock', { facts }).result).toBe('unknown');
  });

  it('where NTP is not required the signed time vouches, and nothing at all does not', () => {
    const relaxed = baseline((text) => text.replace('ntp_required: true', 'ntp_required: false'));
    const none = { source: 'none', synchronized: null, offsetMs: null, stratum: null } as const;
    const result = (change: Partial<FactValues['clock']>) =>
      findingOf('clock', { facts: factSet(clock(change)), baseline: relaxed }).result;
    expect(result({ ...none, skewMs: 10 })).toBe('pass');
    expect(result({ ...none, skewMs: null })).toBe('unknown');
    expect(result({ source: 'timedatectl', synchronized: false, skewMs: null })).toBe('unknown');
    expect(result({ source: 'timedatectl', synchronized: false, skewMs: 10 })).toBe('pass');
    expect(result({ ...none, skewMs: 5_001 })).toBe('fail');
  });

  it('a database that nobody checked is no pass', () => {
    expect(findingOf('self', { facts: factSet(self({ database: 'not_read' })) }).result).toBe('unknown');
  });

  it('a listener that is declared for everybody may be narrower, and never wider', () => {
    const wide = baseline((text) => text.replace('scope: loopback, port: 53 }', 'scope: any, port: 53 }'));
    const facts = factSet({ listeners: { listeners: [{ protocol: 'tcp', scope: 'loopback', port: 53 }] } });
    expect(findingOf('firewall', { facts, baseline: wide }).result).toBe('pass');
  });

  it('several problems are one finding of the worst severity that names them all', () => {
    const finding = findingOf('self', { facts: factSet(self({ runsAsRoot: true, keyFilesExposed: 2 })) });
    expect(finding.severity).toBe('critical');
    expect(finding.sentence).toMatch(/root.*key files/);
  });
});
