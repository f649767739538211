import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLog, logFormat } from '../../../agent/system/log.ts';
import { formatLine } from '../../../agent/system/log-line.ts';

function capture(format: 'json' | 'journal' | 'terminal') {
  const lines: string[] = [];
  return { log: createLog({ level: 'debug', format, write: (line) => void lines.push(line) }), lines };
}

describe('readable log lines', () => {
  it('under systemd a line is a priority, the phrase, then fields, quoted only where needed', () => {
    const { log, lines } = capture('journal');
    log.debug('a');
    log.info('check-in done', { ms: 12, site: 'north-1', why: 'no route', empty: '', quoted: 'say "x"' });
    log.warn('b');
    log.error('c');
    expect(lines).toEqual([
      '<7>a\n',
      '<6>check-in done ms=12 site=north-1 why="no route" empty="" quoted="say \\"x\\""\n',
      '<4>b\n',
      '<3>c\n',
    ]);
  });

  it('on a terminal a line begins with time and level', () => {
    const { log, lines } = capture('terminal');
    log.info('started', { pid: 1 });
    expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info {2}started pid=1\n$/);
  });

  it('no text can forge a second line, a priority or a field', () => {
    const { log, lines } = capture('journal');
    log.info('answer refused\n<3>forged', { why: 'x\n<0>kernel panic', target: 'a b=c', code: 'x" ok="1' });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toBe(
      '<6>answer refused\\n<3>forged why="x\\\\n<0>kernel panic" target="a b=c" code="x\\" ok=\\"1"\n'.replace(
        '\\\\n<0>',
        '\\n<0>',
      ),
    );
  });

  it('whatever the texts hold, a line is one line of printable characters', () => {
    const hostile = fc.string({ unit: 'binary', maxLength: 60 });
    fc.assert(
      fc.property(hostile, fc.dictionary(hostile, hostile, { maxKeys: 4 }), (phrase, fields) => {
        const line = formatLine(phrase, fields);
        // eslint-disable-next-line no-control-regex
        expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });

  it('the number of fields in a line is the number that was given', () => {
    const value = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('"', '\\', '=', ' ', '\n', 'a') }));
    fc.assert(
      fc.property(fc.array(value, { maxLength: 4 }), (values) => {
        const line = formatLine('phrase', Object.fromEntries(values.map((v, i) => [`k${i}`, v])));
        const fields = line.slice('phrase'.length).match(/ k\d=(?:"(?:[^"\\]|\\.)*"|[^\s"=\\]+)/g) ?? [];
        expect(fields.join('')).toBe(line.slice('phrase'.length));
        expect(fields).toHaveLength(values.length);
      }),
    );
  });

  it('a very long value is cut and says how long it was', () => {
    const line = formatLine('x', { body: 'a'.repeat(100_000) });
    expect(line.length).toBeLessThan(2_100);
    expect(line).toContain('(100000 characters)');
  });

  it('fields named like those of the record itself do not replace them', () => {
    const { log, lines } = capture('json');
    log.info('real', { msg: 'forged', level: 'error', time: 'never' });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'info', msg: 'real', msg_: 'forged', level_: 'error' });
  });

  it('the format follows LOG_FORMAT, then JOURNAL_STREAM', () => {
    expect(logFormat({ LOG_FORMAT: 'json', JOURNAL_STREAM: '8:1' })).toBe('json');
    expect(logFormat({ JOURNAL_STREAM: '8:1' })).toBe('journal');
    expect(logFormat({})).toBe('terminal');
  });
});
