import { describe, expect, it } from 'vitest';
import { readFileSync, writeFileSync } from 'node:fs';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { dropControl } from '../../agent/system/status-file.ts';
import { linesOnDisk } from '../support/crash-runs.ts';
import { demoSite } from '../support/demo-site.ts';

describe('the daemon caring for itself, as a real process', () => {
  // The cadence of an hour: what runs sooner was asked for.
  const site = demoSite(['checks_interval_s: 3600']);

  it('enrols, and the log begins with a finding of every check although none was due again', async () => {
    await site.provision();
    // The demo's own cadence would hide what this file is about.
    const config = readFileSync(site.paths.config, 'utf8').replace('checks_interval_s: 2\n', '');
    writeFileSync(site.paths.config, config);
    site.startAgent();
    await site.confirm();
    const { findings } = await site.untilStatus('all checks are shown', (s) => s.findings.length > 3);
    await site.untilStatus('all are in the log', () => {
      const recorded = linesOnDisk(site).flatMap((line) => {
        const { predicate } = statementOf(line);
        return predicate.kind === 'finding' ? [predicate.check.id] : [];
      });
      return new Set(recorded).size === findings.length;
    });
  });

  it('runs every check at once when check_now is dropped, due or not, and removes the file', async () => {
    const before = site.status()!.findings;
    const now = Math.floor(Date.now() / 1_000) + 1;
    await site.untilStatus('a second has gone by', (s) => s.written_at > now);
    dropControl(site.paths.state, 'check_now', 'test-request');
    const { findings } = await site.untilStatus('every check was run again', (s) =>
      s.findings.every((one) => one.read_at >= now),
    );
    expect(findings.map((one) => one.check)).toEqual(before.map((one) => one.check));
  });

  it('remembers the last blocking reason over its end and over a restart, and status shows it first', async () => {
    await site.endCentral('SIGTERM');
    await site.untilStatus('it is blocked', (s) => s.blocking_reason?.code === 'connect_refused');
    await site.startCentral();
    const { last_blocking_reason: last } = await site.untilStatus(
      'it is over',
      (s) => s.blocking_reason === null && s.last_blocking_reason !== null && s.last_blocking_reason.until !== null,
    );
    expect(last).toMatchObject({ code: 'connect_refused' });
    await site.endAgent('SIGTERM');
    site.startAgent();
    await site.untilStatus('it works again', (s) => s.last_answer_at !== null);
    const { output } = await site.cli('status');
    expect(output.split('\n')[2]).toMatch(/^Last blocked .* ago.*\(connect_refused\)$/);
  });

  it('over its memory limit says which stage ran, records an alert, ends with 0, and does so once an hour only', async () => {
    await site.endAgent('SIGTERM');
    const config = readFileSync(site.paths.config, 'utf8');
    writeFileSync(site.paths.config, `${config}memory_limit_mib: 64\n`);
    const agent = site.startAgent();
    expect(await agent.ended).toBe(0);
    expect(agent.output()).toMatch(/own limit exceeded.*self_memory_limit/);
    expect(agent.output()).toMatch(/"reason":"self_memory_limit"|reason=self_memory_limit/);
    site.startAgent();
    const { last_blocking_reason: last } = await site.untilStatus('it runs again', (s) => s.last_answer_at !== null);
    expect(last).toMatchObject({ code: 'self_memory_limit' });
    const alerts = linesOnDisk(site).flatMap((line) => {
      const { predicate } = statementOf(line);
      return predicate.kind === 'alert' ? [`${predicate.code} ${predicate.state}`] : [];
    });
    expect(alerts).toContain('self_memory_limit raised');
    const second = site.agentProcess()!;
    await site.untilStatus('it said so again', () => second.output().includes('own limit exceeded'), 60_000);
    const said = Math.floor(Date.now() / 1_000);
    await site.untilStatus('and it goes on', (s) => s.pid === second.pid && s.written_at > said + 2);
    writeFileSync(site.paths.config, config);
  });
});
