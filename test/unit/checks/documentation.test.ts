import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { controlsOf } from '../../../agent/checks/controls.ts';
import { CHECKS } from '../../../agent/checks/registry.ts';
import { UNREADABLE_REASONS } from '../../../agent/facts/probe.ts';
import { controlMaps, RUNBOOKS } from './sample-facts.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/checks.md'), 'utf8');
const section = (id: string): string => new RegExp(`^## ${id} — [\\s\\S]*?(?=^## )`, 'm').exec(page)?.[0] ?? '';

describe('docs/checks.md', () => {
  it.each(CHECKS)('documents every fact, the cadence and the controls in force of $id', (check) => {
    const text = section(check.id);
    expect(text).toContain(`every ${check.cadenceS / 60} minutes`);
    for (const [key, { judged }] of Object.entries(check.factKeys)) {
      const row = text.split('\n').find((line) => line.startsWith('|') && line.includes(`\`${key}\``));
      expect(row, key).toBeDefined();
      expect(row?.split('|')[2]?.trim(), key).toBe(judged ? '' : 'm');
    }
    const inForce = controlsOf(check.id, controlMaps()).filter((control) => control.map === 'hipaa-2013');
    for (const { cite } of inForce) expect(text).toContain(cite);
  });

  it('documents every key of the shipped baselines', () => {
    const keys = (value: unknown): string[] =>
      typeof value === 'object' && value !== null
        ? Object.entries(value).flatMap(([key, below]) => [...(Array.isArray(value) ? [] : [key]), ...keys(below)])
        : [];
    for (const name of ['appliance', 'nixos-hipaa-v1', 'workstation']) {
      const text = readFileSync(join(RUNBOOKS, `baselines/${name}.yaml`), 'utf8');
      for (const key of keys(parse(text))) expect(page, key).toContain(key);
    }
  });

  it('documents every reason for which a fact is unreadable', () => {
    for (const reason of UNREADABLE_REASONS) expect(page).toMatch(new RegExp(`^\\| \`${reason}\` +\\|`, 'm'));
  });
});
