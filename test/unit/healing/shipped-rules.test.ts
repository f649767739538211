import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseControlMap } from '../../../agent/checks/controls.ts';
import { readRules, readRunbooks } from '../../../agent/healing/read-rules.ts';
import { indexRules } from '../../../agent/healing/rule-index.ts';
import { whyNotUsable } from '../../../agent/healing/rule-standing.ts';
import type { PlainJson } from '../../../agent/wire/schemas/primitives.ts';
import { readFileSync } from 'node:fs';

const RUNBOOKS = join(import.meta.dirname, '../../../runbooks');
const { rules, refused } = readRules(join(RUNBOOKS, 'rules'));
const index = indexRules(rules);
const NOW = 1_800_000_000;

const taken = (check: string, facts: Record<string, PlainJson>, platform: 'appliance' | 'windows' = 'appliance') =>
  index.match(
    { platform, check, result: 'fail', severity: 'high', facts, readAt: NOW, failingSince: NOW, role: null },
    NOW,
  )?.file.id ?? null;

describe('the rules that are shipped', () => {
  it('are without mistakes, named after their files, and marked as shipped', () => {
    expect(refused).toEqual([]);
    expect(rules.map(({ file }) => file.id)).toEqual(rules.map(({ place }) => basename(place, '.yaml')));
    expect(new Set(rules.map(({ file }) => file.source))).toEqual(new Set(['builtin']));
  });

  it('cite only requirements that their control map has', () => {
    const maps = readdirSync(join(RUNBOOKS, 'controls')).map((name) =>
      parseControlMap(readFileSync(join(RUNBOOKS, 'controls', name)), name),
    );
    for (const { file } of rules) {
      for (const { map, cite } of file.controls) {
        const cites = maps.find(({ id }) => id === map)?.lines.map((line) => line.cite) ?? [];
        expect(cites, `${file.id}: ${map}`).toContain(cite);
      }
    }
  });

  it('say for each of the six checks of the appliance what is done about its drift', () => {
    const AV = { service_load: 'loaded', service: 'failed', binary: 'declared', running: 'nothing' };
    expect(taken('av_edr', AV)).toBe('av-service-stopped');
    const BACKUP = { repository: 'open', snapshot: 'critical', stale_lock: false, integrity: 'proven' };
    expect(taken('backup', BACKUP)).toBe('backup-stale');
    expect(taken('logging', { journald: 'active', forwarder: 'failed' })).toBe('log-forwarder-stopped');
    expect(taken('firewall', { tables_changed: 1, tables_missing: 0, input_policy: 'drop' })).toBe('firewall-changed');
    expect(taken('patching', { system: 'nixos', closure: 'other' })).toBe('system-not-as-declared');
    expect(taken('encryption', { volumes_clear: 1 })).toBe('encryption-missing');
    expect(taken('disk', { state_used_percent: 91, root_used_percent: 10 })).toBe('disk-nearly-full');
  });

  it('leave to people what is not safe to repeat: a changed scanner, a locked repository, a stopped journal, Debian updates', () => {
    expect(taken('av_edr', { service_load: 'loaded', service: 'failed', binary: 'changed' })).toBe(
      'av-program-changed',
    );
    expect(taken('av_edr', { service_load: 'masked', service: 'inactive', binary: 'declared' })).toBeNull();
    expect(taken('backup', { repository: 'open', snapshot: 'old', stale_lock: true, integrity: 'proven' })).toBeNull();
    expect(taken('backup', { repository: 'wrong_password', snapshot: 'not_read' })).toBeNull();
    expect(taken('logging', { journald: 'failed', forwarder: 'failed' })).toBeNull();
    expect(taken('patching', { system: 'apt', closure: 'not_settled' })).toBeNull();
    expect(taken('disk', { state_used_percent: 90, root_used_percent: 90 })).toBeNull();
  });

  it('encrypt nothing, and name no runbook for what only people may do', () => {
    const alerts = rules.filter(({ file }) => file.runbook === undefined).map(({ file }) => file.id);
    expect(alerts).toEqual(expect.arrayContaining(['av-program-changed', 'disk-nearly-full', 'encryption-missing']));
    expect(rules.filter(({ file }) => file.when.check === 'encryption' && file.runbook !== undefined)).toEqual([]);
  });

  it('say for each of the seven Windows checks what is done about its drift', () => {
    const onWindows = (check: string, facts: Record<string, PlainJson>) => taken(check, facts, 'windows');
    expect(onWindows('windows_av', { realtime: false, managed: false })).toBe('windows-av-off');
    expect(onWindows('windows_backup', { wsb: 'critical' })).toBe('windows-backup-stale');
    expect(onWindows('windows_encryption', { volumes_clear: 1 })).toBe('windows-volume-clear');
    expect(onWindows('windows_ad', { links_failing: 2 })).toBe('windows-directory-unsound');
    const logging = { service_running: true, times_cleared: 0, logs_managed: 0, audit_missing: 3, logs_too_small: 0 };
    expect(onWindows('windows_logging', logging)).toBe('windows-audit-incomplete');
    const firewall = { profiles_managed: 0, would_be_cut: 0, revert_armed: false, profiles_on: 2 };
    expect(onWindows('windows_firewall', firewall)).toBe('windows-firewall-off');
    const patching = {
      managed: 'nobody',
      task: 'none',
      overdue_critical: 1,
      overdue_important: 0,
      reboot_pending: true,
    };
    expect(onWindows('windows_patching', patching)).toBe('windows-updates-overdue');
  });

  it('leave to people what a group policy would undo, what would cut somebody off, and what may be an attack', () => {
    const onWindows = (check: string, facts: Record<string, PlainJson>) => taken(check, facts, 'windows');
    expect(onWindows('windows_av', { realtime: false, managed: true })).toBeNull();
    expect(onWindows('windows_firewall', { profiles_managed: 1, would_be_cut: 0, revert_armed: false })).toBeNull();
    expect(onWindows('windows_firewall', { profiles_managed: 0, would_be_cut: 1, revert_armed: false })).toBeNull();
    expect(onWindows('windows_firewall', { profiles_managed: 0, would_be_cut: null, revert_armed: false })).toBeNull();
    expect(onWindows('windows_logging', { times_cleared: 1, service_running: true })).toBe('windows-log-cleared');
    expect(onWindows('windows_backup', { wsb: 'old', veeam_points_corrupted: 1 })).toBe('windows-backup-damaged');
    const released = { managed: 'wsus', task: 'none', overdue_critical: 1, reboot_pending: false };
    expect(onWindows('windows_patching', released)).toBeNull();
    expect(onWindows('windows_patching', { ...released, reboot_pending: true })).toBe('windows-restart-pending');
  });

  it('for Windows are usable with the runbooks that are shipped', () => {
    const runbooks = readRunbooks(RUNBOOKS);
    for (const rule of rules.filter(({ file }) => file.platform === 'windows')) {
      expect(whyNotUsable(rule, runbooks), rule.file.id).toBeNull();
    }
  });
});
