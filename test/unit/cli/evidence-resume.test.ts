import { mkdtempSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { openResumeFile } from '../../../agent/cli/resume-file.ts';
import { verifyLog, type LogJob } from '../../../agent/cli/verify-log.ts';
import { encodeAnchorLine, parseAnchors } from '../../../agent/wire/anchor-line.ts';
import { expectCode, expectCodeAsync } from '../../support/expect-code.ts';
import { makeAlertLog } from '../../support/sample-log.ts';
import { cli } from '../../support/run-cli.ts';
import { makeTrust } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const COUNT = 60;
const log = makeAlertLog(trust, COUNT - 1);
const dir = mkdtempSync(join(tmpdir(), 'resume-'));
const file = join(dir, 'state.json');
const silent = { at: () => undefined, end: () => undefined };
const SAVED = 40;
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => {
  rmSync(file, { force: true });
});

class Interrupted extends Error {}

/** Lines that end with an interruption after `count`, as a killed process would. */
function* until(lines: readonly string[], count: number): Generator<string> {
  yield* lines.slice(0, count);
  throw new Interrupted();
}

const job = (lines: Iterable<string>): LogJob => ({
  source: 'a log',
  lines,
  total: null,
  options: { root: trust.root.root },
});
const open = (against = 'the same') => openResumeFile(file, [against]);

/** Verifies up to an interruption; what is kept is the state after SAVED lines. */
async function interrupt(): Promise<void> {
  await expect(verifyLog(job(until(log.lines, SAVED + 7)), silent, open(), SAVED)).rejects.toThrow(Interrupted);
}

describe('a verification that was interrupted', () => {
  it('goes on where it was and comes to the verdict of a whole run', async () => {
    const whole = await verifyLog(job(log.lines), silent, null);
    await interrupt();
    expect(open().stateOf('a log')?.lines).toBe(SAVED);
    const pushed: string[] = [];
    const resumed = await verifyLog(
      job({
        *[Symbol.iterator]() {
          for (const line of log.lines) {
            pushed.push(line);
            yield line;
          }
        },
      }),
      silent,
      open(),
      SAVED,
    );
    expect(resumed).toEqual(whole);
    expect(pushed).toHaveLength(COUNT);
  });

  it.each<[string, (lines: string[]) => string[]]>([
    [
      'a line of it was changed',
      (lines) => lines.with(3, lines[3]!.replace('cGF5', 'cGF6').replace('"sig":"', '"sig":"A')),
    ],
    ['two lines of it were exchanged', (lines) => lines.with(3, lines[4]!).with(4, lines[3]!)],
    ['a line of it is missing', (lines) => lines.toSpliced(5, 1)],
    ['a line was put before it', (lines) => ['', ...lines]],
    ['it is shorter than what was verified', (lines) => lines.slice(0, SAVED - 1)],
  ])('is not gone on with where %s', async (_what, change) => {
    await interrupt();
    await expectCodeAsync(() => verifyLog(job(change([...log.lines])), silent, open(), SAVED), 'resume_mismatch');
  });

  it('finds a fault in what was not verified yet', async () => {
    await interrupt();
    const lines = log.lines.toSpliced(SAVED + 3, 1);
    expect(await verifyLog(job(lines), silent, open(), SAVED)).toMatchObject({ ok: false, seq: SAVED + 3 });
  });

  it('is not gone on with against other roots, receipts, options or another agent, nor from a file that is none', async () => {
    await interrupt();
    expectCode(() => open('something else'), 'resume_mismatch');
    for (const text of ['', '{}', 'x'.repeat(99), readFileSync(file, 'utf8').slice(0, 200)]) {
      writeFileSync(file, text);
      expectCode(() => open(), 'resume_mismatch');
    }
  });
});

describe('evidence verify with a state file and anchors', () => {
  const lines = join(dir, 'log.jsonl');
  const roots = join(dir, 'root.json');
  const given = ['--root', roots, '--root-sha256', trust.root.digest];
  const origin = log.binding.origin;
  const anchorAt = (size: number, root = log.rootAt(size)): string => encodeAnchorLine({ origin, size, root });
  const verify = async (anchor: string | null, ...argv: string[]) => {
    writeFileSync(lines, log.lines.map((line) => `${line}\n`).join(''));
    writeFileSync(roots, `${trust.root.line}\n`);
    const path = join(dir, 'syslog');
    if (anchor !== null) writeFileSync(path, anchor);
    const more = anchor === null ? [] : ['--anchor', path];
    const { code, json } = await cli(['evidence', 'verify', lines, ...given, ...more, ...argv, '--json']);
    return [code, json<{ code?: string; error?: { code: string }; ranges?: object[]; anchors?: number }>()] as const;
  };

  it('leaves no state behind once all is verified', async () => {
    expect((await verify(null, '--resume', file))[0]).toBe(0);
    expect(existsSync(file)).toBe(false);
  });

  it('counts a line of the syslog that the auditor brings as a voucher, whatever stands around it', async () => {
    const text = `<14>1 2026-06-01T00:00:00Z box compliance-agent - - - anchor="${anchorAt(20)}" at=1\nother\n`;
    expect(await verify(text)).toMatchObject([
      0,
      { anchors: 1, ranges: [{ to_seq: 20, range: 'witnessed=1', by: ['anchor'] }, { range: 'unanchored' }] },
    ]);
  });

  it.each<[string, string, number, string]>([
    ['another root', anchorAt(20, 'ab'.repeat(32)), 4, 'log_root_mismatch'],
    ['more entries than there are', anchorAt(20).replace(' 20 ', ' 99 '), 9, 'log_truncated'],
  ])('finds a log that an anchor with %s contradicts', async (_what, text, exit, code) => {
    expect(await verify(text)).toMatchObject([exit, { code }]);
  });

  it('does not let an anchor of another log, or a file without one, pass for a proof', async () => {
    expect(await verify(anchorAt(20).replace(origin, 'logs.example/other/1'))).toMatchObject([
      2,
      { error: { code: 'anchor_invalid' } },
    ]);
    expect(await verify('nothing to see')).toMatchObject([2, { error: { code: 'anchor_invalid' } }]);
    expect(parseAnchors(`${anchorAt(3)}\r\n`, 'x')).toEqual([{ origin, size: 3, root: log.rootAt(3) }]);
  });
});
