import { describe, expect, it } from 'vitest';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPowerShell } from '../../lab/powershell.ts';
import { Recordings } from '../../lab/recordings.ts';
import { REFUSALS, REFUSALS_RECORDING, refusalStep } from '../../lab/refusals.ts';
import { stepKey, type Step } from '../../lab/run-step.ts';
import { SCENARIO_BOOKS } from '../../lab/scenarios/books.ts';
import { WINDOWS_CHECKS } from '../../../agent/checks/windows/registry.ts';

const LAB = join(import.meta.dirname, '../../lab');
const powershell = findPowerShell();
const mode = powershell === null ? 'replay' : 'real';
const first = refusalStep(REFUSALS[0]!);

describe('the simulated Windows machine', () => {
  it.each(REFUSALS.map((refusal) => [refusal.name, refusal] as const))('refuses %s', async (_name, refusal) => {
    const outcome = await new Recordings(REFUSALS_RECORDING, mode, powershell).outcome(refusalStep(refusal));
    expect(outcome.exitCode).toBe(1);
    expect(outcome.stderr).toContain(refusal.tells);
    expect(outcome.stdout).toBe('');
  });

  it('cites a published page for every cmdlet, class, enumeration and registry value that it has', () => {
    const files = globSync('stub/documented/*.json', { cwd: LAB });
    expect(files.length).toBeGreaterThan(5);
    for (const file of files) {
      const documented = JSON.parse(readFileSync(join(LAB, file), 'utf8')) as Record<
        string,
        Record<string, { page: string }>
      >;
      for (const [kind, entries] of Object.entries(documented)) {
        for (const [name, { page }] of Object.entries(entries)) {
          expect(page, `${file} ${kind} ${name}`).toMatch(
            /^https:\/\/(?:learn\.microsoft\.com|helpcenter\.veeam\.com|github\.com\/dsccommunity)\//,
          );
        }
      }
    }
  });

  it('has scenarios for every Windows runbook', () => {
    expect(SCENARIO_BOOKS.map(({ runbook }) => runbook).toSorted()).toEqual(
      WINDOWS_CHECKS.map(({ runbook }) => runbook).toSorted(),
    );
  });
});

describe('recordings of real PowerShell', () => {
  const changes: readonly (readonly [string, (step: Step) => Step])[] = [
    ['its script', (step) => ({ ...step, script: `${step.script} ` })],
    ['its input', (step) => ({ ...step, input: { phase: 'detect' } })],
    ['the state before', (step) => ({ ...step, state: { ...step.state, now: '2026-11-20T10:00:01Z' } })],
    ['its environment', (step) => ({ ...step, env: { TZ: 'Europe/Berlin' } })],
    ['the stubs', (step) => ({ ...step, areas: step.areas.slice(1) })],
  ];

  it.each(changes)('do not hold for a step of which %s changed: that asks to record again', async (_what, change) => {
    const recordings = new Recordings(REFUSALS_RECORDING, 'replay', null);
    await expect(recordings.outcome(first)).resolves.toMatchObject({ exitCode: 1 });
    await expect(recordings.outcome(change(first))).rejects.toThrow('script changed: record again');
  });

  it('are named alike whatever the order of the keys of input and state', () => {
    const { now, ...rest } = first.state;
    expect(stepKey({ ...first, state: { ...rest, now } })).toBe(stepKey(first));
  });

  it('hold times in UTC to the second and no date of a form that differs between versions', () => {
    const times = /\d{4}-\d\d-\d\dT[^"\\]*/g;
    let seen = 0;
    for (const file of globSync('recordings/RB-*/*.json', { cwd: LAB })) {
      const { steps } = JSON.parse(readFileSync(join(LAB, file), 'utf8')) as {
        steps: Record<string, { stdout: string }>;
      };
      for (const { stdout } of Object.values(steps)) {
        expect(stdout, file).not.toContain('/Date(');
        for (const [time] of stdout.matchAll(times)) {
          expect(time, file).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
          seen += 1;
        }
      }
    }
    expect(seen).toBeGreaterThan(100);
  });
});
