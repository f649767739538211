// A secret that is typed at a terminal: `script` gives the command one.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../tools/demo/process.ts';
import { makeInProcessCentral, type InProcessCentral } from '../support/central-in-process.ts';
import { REPO } from '../support/demo-site.ts';

const problem = spawnSync('script', ['--version']).status === 0 ? null : 'needs script (util-linux)';
const PATIENCE_MS = 60_000;

describe('a secret that is typed', () => {
  let central: InProcessCentral;
  beforeAll(async () => {
    central = await makeInProcessCentral();
  });
  beforeEach((context) => context.skip(problem !== null, problem ?? ''));
  afterAll(() => central.remove());

  /** Types `keys` once the prompt is there. All that the terminal showed, and the exit code. */
  async function typed(keys: string): Promise<{ shown: string; code: number }> {
    const command = `${process.execPath} ${join(REPO, 'central/main.ts')} target set-secret clinic-svc --site north --principal svc --data ${central.dataDir}`;
    const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], { cwd: REPO });
    let shown = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
    await until(
      'the prompt',
      () => (shown.includes('Secret of svc:') ? true : null),
      PATIENCE_MS,
      () => shown,
    );
    child.stdin.write(keys);
    const [code] = (await once(child, 'close')) as [number];
    return { shown, code };
  }
  const stored = (): string | null => {
    const row = central.store.targets.credential('north', 'clinic-svc');
    if (row === null) return null;
    const { sealed, site_id, credential_id, version, principal, domain } = row;
    return central.targetVault.open(sealed, [site_id, credential_id, version, principal, domain]).toString();
  };

  it('is not shown, and what was rubbed out is not part of it', async () => {
    const { shown, code } = await typed('Geheimniß-4711ü\u007fx\r');
    expect([code, stored()]).toEqual([0, 'Geheimniß-4711x']);
    expect(shown).not.toContain('Geheim');
    expect(shown).not.toContain('4711');
  });

  it('is given up with Ctrl-C, and nothing changes', async () => {
    const before = stored();
    const { shown, code } = await typed('half\u0003');
    expect(code).not.toBe(0);
    expect(shown).not.toContain('half');
    expect(stored()).toBe(before);
  });
});
