import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createExec } from '../../../agent/system/exec.ts';
import { openContentList } from '../../../agent/trust/content-list.ts';
import { systemClock } from '../../../agent/system/clock.ts';
import { createIds } from '../../../agent/system/ids.ts';
import { sha256Hex } from '../../../agent/wire/digest.ts';
import { stripTree } from '../../../tools/strip-types.ts';
import { withDir } from '../../support/evidence-fixtures.ts';
import { runbookText } from '../../support/runbook-fixtures.ts';
import { cli } from '../../support/run-cli.ts';
import { makeTrust, NOW } from '../../support/trust-fixtures.ts';

const RUNBOOKS = join(import.meta.dirname, '../../../runbooks');
const FIREWALL = join(RUNBOOKS, 'windows/RB-WIN-FIREWALL-001');

/** What makes the runbook of the fixtures one of the appliance. */
const APPLIANCE_CHANGES = {
  id: 'RB-APP-BACKUP-001',
  platform: 'appliance',
  check: 'backup',
  applies_if: { role: ['appliance'] },
  dry_run: 'partial',
  preconditions: [],
  params: {},
  budget: undefined,
  detect: { by: 'check' },
  remediate: { by: 'verb', verb: 'run-backup', arguments: [] },
  verify: { by: 'check', within_s: 600, stable_for_s: 0 },
  rollback: { how: 'none', reason: 'a backup more harms nothing' },
};

describe('runbook', () => {
  it('list names every runbook with its class and the digest of its one blob', async () => {
    const run = await cli(['runbook', 'list', '--json']);
    const { runbooks } = run.json<{ runbooks: { id: string; class: string; sha256: string }[] }>();
    expect(runbooks.find(({ id }) => id === 'RB-WIN-FIREWALL-001')?.class).toBe('disruptive');
    expect(runbooks.find(({ id }) => id === 'RB-WIN-AD-001')?.class).toBe('read');
  });

  it('show writes the blob whose digest it names, and refuses to write over a file', () =>
    withDir(async (dir) => {
      const out = join(dir, 'firewall.json');
      const run = await cli(['runbook', 'show', 'RB-WIN-FIREWALL-001', '--package', out, '--json']);
      const { runbook } = run.json<{ runbook: { sha256: string; size: number } }>();
      expect(sha256Hex(readFileSync(out))).toBe(runbook.sha256);
      expect((await cli(['runbook', 'show', 'RB-WIN-FIREWALL-001', '--package', out])).code).toBe(2);
      expect((await cli(['runbook', 'show', FIREWALL])).out).toContain(runbook.sha256);
    }));

  it('show of a name that is not known says which was meant', async () => {
    const run = await cli(['runbook', 'show', 'RB-WIN-FIREWAL-001']);
    expect(run.code).toBe(2);
    expect(run.err).toContain('did you mean RB-WIN-FIREWALL-001?');
  });

  it('lint says every mistake with file and line, and exits 2', () =>
    withDir(async (dir) => {
      const folder = join(dir, 'RB-WIN-FIREWALL-001');
      cpSync(FIREWALL, folder, { recursive: true });
      expect(await cli(['runbook', 'lint', folder])).toMatchObject({ code: 0 });
      const path = join(folder, 'runbook.yaml');
      writeFileSync(path, readFileSync(path, 'utf8').replace('timeout_s:', 'timeout:'));
      const run = await cli(['runbook', 'lint', folder, FIREWALL]);
      expect(run.code).toBe(2);
      expect(run.out).toMatch(
        /runbook\.yaml:\d+: runbook_invalid: .*timeout is not a known key; did you mean timeout_s\?/,
      );
      expect(run.out).toContain('RB-WIN-FIREWALL-001 is good');
    }));
});

describe('runbook run', () => {
  it('is not in the package, and nothing switches it on there', () =>
    withDir(async (dir) => {
      stripTree(dir);
      symlinkSync(join(RUNBOOKS, '../node_modules'), join(dir, 'node_modules'));
      const main = join(dir, 'agent/main.js');
      const target = join(dir, 'target.json');
      writeFileSync(target, '{}');
      const env = { COMPLIANCE_AGENT_DEVELOPER: '1', NODE_ENV: 'development', COMPLIANCE_AGENT_LAB_SECRET: 'x' };
      const argv = [process.execPath, main, 'runbook', 'run', FIREWALL, '--target', target, '--root', target] as const;
      const run = await createExec().run([...argv, '--content', target], { deadlineMs: 60_000, env });
      expect(run.stderr.toString()).toContain('developer_mode_absent');
      expect(run.code).toBe(2);
    }));

  it('runs no runbook of the appliance, which has no scripts for a target', () =>
    withDir(async (dir) => {
      const folder = join(dir, 'RB-APP-BACKUP-001');
      mkdirSync(folder);
      writeFileSync(join(folder, 'runbook.yaml'), runbookText(APPLIANCE_CHANGES));
      expect(await cli(['runbook', 'lint', folder])).toMatchObject({ code: 0 });
      const run = await cli(['runbook', 'run', folder]);
      expect(run.code).toBe(4);
      expect(run.err).toContain('runbook_not_for_platform');
    }));

  it('takes the trust root of a lab only, and a content list that it signed', () =>
    withDir(async (dir) => {
      const clinic = makeTrust();
      const lab = makeTrust({ seed: 'lab', change: (root) => (root.partner_id = 'lab') });
      const write = (name: string, text: string): string => {
        writeFileSync(join(dir, name), text);
        return join(dir, name);
      };
      const target = {
        id: 'lab-1',
        hostname: 'lab-1.example',
        address: '127.0.0.1',
        port: 1,
        scheme: 'http',
        auth: 'ntlm',
        principal: 'agent',
        domain: null,
        credential_id: 'c',
        credential_version: 1,
        tls: { trust: 'system' },
        role: 'member-server',
      };
      const deps = { clock: { ...systemClock, wallMs: () => NOW * 1_000 }, ids: createIds(systemClock) };
      const run = (root: string, content: string, folder = FIREWALL) =>
        cli(
          [
            'runbook',
            'run',
            folder,
            '--root',
            root,
            '--content',
            content,
            '--target',
            write('t.json', JSON.stringify(target)),
            '--json',
          ],
          { env: { COMPLIANCE_AGENT_LAB_SECRET: 'x' }, deps },
        );
      const clinicRoot = write('clinic.json', clinic.root.line);
      const clinicContent = write('clinic-content.json', clinic.sign('contentList', clinic.contentList()));
      expect((await run(clinicRoot, clinicContent)).out).toContain('runbook_not_lab');
      const labRoot = write('lab.json', lab.root.line);
      expect((await run(labRoot, clinicContent)).out).toContain('signature_invalid');
      const list = lab.contentList({ partner_id: 'lab' });
      expect(() =>
        openContentList(lab.root.root, lab.sign('contentList', list), { currentVersion: null }),
      ).not.toThrow();
      const labContent = write('lab-content.json', lab.sign('contentList', list));
      // Signed, but this runbook is not in it.
      expect((await run(labRoot, labContent)).json()).toMatchObject({
        result: { outcome: 'rejected', code: 'runbook_unknown' },
      });
    }));
});
