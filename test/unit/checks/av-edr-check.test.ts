import { describe, expect, it } from 'vitest';
import type { AvEdrFacts } from '../../../agent/facts/av-edr.ts';
import { READ_AT } from '../../support/fixture-facts.ts';
import { baseline, BINARY_SHA256, factSet, findingOf, HEALTHY, unreadable } from './sample-facts.ts';

const HOUR_S = 3_600;
const judge = (change: Partial<AvEdrFacts>, edit?: (text: string) => string) =>
  findingOf('av_edr', {
    facts: factSet({ av_edr: { ...HEALTHY.av_edr, ...change } }),
    now: READ_AT,
    ...(edit === undefined ? {} : { baseline: baseline(edit) }),
  });
const daily = (builtAt: number) => ({ builtAt, version: 1, signatures: 2 });

describe('the check of protection against malware', () => {
  it('passes the declared program that runs with fresh signatures, and names what that rests on', () => {
    const finding = judge({});
    expect(finding.result).toBe('pass');
    expect(finding.sentence).toMatch(/active.*declared program.*6 hours.*30 hours/);
  });

  it.each<[string, Partial<AvEdrFacts>, string, string]>([
    ['the service is stopped', { activeState: 'inactive', running: 'nothing' }, 'service', 'critical'],
    ['the service has failed', { activeState: 'failed', running: 'nothing' }, 'service', 'critical'],
    ['the service is not installed', { loadState: 'not-found', activeState: 'inactive' }, 'service_load', 'critical'],
    ['the service is masked', { loadState: 'masked', activeState: 'inactive' }, 'service_load', 'critical'],
    ['its program was changed', { binarySha256: 'cd'.repeat(32) }, 'binary', 'critical'],
    ['its program is gone', { binarySha256: null, running: 'other' }, 'binary', 'critical'],
    ['another file runs', { running: 'other' }, 'running', 'high'],
    ['its signatures are old', { signatures: daily(READ_AT - 72 * HOUR_S - 1) }, 'signatures', 'high'],
    ['it has no signatures', { signatures: null }, 'signatures', 'critical'],
    ['the last scan failed', { scan: { endedAt: READ_AT - 60, succeeded: false } }, 'scan', 'medium'],
    ['the last scan is long ago', { scan: { endedAt: READ_AT - 193 * HOUR_S, succeeded: true } }, 'scan', 'medium'],
    [
      'something more is kept from being scanned',
      { exclusions: [...HEALTHY.av_edr.exclusions, 'ExcludePath ^/home/'] },
      'exclusions_undeclared',
      'high',
    ],
  ])('fails where %s', (_what, change, key, severity) => {
    const finding = judge(change);
    expect([finding.result, finding.severity]).toEqual(['fail', severity]);
    expect(finding.facts[key]).not.toEqual(judge({}).facts[key]);
  });

  it.each<[string, Partial<AvEdrFacts>, ((text: string) => string)?]>([
    ['signatures come from the future', { signatures: daily(READ_AT + 7_200) }],
    ['the last scan comes from the future', { scan: { endedAt: READ_AT + 10 * 365 * 24 * HOUR_S, succeeded: true } }],
    ['systemd remembers no scan', { scan: null }],
    ['there is no process to look at', { running: 'nothing' }],
    [
      'nobody declared which program is the right one',
      {},
      (text) => text.replace(`binary_sha256: ${BINARY_SHA256}`, 'binary_sha256: none'),
    ],
  ])('is unknown and never a pass where %s', (_what, change, edit) => {
    expect(judge(change, edit).result).toBe('unknown');
  });

  it('judges a product without local signatures, scans and exclusions by its service and its program', () => {
    const cloud = (text: string): string =>
      text
        .replace(/^ {4}signatures: .*$/m, '    signatures: { expected: none, reason: it asks its cloud }')
        .replace(/^ {4}scan: .*$/m, '    scan: { expected: none, reason: it watches all the time }')
        .replace(/^ {4}exclusions:\n(?: {6}.*\n)+/m, '    exclusions: { expected: none, reason: kept in its cloud }\n');
    const facts = { signatures: null, scan: null, exclusions: [] };
    expect(judge(facts, cloud).result).toBe('pass');
    expect(judge({ ...facts, activeState: 'failed' }, cloud).result).toBe('fail');
  });

  it('keeps words of systemd that it does not know out of evidence', () => {
    const finding = judge({ loadState: 'Dr. Who', activeState: 'maintenance' });
    expect([finding.facts.service_load, finding.facts.service]).toEqual(['other', 'other']);
  });

  it('is unknown where systemd cannot be asked', () => {
    const facts = { ...factSet(), av_edr: unreadable('av_edr', 'failed') };
    expect(findingOf('av_edr', { facts }).result).toBe('unknown');
  });
});
