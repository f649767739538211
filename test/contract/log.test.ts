import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createExec } from '../../agent/system/exec.ts';
import { createLog } from '../../agent/system/log.ts';
import type { Log } from '../../agent/system/ports.ts';
import { memoryLog } from '../support/fakes/memory-log.ts';

interface Seen {
  level: string;
  phrase: string;
  fields: Record<string, unknown>;
}
interface Setup {
  log: Log;
  seen(): Seen[];
}
const suites: readonly [string, () => Setup][] = [
  [
    'the real log',
    () => {
      const lines: string[] = [];
      const log = createLog({ level: 'debug', format: 'json', write: (line) => void lines.push(line) });
      const seen = (): Seen[] =>
        lines.map((line) => {
          const { level, msg, time: _time, ...fields } = JSON.parse(line) as Record<string, unknown>;
          return { level: String(level), phrase: String(msg), fields };
        });
      return { log, seen };
    },
  ],
  [
    'the memory log',
    () => {
      const log = memoryLog();
      return { log, seen: () => log.records.map((r) => ({ ...r, fields: { ...r.fields } })) };
    },
  ],
];

describe.each(suites)('log port: %s', (name, setup) => {
  it(`${name} writes level, phrase and fields, the child's bound fields first`, () => {
    const { log, seen } = setup();
    log.child({ stage: 'upload' }).child({ run_id: 'r1' }).warn('entry parked', { seq: 7, forever: false, why: null });
    expect(seen()).toEqual([
      {
        level: 'warn',
        phrase: 'entry parked',
        fields: { stage: 'upload', run_id: 'r1', seq: 7, forever: false, why: null },
      },
    ]);
  });

  it(`${name} leaves out what is below its level, for children made before too`, () => {
    const { log, seen } = setup();
    const child = log.child({ stage: 'checks' });
    log.setLevel('warn');
    child.debug('a');
    child.info('b');
    child.warn('c');
    log.error('d');
    expect(seen().map((r) => r.phrase)).toEqual(['c', 'd']);
  });

  it(`${name} leaves out fields without a value and redacts what is named like a secret`, () => {
    const { log, seen } = setup();
    log.info('asked', { nothing: undefined, token: 'canary', token_id: 't-1' });
    expect(seen()[0]?.fields).toEqual({ token: '[redacted]', token_id: 't-1' });
  });
});

describe('the real log on a real stdout', () => {
  const logFile = join(import.meta.dirname, '../../agent/system/log.ts');
  const node = (script: string): [string, ...string[]] => [
    process.execPath,
    '--input-type=module',
    '-e',
    `import { createLog } from ${JSON.stringify(logFile)}; ${script}`,
  ];

  it('a line that was written before a crash is there', async () => {
    const argv = node(`createLog().error('last words', { why: 'a b' }); process.kill(process.pid, 'SIGKILL');`);
    const r = await createExec().run(argv, { deadlineMs: 30_000, env: { JOURNAL_STREAM: '8:1' } });
    expect([r.status, r.stdout.toString()]).toEqual(['signalled', '<3>last words why="a b"\n']);
  });

  it('a reader of stdout that goes away does not end the process', async () => {
    const [command, ...args] = node(`
      const log = createLog();
      process.stdin.once('data', () => {
        for (let i = 0; i < 1_000; i++) log.info('nobody reads this', { i });
        process.exit(7);
      });
      log.info('ready');`);
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    child.stdin.end('go');
    expect(await once(child, 'exit')).toEqual([7, null]);
  });
});
