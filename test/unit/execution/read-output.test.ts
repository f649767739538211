import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { errorRecords, readActions, readFacts } from '../../../agent/execution/read-output.ts';
import type { RunOutput } from '../../../agent/execution/runner.ts';
import { actionsLine, factsLine } from '../../lab/simulated-site.ts';

const BUDGET = { cpuMs: 5_000, outputBytes: 65_536 };
const out = (stdout: string | Buffer, o: Partial<RunOutput> = {}): RunOutput => ({
  exitCode: 0,
  stdout: Buffer.from(stdout),
  stderr: Buffer.alloc(0),
  truncated: false,
  ...o,
});
const GOOD = factsLine({ level: 3 });
const read = (output: RunOutput) => readFacts(output, errorRecords(output.stderr), BUDGET);

const OVER_CPU = { exitCode: 201, stderr: Buffer.from('script_over_budget cpu_ms=5123\r\n') };

const PROGRESS =
  '#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj S="progress" RefId="0">' +
  '<MS><I64 N="SourceId">1</I64><PR N="Record"><AV>Preparing modules</AV></PR></MS></Obj></Objs>';
const ERROR = PROGRESS.replace('</Objs>', '<S S="Error">Zugriff verweigert_x000D__x000A_</S></Objs>');

const OBJECT = PROGRESS.replace('</Objs>', '<Obj S="Error" RefId="1"><ToString>kaputt</ToString></Obj></Objs>');

describe('what a phase printed', () => {
  it.each([
    ['one document', GOOD],
    ['one document without an end of line', GOOD.trimEnd()],
    ['text before the one document', `WARNING: module loaded\r\n${GOOD}`],
    ['empty lines after it', `${GOOD}\r\n\r\n`],
    ['the byte order mark of Windows PowerShell before it', `\ufeff${GOOD}`],
  ])('is read where it is %s', (_name, stdout) => {
    expect(read(out(stdout))).toMatchObject({ read: true, value: { level: 3 }, used: { cpuMs: 40 } });
  });

  it('is read although progress records stand on stderr', () => {
    expect(read(out(GOOD, { stderr: Buffer.from(PROGRESS) }))).toMatchObject({ read: true });
  });

  it.each<[string, RunOutput, string]>([
    ['nothing', out(''), 'unparsable'],
    ['text only', out('all is well\n'), 'unparsable'],
    ['text after the document', out(`${GOOD}done\n`), 'unparsable'],
    ['two documents', out(GOOD + GOOD), 'unparsable'],
    ['a list and a document', out(`[1]\n${GOOD}`), 'unparsable'],
    ['a document over two lines', out(GOOD.replace(',', ',\n')), 'unparsable'],
    ['half a document', out(GOOD.slice(0, 20)), 'unparsable'],
    ['UTF-16 with its byte order mark', out(Buffer.from(`\ufeff${GOOD}`, 'utf16le')), 'unparsable'],
    ['bytes that are no text', out(Buffer.from([0, 255, 254, 1, 2])), 'unparsable'],
    ['a document with a NUL in a word', out(GOOD.replace('level', 'le\0vel')), 'unparsable'],
    ['another schema', out(actionsLine('changed')), 'wrong_shape'],
    ['a key too many', out(GOOD.replace('{', '{"x":1,')), 'wrong_shape'],
    ['facts that are a list', out(factsLine([1])), 'wrong_shape'],
    ['a list', out('[1,2]\n'), 'wrong_shape'],
    ['a number with a fraction', out(factsLine({ level: 1.5 })), 'wrong_shape'],
    ['a document and exit code 1', out(GOOD, { exitCode: 1 }), 'script_failed'],
    ['a document of a script that was ended', out(GOOD, { exitCode: null }), 'script_failed'],
    ['a document and an error in CLIXML', out(GOOD, { stderr: Buffer.from(ERROR) }), 'script_failed'],
    ['a document and an error object in CLIXML', out(GOOD, { stderr: Buffer.from(OBJECT) }), 'script_failed'],
    ['more than its cap', out(GOOD, { truncated: true }), 'over_budget'],
    ['more than its budget', out(`${' '.repeat(70_000)}\n${GOOD}`), 'over_budget'],
    ['of a script that the target ended for its processor time', out('', OVER_CPU), 'over_budget'],
    ['a document of such a script', out(GOOD, OVER_CPU), 'over_budget'],
    ['a document that cost too much processor time', out(factsLine({ level: 3 }, 5_001)), 'over_budget'],
  ])('is not known where it is %s', (_name, output, reason) => {
    expect(read(output)).toMatchObject({ read: false, reason });
  });

  it('says what a script had used when the target ended it, and what it may use', () => {
    const reading = read(out('', OVER_CPU));
    expect(reading).toMatchObject({ used: { cpuMs: 5_123 }, sentence: expect.stringContaining('5000 ms') as string });
    expect(read(out('', { exitCode: 201 }))).toMatchObject({ reason: 'over_budget', used: { cpuMs: null } });
  });

  it('says what was used, and null where the script did not', () => {
    const silent = GOOD.replace(',"used":{"cpu_ms":40}', '');
    expect(read(out(silent))).toMatchObject({ read: true, used: { cpuMs: null, bytes: silent.length } });
  });

  it('of a change holds names and plain values only', () => {
    const changes = [{ what: 'realtime_monitoring', from: false, to: true }];
    expect(readActions(out(actionsLine('changed', changes)), 0, BUDGET)).toMatchObject({ read: true });
    for (const bad of [{ what: 'Real Time' }, { from: 'Jane Doe' }, { to: 'C:\\Users' }, { to: {} }]) {
      const line = actionsLine('changed', [{ what: 'x', from: 1, to: 2, ...bad }]);
      expect(readActions(out(line), 0, BUDGET)).toMatchObject({ read: false, reason: 'wrong_shape' });
    }
  });

  it('never throws and is never facts, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.uint8Array({ maxLength: 200 }), (stdout, stderr) => {
        const output = out(Buffer.from(stdout), { stderr: Buffer.from(stderr) });
        expect(read(output).read).toBe(false);
        expect(readActions(output, errorRecords(output.stderr), BUDGET).read).toBe(false);
      }),
      { numRuns: 3_000 },
    );
  });
});
