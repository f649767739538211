import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createExec } from '../../agent/system/exec.ts';
import type { Exec } from '../../agent/system/ports.ts';
import { fakeExec } from '../support/fakes/fake-exec.ts';

const PROGRAMS = join(import.meta.dirname, '../fixtures/programs');
const program = (name: string): string => join(PROGRAMS, name);
const LONG_MS = 60_000;
const SHORT_MS = 200;

const suites: readonly [string, Exec][] = [
  ['the real exec', createExec()],
  [
    'the fake exec',
    fakeExec({
      [program('exits-3')]: { stdout: 'partial\n', code: 3 },
      [program('prints-to-stderr')]: { stderr: 'something to know\n' },
      [program('hangs')]: (_argv, o) => ({ hangs: o.signal === undefined ? 'until_deadline' : 'until_abort' }),
      [program('prints-100mb')]: { stdout: Buffer.alloc(1_000_000) },
      [program('not-executable')]: { status: 'denied' },
      [program('kills-itself')]: { status: 'signalled' },
      [program('repeats-stdin')]: (_argv, o) => ({ stdout: o.stdin ?? '' }),
    }),
  ],
];

describe.each(suites)('exec port: %s', (name, exec) => {
  it(`${name} gives exit code and output of a program that fails`, async () => {
    const r = await exec.run([program('exits-3')], { deadlineMs: LONG_MS });
    expect([r.status, r.code, r.stdout.toString(), r.stderr.toString()]).toEqual(['exited', 3, 'partial\n', '']);
  });

  it(`${name} keeps stderr apart from stdout`, async () => {
    const r = await exec.run([program('prints-to-stderr')], { deadlineMs: LONG_MS });
    expect([r.status, r.code, r.stdout.toString(), r.stderr.toString()]).toEqual([
      'exited',
      0,
      '',
      'something to know\n',
    ]);
  });

  it(`${name} ends a program that hangs at its deadline`, async () => {
    const r = await exec.run([program('hangs')], { deadlineMs: SHORT_MS });
    expect([r.status, r.code]).toEqual(['timeout', null]);
  });

  it(`${name} ends a program when the signal aborts`, async () => {
    const controller = new AbortController();
    const running = exec.run([program('hangs')], { deadlineMs: LONG_MS, signal: controller.signal });
    controller.abort();
    expect((await running).status).toBe('aborted');
  });

  it(`${name} starts nothing for a signal that is already aborted`, async () => {
    const r = await exec.run([program('exits-3')], { deadlineMs: LONG_MS, signal: AbortSignal.abort() });
    expect([r.status, r.stdout.length]).toEqual(['aborted', 0]);
  });

  it(`${name} stops a program that prints too much and keeps only what fits`, async () => {
    const r = await exec.run([program('prints-100mb')], { deadlineMs: LONG_MS, maxOutputBytes: 10_000 });
    expect([r.status, r.code, r.stdout.length]).toEqual(['too_much_output', null, 10_000]);
  });

  it(`${name} says not_found for a program that is not there`, async () => {
    const r = await exec.run(['no-such-program-anywhere'], { deadlineMs: LONG_MS });
    expect([r.status, r.code]).toEqual(['not_found', null]);
  });

  it(`${name} says denied for a file that may not be executed`, async () => {
    const r = await exec.run([program('not-executable')], { deadlineMs: LONG_MS });
    expect([r.status, r.code]).toEqual(['denied', null]);
  });

  it(`${name} says signalled for a program that a signal ended`, async () => {
    const r = await exec.run([program('kills-itself')], { deadlineMs: LONG_MS });
    expect([r.status, r.code]).toEqual(['signalled', null]);
  });

  it(`${name} hands stdin over`, async () => {
    const r = await exec.run([program('repeats-stdin')], { deadlineMs: LONG_MS, stdin: '{"a":1}' });
    expect(r.stdout.toString()).toBe('{"a":1}');
  });
});

/** True where a process still runs; a zombie that nobody has collected yet does not. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('real processes', () => {
  const exec = createExec();

  it('a program that ignores SIGTERM is ended at its deadline all the same', async () => {
    const r = await exec.run([program('ignores-sigterm')], { deadlineMs: SHORT_MS });
    expect(r.status).toBe('timeout');
  });

  it('the deadline ends the whole process group, grandchildren included', async () => {
    const r = await exec.run([program('forks-and-hangs')], { deadlineMs: SHORT_MS });
    expect(r.status).toBe('timeout');
    await expect.poll(() => isRunning(Number(r.stdout.toString()))).toBe(false);
  });

  it('a child that is left behind with the pipe is ended and does not delay the answer to the deadline', async () => {
    const r = await exec.run([program('leaves-a-child-with-the-pipe')], { deadlineMs: LONG_MS });
    expect([r.status, r.code]).toEqual(['exited', 0]);
    await expect.poll(() => isRunning(Number(r.stdout.toString()))).toBe(false);
  });

  it('a child that left the process group cannot hold the answer back', async () => {
    const r = await exec.run([program('leaves-a-child-in-another-session')], { deadlineMs: LONG_MS });
    expect([r.status, r.code, r.stdout.toString()]).toEqual(['exited', 0, 'done\n']);
  });

  it('the output cap holds for stderr too', async () => {
    const r = await exec.run([program('prints-100mb-to-stderr')], { deadlineMs: LONG_MS, maxOutputBytes: 10_000 });
    expect([r.status, r.stderr.length]).toEqual(['too_much_output', 10_000]);
  });

  it('a program that closes its stdin early is no error', async () => {
    const r = await exec.run([program('ignores-stdin')], { deadlineMs: LONG_MS, stdin: 'x'.repeat(1_000_000) });
    expect([r.status, r.code]).toEqual(['exited', 0]);
  });

  it('no shell reads the arguments', async () => {
    const hostile = ['$(id)', '; id', '`id`', '*', "'"];
    const r = await exec.run([program('prints-arguments'), ...hostile], { deadlineMs: LONG_MS });
    expect(r.stdout.toString()).toBe(hostile.map((a) => `[${a}]\n`).join(''));
  });

  it('nothing of our own environment reaches a program', async () => {
    process.env.NOTIFY_SOCKET = '@canary';
    process.env.CANARY_SECRET = 'canary';
    try {
      const r = await exec.run([program('prints-environment')], { deadlineMs: LONG_MS, env: { GIVEN: 'yes' } });
      const names = r.stdout
        .toString()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.split('=')[0]);
      // PWD, SHLVL and _ are what sh itself sets.
      expect(names.filter((n) => !['PWD', 'SHLVL', '_', 'OLDPWD'].includes(n ?? '')).sort()).toEqual([
        'GIVEN',
        'LC_ALL',
        'PATH',
      ]);
    } finally {
      delete process.env.NOTIFY_SOCKET;
      delete process.env.CANARY_SECRET;
    }
  });

  it('a program is searched only in the directories of the port', async () => {
    const r = await createExec([PROGRAMS]).run(['exits-3'], { deadlineMs: LONG_MS });
    expect([r.status, r.code]).toEqual(['exited', 3]);
    expect((await exec.run(['exits-3'], { deadlineMs: LONG_MS })).status).toBe('not_found');
  });

  it('an argument that the system cannot take is a result and not an exception', async () => {
    const tooLong = await exec.run([program('exits-3'), 'x'.repeat(3_000_000)], { deadlineMs: LONG_MS });
    const nul = await exec.run([program('exits-3'), 'a\0b'], { deadlineMs: LONG_MS });
    expect([tooLong.status, nul.status]).toEqual(['denied', 'denied']);
  });
});
