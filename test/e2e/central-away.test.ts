import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { until } from '../../tools/demo/process.ts';
import { linesOnDisk } from '../support/crash-runs.ts';
import { demoSite } from '../support/demo-site.ts';

describe('Central Command that goes away', () => {
  const site = demoSite();
  const alerts = (): string[] =>
    linesOnDisk(site).flatMap((line) => {
      const { predicate } = statementOf(line);
      return predicate.kind === 'alert' && predicate.code === 'central_unreachable' ? [predicate.state] : [];
    });
  const misses = (): number =>
    readFileSync(site.paths.agentLog, 'utf8')
      .split('\n')
      .filter((line) => line.includes('stage failed') && line.includes('stage=checkin')).length;

  it('is an alert after three misses and not before, and no more than one however long it is away', async () => {
    await site.provision();
    site.startAgent();
    await site.confirm();
    await site.untilStatus('all is well', (s) => s.blocking_reason === null);
    const before = misses();
    await site.endCentral('SIGKILL');
    // Looked at ten times a second while one check-in a second fails: two lines of misses come before the third.
    const atAlert = await until('the alert is raised', () => (alerts().length > 0 ? misses() - before : null), 30_000);
    expect(atAlert).toBeGreaterThanOrEqual(2);
    await until('more misses', () => (misses() - before > 5 ? true : null), 30_000);
    expect(alerts()).toEqual(['raised']);
    await site.startCentral();
    await until('the alert is cleared', () => (alerts().at(-1) === 'cleared' ? true : null), 30_000);
    expect(alerts()).toEqual(['raised', 'cleared']);
  });
});
