// What systemd does with a start of a unit that is starting, and what is done about it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isAnyAtWork, runAnew } from '../../agent/daemon/units-at-work.ts';
import { until } from '../../tools/demo/process.ts';
import { bootContainer, nspawnProblem, type Container } from '../support/nspawn.ts';

const problem = nspawnProblem();
const UNIT = 'reader.service';
/** Reads at once, and ends seconds later. */
const READER = `[Service]
Type=oneshot
ExecStart=/bin/sh -c 'cat /root/what >> /root/read'
ExecStartPost=/bin/sleep 3
`;
const DEADLINE_MS = 30_000;
const { signal } = new AbortController();

let box: Container;
beforeAll(async () => {
  if (problem === null) box = await bootContainer({ files: { [`/etc/systemd/system/${UNIT}`]: READER } });
});
beforeEach((context) => context.skip(problem !== null, problem ?? ''));
afterAll(() => (problem === null ? box.close() : undefined));

const read = (): string => readFileSync(join(box.root, 'root/read'), 'utf8');
const put = (what: string): string => box.run(['tee', '/root/what'], `${what}\n`);

describe('a unit that reads what was there when it began', () => {
  it('is run anew where one that is under way began before, and once only where none is', async () => {
    put('old');
    expect(await isAnyAtWork([UNIT], box.exec, signal)).toBe(false);
    box.run(['systemctl', 'start', '--no-block', UNIT]);
    await until(
      'it has read',
      () => (box.run(['sh', '-c', 'cat /root/read || true']) === '' ? null : true),
      DEADLINE_MS,
    );
    put('new');
    expect(await isAnyAtWork([UNIT], box.exec, signal)).toBe(true);
    await runAnew(UNIT, DEADLINE_MS, box.exec, signal);
    expect(read()).toBe('old\nnew\n');
    expect(await isAnyAtWork([UNIT], box.exec, signal)).toBe(false);
    put('newest');
    await runAnew(UNIT, DEADLINE_MS, box.exec, signal);
    expect(read()).toBe('old\nnew\nnewest\n');
  });

  it('a start alone is lost while it is starting', async () => {
    put('first');
    box.run(['systemctl', 'start', '--no-block', UNIT]);
    await until('it has read', () => (read().endsWith('first\n') ? true : null), DEADLINE_MS);
    put('second');
    box.run(['systemctl', 'start', UNIT]);
    expect(read()).toMatch(/first\n$/);
  });

  it('of a unit that is not there, nobody says that it works', async () => {
    expect(await isAnyAtWork(['no-such.service'], box.exec, signal)).toBe(false);
    await expect(runAnew('no-such.service', DEADLINE_MS, box.exec, signal)).resolves.toBeUndefined();
  });
});
