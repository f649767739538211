import { describe, expect, it } from 'vitest';
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
