import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { applianceInForce, booksInForce } from '../../../agent/daemon/content-in-force.ts';
import { loadAppliance } from '../../../agent/daemon/appliance-work.ts';
import { lintRunbook } from '../../../agent/execution/lint-runbook.ts';
import { classOfRunbook, type ApplianceRunbook } from '../../../agent/execution/runbook.ts';
import { readRules } from '../../../agent/healing/read-rules.ts';
import { whyNotUsable } from '../../../agent/healing/rule-standing.ts';
import { contentFiles } from '../../../agent/store/content-files.ts';
import { packRunbook, unpackRunbook } from '../../../agent/wire/runbook-package.ts';
import type { ContentList } from '../../../agent/wire/schemas/content.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';

const REPOSITORY = join(import.meta.dirname, '../../..');
const RUNBOOKS = join(REPOSITORY, 'runbooks');
const log = memoryLog();
const { books } = loadAppliance(RUNBOOKS, log);
const held = books.map(({ loaded }) => loaded.runbook);
const runbook = (id: string): ApplianceRunbook => {
  const found = held.find((one) => one.id === id);
  if (found === undefined) throw new Error(`no ${id}`);
  return found;
};

describe('the runbooks of the appliance that are shipped', () => {
  it('are one for each of its six checks, without a mistake, each with a page', () => {
    expect(log.records).toEqual([]);
    expect(held.map(({ check }) => check).toSorted()).toEqual(
      ['av_edr', 'backup', 'encryption', 'firewall', 'logging', 'patching'].toSorted(),
    );
    expect(held.filter(({ id }) => !existsSync(join(REPOSITORY, `docs/runbooks/${id}.md`)))).toEqual([]);
  });

  it('leave encryption to people, and restart nothing but the scanner and the forwarder of the log', () => {
    const nobody = held.filter(({ remediate }) => remediate.by === 'none').map(({ id }) => id);
    expect(nobody).toEqual(['RB-APP-ENCRYPTION-001']);
    expect(nobody.map((id) => classOfRunbook(runbook(id)))).toEqual(['read']);
    const restarted = held.flatMap(({ remediate }) =>
      remediate.by === 'verb' && remediate.verb === 'restart-unit' ? remediate.arguments : [],
    );
    expect(restarted.toSorted()).toEqual(['av_edr', 'log_forwarder']);
  });

  it('are what the shipped rules of the appliance need', () => {
    const byId = new Map(held.map((one) => [one.id, one]));
    const { rules } = readRules(join(RUNBOOKS, 'rules'));
    const own = rules.filter(({ file }) => file.platform === 'appliance');
    expect(own.filter(({ file }) => file.runbook !== undefined).length).toBeGreaterThan(3);
    expect(own.map((rule) => whyNotUsable(rule, byId)).filter((why) => why !== null)).toEqual([]);
  });
});

describe('the lint of a runbook of the appliance', () => {
  const av = runbook('RB-APP-AV-001');
  const firewall = runbook('RB-APP-FIREWALL-001');
  const lint = (changed: ApplianceRunbook): readonly string[] => lintRunbook(changed, new Map(), []);

  it.each<[string, ApplianceRunbook, RegExp]>([
    ['a check that there is not', { ...av, check: 'windows_av' }, /no check windows_av/],
    [
      'a precondition on a fact of another check',
      { ...av, preconditions: [{ fact: 'journald', is: 'active', why: 'w' }] },
      /journald/,
    ],
    [
      'a verify that looks at a fact of another check',
      { ...av, verify: { ...av.verify, holds: [{ fact: 'tables_changed', is: 0 }] } },
      /tables_changed/,
    ],
    [
      'journald as what is restarted',
      { ...av, remediate: { by: 'verb', verb: 'restart-unit', arguments: ['journald'] } },
      /av_edr or log_forwarder/,
    ],
    [
      'two services at once',
      { ...av, remediate: { by: 'verb', verb: 'restart-unit', arguments: ['av_edr', 'log_forwarder'] } },
      /av_edr or log_forwarder/,
    ],
    [
      'a word for a verb that takes none',
      { ...firewall, remediate: { by: 'verb', verb: 'restore-firewall', arguments: ['lab'] } },
      /no argument/,
    ],
    ['a way back by another verb', { ...firewall, rollback: { how: 'verb', verb: 'run-backup' } }, /way back/],
  ])('refuses %s', (_name, changed, said) => {
    expect(lint(av)).toEqual([]);
    expect(lint(changed).join('; ')).toMatch(said);
  });
});

describe('a content list with a runbook of the appliance', () => {
  it('puts it in the place of the shipped one of its id, and touches no Windows runbook', () => {
    const dir = mkdtempSync(join(tmpdir(), 'in-force-'));
    try {
      const content = contentFiles(dir);
      const shipped = books.find(({ loaded }) => loaded.runbook.id === 'RB-APP-AV-001')!.loaded;
      const files = unpackRunbook(shipped.bytes).map((file) => ({
        ...file,
        text: file.text.replace(/^version: 1$/m, 'version: 2'),
      }));
      const { bytes, sha256 } = packRunbook(files);
      content.write(bytes);
      const described = { path: 'appliance/RB-APP-AV-001', kind: 'runbook', id: 'RB-APP-AV-001' } as const;
      const list: ContentList = {
        schema: 'compliance-agent/content-list/v1',
        ...{ partner_id: 'acme', version: 2, issued_at: 1_800_000_000, expires_at: 1_801_000_000, grants: [] },
        files: [{ ...described, version: 2, size: bytes.length, sha256, class: 'routine' }],
      };
      const now = applianceInForce(books, list, content, log);
      expect(now.map(({ loaded }) => loaded.runbook.id).toSorted()).toEqual(held.map(({ id }) => id).toSorted());
      expect(now.find(({ loaded }) => loaded.sha256 === sha256)?.loaded.runbook.version).toBe(2);
      expect(booksInForce([], list, content, log)).toEqual([]);
      const gone = { ...list, files: [{ ...list.files[0]!, sha256: 'ab'.repeat(32) }] };
      expect(applianceInForce(books, gone, content, log)).toHaveLength(books.length - 1);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
