import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { WINDOWS_CHECKS } from '../../../agent/checks/windows/registry.ts';
import { judgeRunbookParams } from '../../../agent/execution/order-params.ts';
import { loadRunbook, runbookFolders } from '../../../agent/execution/load-runbook.ts';
import { classOfRunbook, parseRunbook } from '../../../agent/execution/runbook.ts';
import { withDir } from '../../support/evidence-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';
import { loadedRunbook, RUNBOOK_FILE, runbookText, TEST_CHECK } from '../../support/runbook-fixtures.ts';

const SCRIPT = 'param([string]$InputJson)\n"x"\n';
const APPLIANCE = {
  ...RUNBOOK_FILE,
  id: 'RB-APP-BACKUP-001',
  platform: 'appliance',
  check: 'backup',
  applies_if: { role: ['appliance'] },
  dry_run: 'partial',
  preconditions: [],
  budget: undefined,
  detect: { by: 'check' },
  remediate: { by: 'verb', verb: 'run-backup', arguments: [] },
  verify: { by: 'check', within_s: 600, stable_for_s: 0 },
  rollback: { how: 'none', reason: 'a backup more harms nothing' },
};

/** Writes a runbook's folder; null leaves a file out. */
function folder(
  dir: string,
  o: { yaml?: string; files?: Record<string, string | Buffer | null>; name?: string } = {},
): string {
  const path = join(dir, o.name ?? 'RB-WIN-TEST-001');
  mkdirSync(path);
  const scripts = { 'detect.ps1': SCRIPT, 'remediate.ps1': SCRIPT, 'verify.ps1': SCRIPT, 'rollback.ps1': SCRIPT };
  const files: Record<string, string | Buffer | null> = {
    'runbook.yaml': o.yaml ?? runbookText(),
    ...scripts,
    ...o.files,
  };
  for (const [name, text] of Object.entries(files)) if (text !== null) writeFileSync(join(path, name), text);
  return path;
}
const load = (dir: string) => loadRunbook(dir, [TEST_CHECK]);

describe('runbook.yaml', () => {
  it.each(['verify', 'rollback', 'detect', 'remediate', 'controls', 'disruptive', 'timeout_s'])(
    'is refused without %s, at its place',
    (key) => {
      const error = expectCode(
        () => parseRunbook(Buffer.from(runbookText({ [key]: undefined })), 'x/runbook.yaml'),
        'runbook_invalid',
      );
      expect(error.message).toContain(`${key} is missing`);
      expect(error.place).toMatch(/^x\/runbook\.yaml:\d+$/);
    },
  );

  it('names the line of a key that is not known, and the one that was probably meant', () => {
    const text = runbookText().replace('timeout_s:', 'time_out_s:');
    const error = expectCode(() => parseRunbook(Buffer.from(text), 'r.yaml'), 'runbook_invalid');
    const line = text.slice(0, text.indexOf('time_out_s')).split('\n').length;
    expect(error.message).toContain(`line ${line}: time_out_s is not a known key; did you mean timeout_s?`);
  });

  it.each<[string, Record<string, unknown>]>([
    ['a rollback of `none` without its reason', { rollback: { how: 'none' } }],
    ['an id of another form', { id: 'fix-it' }],
    [
      'a param whose default is out of its range',
      { params: { x: { type: 'integer', min: 1, max: 3, default: 4, why: 'w' } } },
    ],
    ['a param without why', { params: { x: { type: 'boolean', default: true } } }],
    ['a control that is no citation’s object', { controls: ['164.312(b)'] }],
    ['no control', { controls: [] }],
    ['params that are a list', { params: [] }],
    ['a timeout of an hour', { timeout_s: 3_600 }],
    ['a script where the appliance has checks', { platform: 'appliance' }],
    ['a role that there is not', { applies_if: { role: ['server'], os_build: { min: 14_393 } } }],
  ])('is refused with %s', (_name, change) => {
    expectCode(() => parseRunbook(Buffer.from(runbookText(change)), 'r.yaml'), 'runbook_invalid');
  });

  it('of the appliance has no scripts: checks look, a helper verb changes', () => {
    const runbook = parseRunbook(Buffer.from(runbookText(APPLIANCE)), 'r.yaml');
    expect(runbook).toMatchObject({ platform: 'appliance', remediate: { verb: 'run-backup' } });
    const change = { ...APPLIANCE, remediate: { by: 'verb', verb: 'restart-journald', arguments: [] } };
    expectCode(() => parseRunbook(Buffer.from(runbookText(change)), 'r.yaml'), 'runbook_invalid');
  });
});

describe('the folder of a runbook', () => {
  it('is read, and its digest depends on every file of it and on nothing beside', () =>
    withDir((dir) => {
      const first = load(folder(dir));
      expect(first.runbook.id).toBe('RB-WIN-TEST-001');
      const digests = new Set([first.sha256]);
      for (const [n, name] of ['detect.ps1', 'verify.ps1', 'remediate.ps1', 'rollback.ps1'].entries()) {
        const parent = join(dir, String(n));
        mkdirSync(parent);
        digests.add(load(folder(parent, { files: { [name]: `${SCRIPT}#\n` } })).sha256);
      }
      expect(digests.size).toBe(5);
      const parent = join(dir, 'again');
      mkdirSync(parent);
      const again = folder(parent, { files: { 'README.md': 'words' } });
      mkdirSync(join(again, 'fixtures'));
      expect(load(again).sha256).toBe(first.sha256);
    }));

  it.each<[string, Parameters<typeof folder>[1], string]>([
    ['a missing verify script', { files: { 'verify.ps1': null } }, 'runbook_invalid'],
    ['a missing rollback script', { files: { 'rollback.ps1': null } }, 'runbook_invalid'],
    [
      'a script that runbook.yaml does not know',
      { yaml: runbookText({ rollback: { how: 'none', reason: 'r' } }) },
      'runbook_invalid',
    ],
    ['a file that belongs to no runbook', { files: { 'helper.exe': 'MZ' } }, 'runbook_invalid'],
    ['another name than the id', { name: 'RB-WIN-OTHER-001' }, 'runbook_invalid'],
    ['a script that takes no input', { files: { 'detect.ps1': 'Get-Service\n' } }, 'runbook_invalid'],
    ['a script that makes code of text', { files: { 'detect.ps1': `${SCRIPT}iex $x\n` } }, 'runbook_invalid'],
    ['a byte order mark', { files: { 'detect.ps1': `\ufeff${SCRIPT}` } }, 'runbook_package_invalid'],
    ['Windows line ends', { files: { 'detect.ps1': SCRIPT.replaceAll('\n', '\r\n') } }, 'runbook_package_invalid'],
    [
      'a script that is not UTF-8',
      { files: { 'detect.ps1': Buffer.from([0x70, 0xff, 0x0a]) } },
      'runbook_package_invalid',
    ],
    [
      'a script over 400 kB',
      { files: { 'detect.ps1': SCRIPT + '#'.repeat(400_000) + '\n' } },
      'runbook_script_too_large',
    ],
    ['disruptive work at any time', { yaml: runbookText({ disruptive: true }) }, 'runbook_invalid'],
    ['a reboot that is not disruptive', { yaml: runbookText({ reboot: 'maybe' }) }, 'runbook_invalid'],
    ['a check that there is not', { yaml: runbookText({ check: 'windows_other' }) }, 'runbook_invalid'],
    [
      'a precondition on a fact that the check does not read',
      { yaml: runbookText({ preconditions: [{ fact: 'nothing', is: true, why: 'w' }] }) },
      'runbook_invalid',
    ],
    [
      'a param with the word of orders',
      { yaml: runbookText({ params: { action: { type: 'boolean', default: true, why: 'w' } } }) },
      'runbook_invalid',
    ],
  ])('is refused with %s', (_name, o, code) =>
    withDir((dir) => {
      const error = expectCode(() => load(folder(dir, o)), code as 'runbook_invalid');
      expect(error.place).toContain(dir);
    }),
  );
});

describe('the runbooks that are shipped', () => {
  const shipped = runbookFolders(join(import.meta.dirname, '../../../runbooks/windows'));

  it('load without a mistake, each with a check of its own', () => {
    const loaded = shipped.map((dir) => loadRunbook(dir, WINDOWS_CHECKS));
    expect(new Set(loaded.map(({ runbook }) => runbook.check)).size).toBe(shipped.length);
    expect(shipped.length).toBeGreaterThan(0);
  });
});

it('a class follows from what a runbook does', () => {
  expect(classOfRunbook(loadedRunbook().runbook)).toBe('routine');
  expect(classOfRunbook(loadedRunbook({ disruptive: true }).runbook)).toBe('disruptive');
  expect(classOfRunbook(loadedRunbook({ remediate: { by: 'none', reason: 'r' } }).runbook)).toBe('read');
});

describe('the params of an order', () => {
  const { runbook } = loadedRunbook();

  it('are an action and typed values; the rest are defaults', () => {
    expect(judgeRunbookParams(runbook, {})).toMatchObject({ action: 'remediate', params: { least_level: 3 } });
    expect(judgeRunbookParams(runbook, { action: 'rollback', least_level: 9, ignored: ['a-1'] })).toEqual({
      fits: true,
      action: 'rollback',
      params: { least_level: 9, strict: false, mode: 'quick', ignored: ['a-1'] },
    });
  });

  it.each([
    [{ action: 'format' }, 'action'],
    [{ least_level: 11 }, 'least_level'],
    [{ least_level: '3' }, 'least_level'],
    [{ strict: 1 }, 'strict'],
    [{ mode: 'fast' }, 'mode'],
    [{ ignored: ['a', 'b', 'c', 'd', 'e'] }, 'ignored'],
    [{ ignored: ['$(calc)'] }, 'ignored'],
    [{ shell: 'x' }, null],
    [{ constructor: 1 } as never, null],
  ])('%j do not fit', (given, key) => {
    expect(judgeRunbookParams(runbook, given)).toEqual({ fits: false, key });
  });
});
