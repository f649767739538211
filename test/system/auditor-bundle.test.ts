import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { APPLIANCE } from '../../tools/demo/site.ts';
import { demoSite } from '../support/demo-site.ts';

const missing = ['python3', 'openssl'].filter((tool) => spawnSync(tool, ['--version']).error !== undefined);

describe('an appliance at work, and an auditor', () => {
  const site = demoSite();
  beforeEach((context) => {
    context.skip(missing.length > 0, `${missing.join(' and ')} not found`);
  });

  it('exports while it writes on, and the bundle verifies under the digest that the partner printed', async () => {
    await site.provision();
    site.startAgent();
    await site.confirm();
    await site.untilStatus('some of the log is stored', (s) => (s.stored_size ?? 0) > 5);
    const bundle = join(site.paths.state, '..', 'bundle');
    const exported = await site.cli('evidence', 'export', '--out', bundle);
    expect([exported.code, exported.output.split('\n')[0]]).toEqual([0, 'EXPORTED']);

    const run = spawnSync('python3', ['verify.py', '--root-sha256', site.rootDigest(), '--json'], {
      cwd: bundle,
      encoding: 'utf8',
    });
    expect(run.status, run.stdout + run.stderr).toBe(0);
    const { logs } = JSON.parse(run.stdout) as { logs: { size: number; origin: string; stored: number }[] };
    expect(logs.map((log) => log.origin.split('/')[1])).toEqual([APPLIANCE]);
    expect(logs[0]?.stored).toBeGreaterThan(5);
    const ours = await site.cli('evidence', 'verify', bundle, '--root-sha256', site.rootDigest());
    expect([ours.code, ours.output.split('\n')[0]]).toEqual([0, 'VERIFIED']);
    expect(readFileSync(join(bundle, 'report.html'), 'utf8')).toContain(`entries verified when this report was made`);
  }, 120_000);
});
