// A service that systemd starts again and again: for people, and not for one more start.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stabilityOf } from '../../../agent/checks/stability.ts';
import { CHECKS } from '../../../agent/checks/registry.ts';
import { indexRules } from '../../../agent/healing/rule-index.ts';
import { parseRule } from '../../../agent/healing/rule.ts';
import { subjectOf } from '../../../agent/healing/incident-book.ts';
import { judgeAll } from '../../../agent/checks/judge-all.ts';
import type { FactValues } from '../../../agent/facts/probes.ts';
import { READ_AT } from '../../support/fixture-facts.ts';
import { baseline, controlMaps, HEALTHY, RUNBOOKS } from './sample-facts.ts';

const LIMIT = { restarts: 3, minutes: 10 };
const at = (minutesAgo: number): number => READ_AT - minutesAgo * 60;

describe('whether a service stays up', () => {
  it.each([
    ['it was never started again', { count: 0, startedAt: at(1) }, true, 'steady'],
    ['it was started again twice', { count: 2, startedAt: at(1) }, true, 'steady'],
    ['it was started again three times, the last time just now', { count: 3, startedAt: at(1) }, true, 'flapping'],
    ['it was, and has been up for the declared time', { count: 3, startedAt: at(10) }, true, 'flapping'],
    ['it was, and has been up for longer', { count: 30, startedAt: at(11) }, true, 'steady'],
    ['systemd gave it up, however long ago', { count: 5, startedAt: at(999) }, false, 'flapping'],
    ['systemd does not say', null, true, 'not_known'],
  ] as const)('is judged where %s', (_what, read, isActive, state) => {
    expect(stabilityOf(read, isActive, LIMIT, READ_AT)).toBe(state);
    expect(stabilityOf(read, isActive, undefined, READ_AT)).toBe('not_expected');
  });

  const declared = baseline((text) => text.replace('forwarder: none', 'forwarder: log-forwarder.service'));
  const rules = indexRules(
    ['av-service-flapping', 'av-service-stopped', 'log-forwarder-flapping', 'log-forwarder-stopped'].map((id) => {
      const path = join(RUNBOOKS, 'rules', `${id}.yaml`);
      return parseRule(readFileSync(path), path);
    }),
  );
  function judge(check: 'av_edr' | 'logging', facts: Partial<FactValues>) {
    const [finding] = judgeAll({
      checks: CHECKS.filter(({ id }) => id === check),
      facts: Object.fromEntries(
        Object.entries(facts).map(([probe, value]) => [probe, { status: 'read', probe, value, readAt: READ_AT }]),
      ),
      ...{ baseline: declared, controls: controlMaps(), waivers: [], now: READ_AT, baselineSigned: true },
      target: { id: 'appliance', role: 'appliance', os_build: null },
    });
    if (finding === undefined) throw new Error('no finding');
    return { finding, rule: rules.match(subjectOf(finding, READ_AT), READ_AT)?.file.id ?? null };
  }
  const again = { count: 4, startedAt: at(2) };

  it('is judged by the shipped baseline of the scanner: it fails, and its rule sends it to people', () => {
    const scanner = (change: Partial<FactValues['av_edr']>) =>
      judge('av_edr', { av_edr: { ...HEALTHY.av_edr, ...change } });
    expect(scanner({ restarts: again })).toMatchObject({
      finding: { result: 'fail', facts: { service_stability: 'flapping', service_restarts: 4 } },
      rule: 'av-service-flapping',
    });
    // Also where it is down at this moment: one more start is not what it lacks.
    expect(scanner({ restarts: again, activeState: 'failed', running: 'nothing' }).rule).toBe('av-service-flapping');
    expect(scanner({ activeState: 'failed', running: 'nothing' }).rule).toBe('av-service-stopped');
    expect(scanner({ restarts: { count: 4, startedAt: at(60) } }).finding.facts).toMatchObject({
      service_stability: 'steady',
    });
  });

  it('is judged of a declared forwarder alike', () => {
    const forwarder = (change: Partial<FactValues['logging']>) =>
      judge('logging', { logging: { ...HEALTHY.logging, forwarder: 'active', ...change } });
    expect(forwarder({ forwarderRestarts: again })).toMatchObject({
      finding: { result: 'fail', facts: { forwarder_stability: 'flapping' } },
      rule: 'log-forwarder-flapping',
    });
    expect(forwarder({ forwarder: 'failed' }).rule).toBe('log-forwarder-stopped');
    expect(forwarder({ forwarderRestarts: { count: 1, startedAt: at(1) } }).finding.result).toBe('pass');
  });
});
