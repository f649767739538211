import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { WINDOWS_CHECKS } from '../../../agent/checks/windows/registry.ts';
import { loadRunbook, runbookFolders } from '../../../agent/execution/load-runbook.ts';

const WINDOWS = join(import.meta.dirname, '../../../runbooks/windows');

it('every Windows runbook loads, and its verify looks at all that its detect looks at', () => {
  const loaded = runbookFolders(WINDOWS).map((folder) => loadRunbook(folder, WINDOWS_CHECKS));
  expect(loaded.map(({ runbook }) => runbook.id)).toEqual(
    ['AD', 'AV', 'BACKUP', 'ENCRYPTION', 'FIREWALL', 'LOGGING', 'PATCH'].map((area) => `RB-WIN-${area}-001`),
  );
  for (const { runbook, scripts } of loaded) {
    expect(scripts.get('verify.ps1'), basename(runbook.id)).toBe(scripts.get('detect.ps1'));
  }
});

it('the runbooks of encryption and directory have no script that could change anything', () => {
  for (const id of ['RB-WIN-ENCRYPTION-001', 'RB-WIN-AD-001']) {
    const { runbook, scripts } = loadRunbook(join(WINDOWS, id), WINDOWS_CHECKS);
    expect([runbook.remediate.by, runbook.changes, [...scripts.keys()]]).toEqual([
      'none',
      [],
      ['detect.ps1', 'verify.ps1'],
    ]);
  }
});
