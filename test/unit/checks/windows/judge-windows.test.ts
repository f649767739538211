import fc from 'fast-check';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { WindowsCheck } from '../../../../agent/checks/windows/windows-check.ts';
import { adWindowsCheck } from '../../../../agent/checks/windows/ad.ts';
import { backupWindowsCheck } from '../../../../agent/checks/windows/backup.ts';
import { encryptionWindowsCheck } from '../../../../agent/checks/windows/encryption.ts';
import { patchWindowsCheck } from '../../../../agent/checks/windows/patch.ts';
import { FACT_RULES } from '../../../../agent/evidence/fact-rules.ts';
import { loadRunbook } from '../../../../agent/execution/load-runbook.ts';
import { defaultParams } from '../../../../agent/execution/runbook.ts';

const RUNBOOKS = join(import.meta.dirname, '../../../../runbooks/windows');
const NOW = 1_795_255_200;
const iso = (secondsAgo: number): string => new Date((NOW - secondsAgo) * 1_000).toISOString().replace('.000Z', 'Z');
const [HOUR_S, DAY_S] = [3_600, 86_400];

const host = { role: 'domain_controller', build: 20_348, powershell: 5, read_at: iso(0) };
const fve = { protection: 1, conversion: 1, method: 7, protectors: [1, 3] };
const update = {
  level: 'critical',
  published_at: iso(20 * DAY_S),
  hidden: false,
  waits_for_reboot: false,
  interactive: false,
};
const wsbFacts = {
  policy: true,
  last_success_at: iso(HOUR_S),
  last_result: '0x00000000',
  versions: 3,
  next_at: null,
  running: false,
  stored_sets: 2,
  stored_newest: iso(HOUR_S),
  restored_at: iso(DAY_S),
};

/** Facts that each check lets pass. */
const HEALTHY: readonly (readonly [WindowsCheck, Readonly<Record<string, unknown>>])[] = [
  [
    patchWindowsCheck,
    {
      host,
      unread: [],
      updates: [],
      last: { search_at: iso(HOUR_S), install_at: iso(DAY_S) },
      reboot: { updates: false, servicing: false, files: false, booted_at: iso(DAY_S) },
      managed: 'nobody',
      task: 'none',
    },
  ],
  [backupWindowsCheck, { host, unread: [], wsb: wsbFacts, veeam: null }],
  [
    encryptionWindowsCheck,
    {
      host,
      unread: [],
      bitlocker: 'present',
      volumes: [{ kind: 'os', file_system: 'NTFS', encryptable: true, bitlocker: fve }],
      other_volumes: 2,
      escrow: { directory: 'asked', recovery_passwords: 1, in_directory: 1, policy: null },
    },
  ],
  [
    adWindowsCheck,
    {
      host,
      unread: [],
      controller: { writable: true, global_catalog: true, controllers: 1 },
      fsmo: ['schema_master', 'domain_naming_master', 'pdc_emulator', 'rid_master', 'infrastructure_master'].map(
        (role) => ({ role, here: true, holder: 'known' }),
      ),
      replication: [],
      sysvol: {
        ready: true,
        sysvol_share: true,
        netlogon_share: true,
        frs_migration: 'none',
        dfsr_state: 4,
        dfsr_error: 0,
      },
      time: { service: 'running', source: 'ntp', pdc: true },
      accounts: { stale: 0, locked: 0, privileged: 2, limit: 1000 },
    },
  ],
];

const paramsOf = (check: WindowsCheck) => defaultParams(loadRunbook(join(RUNBOOKS, check.runbook), [check]).runbook);
const judge = (check: WindowsCheck, facts: unknown, params = {}) =>
  check.judge({ facts, params: { ...paramsOf(check), ...params }, now: NOW, role: null });
const given = (check: WindowsCheck) => HEALTHY.find(([one]) => one === check)?.[1] ?? {};

describe.each(HEALTHY.map(([check, facts]) => [check.id, check, facts] as const))('%s', (_id, check, facts) => {
  it('passes healthy facts and says on what', () => {
    const { result, sentence } = judge(check, facts);
    expect([result, sentence]).toEqual(['pass', expect.stringMatching(/\d/)]);
  });

  it('is unknown without any one of its facts, and with one that it does not know', () => {
    for (const key of Object.keys(facts)) {
      const without = Object.fromEntries(Object.entries(facts).filter(([one]) => one !== key));
      expect(judge(check, without).result, key).toBe('unknown');
    }
    expect(judge(check, { ...facts, surprise: 1 }).result).toBe('unknown');
  });

  it('never passes when something was not read, whatever else holds', () => {
    for (const reason of ['missing', 'missing_property', 'denied', 'timeout', 'over_budget', 'failed']) {
      const unread = [{ part: 'anything', reason, code: '0x80070005' }];
      expect(judge(check, { ...facts, unread }).result, reason).toBe('unknown');
    }
    expect(judge(check, { ...facts, host: null }).result).toBe('unknown');
  });

  it('does not believe a machine whose clock is far from ours', () => {
    for (const offset of [-3_600, 3_600]) {
      const { result } = judge(check, { ...facts, host: { ...host, read_at: iso(offset) } });
      expect(['unknown', 'fail'], `${offset}`).toContain(result);
    }
  });

  it('never throws and never passes on facts that nobody meant', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom(...Object.keys(facts)), (value, key) => {
        const { result } = judge(check, { ...facts, [key]: value });
        // Volumes that hold nobody's data are counted and not judged.
        const isHarmless = key === 'other_volumes' || JSON.stringify(value) === JSON.stringify(facts[key]);
        if (!isHarmless) expect(result).not.toBe('pass');
        expect(judge(check, value).result).toBe('unknown');
      }),
      { numRuns: 200 },
    );
  });

  it('records only facts that evidence has a rule for', () => {
    expect(Object.keys(FACT_RULES[check.id] ?? {})).toEqual(expect.arrayContaining(Object.keys(check.factKeys)));
    for (const some of [facts, { ...facts, host: null }]) {
      expect(Object.keys(check.factKeys)).toEqual(expect.arrayContaining(Object.keys(judge(check, some).facts)));
    }
  });
});

describe('the limits of updates', () => {
  const overdue = (days: number, other = {}) =>
    judge(patchWindowsCheck, {
      ...given(patchWindowsCheck),
      updates: [{ ...update, published_at: iso(days * DAY_S), ...other }],
    }).facts['overdue_critical'];

  it('count a critical update after 14 days and not before, and one without a date at once', () => {
    expect([overdue(14), overdue(15), overdue(0, { published_at: null })]).toEqual([0, 1, 1]);
  });

  it('do not count an update that only waits for a restart', () => {
    expect(overdue(100, { waits_for_reboot: true })).toBe(0);
  });
});

describe('the limits of a backup', () => {
  const at = (hours: number) => {
    const wsb = { ...wsbFacts, last_success_at: iso(hours * HOUR_S), stored_newest: iso(hours * HOUR_S) };
    const { result, severity } = judge(backupWindowsCheck, { ...given(backupWindowsCheck), wsb });
    return `${result} ${severity}`;
  };

  it('are 24 hours, and 48 for a critical one', () => {
    expect([at(24), at(25), at(48), at(49)]).toEqual(['pass info', 'fail high', 'fail high', 'fail critical']);
  });

  it('hold for what is listed at the place of the backups, not for what the machine remembers', () => {
    const wsb = { ...wsbFacts, stored_newest: iso(50 * HOUR_S) };
    expect(judge(backupWindowsCheck, { ...given(backupWindowsCheck), wsb }).severity).toBe('critical');
  });
});

describe('the words of an alert', () => {
  it('say that nothing switches BitLocker on or unlocks an account by itself', () => {
    const volumes = [
      {
        kind: 'os',
        file_system: 'NTFS',
        encryptable: true,
        bitlocker: { ...fve, protection: 0, conversion: 0, method: 0, protectors: [] },
      },
    ];
    const clear = judge(encryptionWindowsCheck, { ...given(encryptionWindowsCheck), volumes });
    expect([clear.result, clear.remedy]).toEqual([
      'fail',
      expect.stringContaining('nothing here switches it on by itself'),
    ]);
    const locked = judge(adWindowsCheck, {
      ...given(adWindowsCheck),
      accounts: { stale: 0, locked: 9, privileged: 2, limit: 1000 },
    });
    expect([locked.result, locked.remedy]).toEqual([
      'fail',
      expect.stringContaining('nothing here unlocks an account'),
    ]);
  });
});
