import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { afterAll, describe, expect, it } from 'vitest';
import { contentListSchema, standingGrantSchema, type ContentList } from '../../../agent/wire/schemas/content.ts';
import { readGrants } from '../../../central/cli/read-grants.ts';
import { expectCode } from '../../support/expect-code.ts';

const NOW = 1_800_000_000;
const dir = mkdtempSync(join(tmpdir(), 'grants-'));
afterAll(() => rmSync(dir, { recursive: true }));

const listed = (kind: ContentList['files'][number]['kind'], id: string, digit: string, version = 1) => ({
  ...{ path: `${kind}/${id}-${version}.yaml`, kind, id, version, sha256: digit.repeat(64), size: 10 },
  ...(kind === 'runbook' ? { class: 'routine' as const } : {}),
});
const FILES = [
  listed('rule', 'av-off', 'a'),
  listed('runbook', 'RB-AV', 'b', 3),
  listed('baseline', 'workstation', 'c'),
  listed('rule', 'old', 'd', 1),
  listed('rule', 'old', 'e', 2),
];
const GRANT: Record<string, unknown> = {
  ...{ grant_id: 'av', rule: 'av-off', runbook: 'RB-AV', baseline: 'workstation', class: 'routine', scope: 'targets' },
  ...{ limits: { per_day: 2 }, not_after: '2027-06-01T00:00:00Z' },
};
const read = (value: unknown) => {
  const file = join(dir, 'grants.yaml');
  writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value));
  return readGrants(file, FILES, NOW);
};

describe('a file of standing grants', () => {
  it('binds each grant to the digests of the rule, runbook and baseline that it names', () => {
    const [grant] = read({ grants: [GRANT] });
    expect(v.parse(standingGrantSchema, grant)).toEqual({
      schema: 'compliance-agent/standing-grant/v1',
      grant_id: 'av',
      rule: { id: 'av-off', sha256: 'a'.repeat(64) },
      runbook: { id: 'RB-AV', version: 3, sha256: 'b'.repeat(64) },
      baseline_sha256: 'c'.repeat(64),
      class: 'routine',
      scope: 'targets',
      limits: { per_day: 2 },
      not_after: Date.UTC(2027, 5, 1) / 1_000,
    });
    const { limits: _, ...without } = GRANT;
    expect(read({ grants: [without] })[0]?.limits).toEqual({});
    expect(() => v.parse(contentListSchema.entries.grants, read({ grants: [GRANT] }))).not.toThrow();
  });

  it.each<[string, Record<string, unknown>]>([
    ['a rule that is not in the folder', { rule: 'other' }],
    ['a runbook that is not in the folder', { runbook: 'RB-OTHER' }],
    ['a baseline that is not in the folder', { baseline: 'server' }],
    ['a rule that is there in two versions', { rule: 'old' }],
    ['the id of another kind of file', { rule: 'RB-AV' }],
    ['a time that is over', { not_after: '2026-06-01T00:00:00Z' }],
    ['a day that is none', { not_after: '2027-02-30T00:00:00Z' }],
    ['a time without its zone', { not_after: '2027-06-01T00:00:00' }],
    ['a time as a number', { not_after: NOW + 10 }],
    ['a limit that no appliance knows', { limits: { per_week: 1 } }],
    ['a limit below nothing', { limits: { per_day: -1 } }],
    ['a class that needs no grant', { class: 'read' }],
    ['a digest of its own', { baseline_sha256: 'c'.repeat(64) }],
    ['arguments', { params: { force: true } }],
    ['an id that is none', { grant_id: 'A V' }],
  ])('is refused with %s', (_, change) => {
    expectCode(() => read({ grants: [{ ...GRANT, ...change }] }), 'usage');
  });

  it('is refused where it is no list of grants, is empty, or one stands twice', () => {
    for (const bad of ['grants: [', 'grants: []', '[]', 'x: 1', '']) expectCode(() => read(bad), 'usage');
    expectCode(() => read({ grants: [GRANT, GRANT] }), 'usage');
    expectCode(() => read({ grants: [GRANT], note: 'x' }), 'usage');
    expectCode(() => readGrants(join(dir, 'none.yaml'), FILES, NOW), 'usage');
    expect(read({ grants: [GRANT, { ...GRANT, grant_id: 'other' }] })).toHaveLength(2);
  });
});
