import { afterAll, beforeAll, describe, it, expect } from 'vitest';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHECKS } from '../../../agent/checks/registry.ts';
import { loadChecks } from '../../../agent/daemon/load-checks.ts';
import { systemClock } from '../../../agent/system/clock.ts';
import { createExec } from '../../../agent/system/exec.ts';
import { fakeExec } from '../../support/fakes/fake-exec.ts';
import { cli } from '../../support/run-cli.ts';

let dir = '';
let config = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'check-'));
  config = join(dir, 'config.yaml');
  writeFileSync(config, `mode: direct\nstate_dir: ${dir}\n`);
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

const onThisHost = {
  exec: createExec(),
  clock: systemClock,
  loadChecks: (path: string | null) => loadChecks(join(import.meta.dirname, '../../../runbooks'), path),
};
const run = (...argv: string[]) => cli([...argv, '--config', config], { deps: onThisHost });
interface Findings {
  findings: { check: { id: string }; result: string; sentence: string }[];
}

describe('check', () => {
  it('judges this very host with every check, before it is enrolled', async () => {
    const { code, ...rest } = await run('check', '--json');
    expect(code).toBe(0);
    const { findings } = rest.json<Findings>();
    expect(findings.map((one) => one.check.id)).toEqual(CHECKS.map((one) => one.id));
    for (const one of findings) expect(one.sentence).not.toBe('');
  });

  it('says that `self` judged the command itself where no daemon runs', async () => {
    expect((await run('check')).out).toContain('`self` judged this process in its place');
    expect((await run('check', 'disk')).out).not.toContain('in its place');
  });

  it('runs only the checks that are named', async () => {
    const { out } = await run('check', 'disk');
    expect(out).toMatch(/^disk +[a-z_]+ +/);
    expect(out).not.toContain('firewall');
  });

  it('with --exit-code exits 6 when a check finds drift', async () => {
    const baseline = join(dir, 'baseline.yaml');
    const shipped = loadChecks(join(import.meta.dirname, '../../../runbooks'), null).baseline;
    const disk = {
      ...shipped.checks.disk,
      root: { used_percent: 1, critical_percent: 2, free_mib: 1, refused_file_systems: [] },
    };
    const file = {
      schema: 'compliance-agent/baseline/v1',
      id: 'full',
      version: 1,
      title: 'Always full',
      checks: { disk },
    };
    writeFileSync(baseline, JSON.stringify(file));
    const other = join(dir, 'other.yaml');
    writeFileSync(other, `mode: direct\nstate_dir: ${dir}\nbaseline_path: ${baseline}\n`);
    const drift = (...argv: string[]) => cli(['check', 'disk', '--config', other, ...argv], { deps: onThisHost });
    expect((await drift('--exit-code')).code).toBe(6);
    expect((await drift()).code).toBe(0);
  });

  it('refuses the name of a check that does not exist', async () => {
    const { code, err } = await run('check', 'dsk');
    expect(code).toBe(2);
    expect(err).toMatch(/did you mean disk\?\n$/);
  });
});

describe('facts', () => {
  it('shows what the probes read, and for an unreadable one why', async () => {
    const { code, ...rest } = await run('facts', 'disk', 'clock', '--json');
    expect(code).toBe(0);
    const { facts } = rest.json<{ facts: Record<string, { status: string }> }>();
    expect(Object.keys(facts)).toEqual(['disk', 'clock']);
    expect(facts['disk']?.status).toBe('read');
  });

  it('says of a fact that it cannot be read, and goes on with the others', async () => {
    // This surroundings' exec knows no program, so every tool is missing.
    const { code, out } = await cli(['facts', '--config', config], { deps: { loadChecks: onThisHost.loadChecks } });
    expect(code).toBe(0);
    expect(out).toMatch(/^firewall: missing_tool/m);
    expect(out).toMatch(/^disk:$/m);
  });

  it('hands facts over as one file each, the unreadable ones too, and shows no values', async () => {
    const into = join(dir, 'facts');
    mkdirSync(into);
    const argv = ['facts', 'disk', 'patching', 'listeners', '--write', into, '--config', config];
    const { code, out } = await cli(argv, { deps: { ...onThisHost, exec: fakeExec({}) } });
    expect([code, out]).toEqual([0, 'disk: read\npatching: unreadable\nlisteners: read\n']);
    const written = (name: string): unknown => JSON.parse(readFileSync(join(into, `${name}.json`), 'utf8'));
    const common = { schema: 'compliance-agent/fact/v1', agent_version: '0.1.0' };
    expect(written('disk')).toMatchObject({ ...common, fact: { status: 'read', probe: 'disk' } });
    expect(written('patching')).toMatchObject({ ...common, fact: { status: 'unreadable', probe: 'patching' } });
  });

  it('a folder for facts that does not exist is an error and is not made', async () => {
    const { code, err } = await run('facts', 'disk', '--write', join(dir, 'none'));
    expect(code).not.toBe(0);
    expect(err).toContain('file_missing');
  });
});
