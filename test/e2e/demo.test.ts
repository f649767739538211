import { execFile, execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import type { TestContext } from 'vitest';
import { describe, expect, it } from 'vitest';
import { until } from '../../tools/demo/process.ts';
import { REPO } from '../support/demo-site.ts';
import type { DemoRun } from '../support/demo-run.ts';
import { executableOf, machineEnv, startDemo } from '../support/demo-run.ts';

/** Most of a minute on an idle machine; several on one that does other things. */
const DEMO_MS = 240_000;
const TEST_MS = 300_000;
const STEP_MS = 60_000;
const CENTRAL = /central\/main\.ts serve/;
const AGENT = /agent\/main\.ts run/;

function demoOf({ onTestFinished }: TestContext, ...args: readonly string[]): DemoRun {
  const demo = startDemo(...args);
  onTestFinished(() => demo.remove());
  return demo;
}

/** A printed command, exactly as it stands, in a shell outside npm. Its output. */
async function shell(command: string, tmp: string): Promise<string> {
  const { stdout } = await promisify(execFile)('sh', ['-c', command], { cwd: REPO, env: machineEnv(tmp) });
  return stdout;
}

describe('npm run demo', { timeout: TEST_MS }, () => {
  it('runs on Node 24 under the npm of a machine whose own Node is 20 or later', async (context) => {
    const demo = demoOf(context);
    await demo.untilSaid(/Central Command listens/, DEMO_MS);
    const own = execFileSync('node', ['--version'], { encoding: 'utf8', env: machineEnv(demo.tmp) });
    expect(Number(/^v(\d+)\./.exec(own)?.[1])).toBeGreaterThanOrEqual(20);
    for (const process of [/^\S*node .*tools\/demo\/main\.ts/, CENTRAL, AGENT]) {
      const pid = await until(`${process.source} runs`, () => demo.pidOf(process), DEMO_MS, demo.output);
      expect(execFileSync(executableOf(pid), ['--version'], { encoding: 'utf8' }), process.source).toMatch(/^v24\./);
    }
  });

  // One of the two mostly waits.
  it.concurrent(
    'with --keep leaves both running, and what it prints to try works as printed until Ctrl-C',
    async (context) => {
      const demo = demoOf(context, '--keep');
      const { tmp } = demo;
      await demo.untilSaid(/Left running until Ctrl-C[^]*tail -f [^\n]+\n/, DEMO_MS);
      const printed = demo.output().split('\n');
      const commands = printed.flatMap((line) => /^ {2}(npx .+)$/.exec(line)?.[1] ?? []);
      const named = (word: string): string => commands.find((command) => command.includes(word)) ?? 'false';
      expect(commands).toHaveLength(4);
      expect(demo.output()).toContain('alex-demo and sam-demo signed it: RB-WIN-FIREWALL-001 on srv-files');
      expect(demo.output()).toContain('confirmed over a new connection, verified: success');

      const carriedOut = async (): Promise<number> =>
        (await shell(named(' orders '), tmp)).match(/run_check +success/g)?.length ?? 0;
      // The demo's own good order.
      expect(await carriedOut()).toBe(1);
      await shell(named('order issue'), tmp);
      await until(
        'the kept agent carries out the order of the printed command',
        async () => ((await carriedOut()) === 2 ? true : null),
        STEP_MS,
      );
      expect(await shell(named(' status '), tmp)).toContain('enrolled');
      expect(await shell(named('evidence list'), tmp)).toContain('heartbeat');

      expect(demo.pidOf(AGENT)).not.toBeNull();
      demo.interrupt();
      await demo.ended;
      await until('nobody is left', () => (demo.pidOf(/./) === null ? true : null), STEP_MS);
      expect(readdirSync(tmp).filter((name) => name.startsWith('compliance-demo-'))).toEqual([]);
    },
  );

  it.concurrent('ends with an error that names the step when Central Command dies under it', async (context) => {
    const demo = demoOf(context);
    await demo.untilSaid(/Central Command listens/, DEMO_MS);
    process.kill(demo.pidOf(CENTRAL) ?? 0, 'SIGKILL');
    expect(await demo.ended).not.toBe(0);
    expect(demo.output()).toMatch(
      /FAILED {2}in "Central Command and an appliance on this host": the device waits for confirmation: not seen/,
    );
    expect(demo.output()).not.toContain('things seen to hold');
    expect(readdirSync(demo.tmp).filter((name) => name.startsWith('compliance-demo-'))).toEqual([]);
  });

  it('ends with an error that names the step when an entry on the disk is changed under it', async (context) => {
    const demo = demoOf(context);
    await demo.untilSaid(/order \S+ was verified, accepted/, DEMO_MS);
    const [folder = ''] = readdirSync(demo.tmp).filter((name) => name.startsWith('compliance-demo-'));
    const db = new Database(join(demo.tmp, folder, 'state/agent.db'), { timeout: 60_000 });
    const trigger = db
      .prepare(`SELECT sql FROM sqlite_schema WHERE name = 'entries_are_final'`)
      .pluck()
      .get() as string;
    const changed = db.transaction(() => {
      db.exec('DROP TRIGGER entries_are_final');
      const update = db
        .prepare(`UPDATE entries SET line = replace(line, '"sig":"', '"sig":"A') WHERE id & 0xffffffff = 1`)
        .run();
      db.exec(trigger);
      return update.changes;
    });
    expect(changed()).toBe(1);
    db.close();
    expect(await demo.ended).not.toBe(0);
    expect(demo.output()).toMatch(/FAILED {2}in "Six bad orders[^"]*": evidence verify ended with/);
    expect(demo.output()).not.toContain('things seen to hold');
  });
});
