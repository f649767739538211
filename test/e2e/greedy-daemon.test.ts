import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../agent/store/open-store.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { start } from '../../tools/demo/process.ts';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { linesOnDisk } from '../support/crash-runs.ts';
import { demoSite, REPO } from '../support/demo-site.ts';

const PROGRAM = join(REPO, 'test/fixtures/programs/daemon-with-a-greedy-tool.ts');
/** Above what the daemon needs, below what soon leaked. */
const MEMORY_LIMIT_MIB = 320;

describe('a daemon that uses more than it should, as a real process', () => {
  const site = demoSite();

  it('enrols', async () => {
    await site.provision();
    const config = readFileSync(site.paths.config, 'utf8');
    // Nothing else at the same time: memory that grows is put down to what runs meanwhile.
    const quiet = config
      .replace('poll_interval_s: 1', 'poll_interval_s: 30')
      .replace('upload_interval_s: 1', 'upload_interval_s: 30');
    writeFileSync(site.paths.config, `${quiet}memory_limit_mib: ${MEMORY_LIMIT_MIB}\n`);
    site.startAgent();
    await site.confirm();
    await site.untilStatus('its first answer is there', (s) => s.last_answer_at !== null);
    await site.endAgent('SIGTERM');
  });

  it.each([
    ['burns a core of CPU', 'burns', 'self_cpu_limit'],
    ['leaks memory', 'leaks', 'self_memory_limit'],
  ])(
    '%s: names the stage in which it happens, records the alert, and ends with 0 to be started anew',
    async (_name, how, code) => {
      const greedy = start([process.execPath, '--disable-sigusr1', PROGRAM, site.paths.config, how], { cwd: REPO });
      expect(await greedy.ended).toBe(0);
      const said = greedy
        .output()
        .split('\n')
        .find((line) => line.includes('own limit exceeded'));
      expect(said).toContain(code);
      expect(said).toContain('stage=checks');
      const alerts = linesOnDisk(site).flatMap((line) => {
        const { predicate } = statementOf(line);
        return predicate.kind === 'alert' ? [`${predicate.code} ${predicate.state}`] : [];
      });
      expect(alerts).toContain(`${code} raised`);
      site.startAgent();
      const { last_blocking_reason: last } = await site.untilStatus('it runs again', (s) => s.last_answer_at !== null);
      expect(last?.code).toBe(code);
      expect(last?.sentence).toContain('while the stage checks ran');
      await site.endAgent('SIGTERM');
      forgetRestart();
    },
  );

  /** A restart by the daemon itself is not repeated within the hour; the next case is another daemon. */
  function forgetRestart(): void {
    const store = openStore({ dir: site.paths.state, clock: systemClock });
    store.settings.delete('self_care.last_restart');
    store.close();
  }
});
