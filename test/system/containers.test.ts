// What the other tests here rest on: two machines that are booted at once have nothing to do with each other.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bootContainer, nspawnProblem, type Container } from '../support/nspawn.ts';

const problem = nspawnProblem();
/** The same name in both; it has a process besides its main one. */
const UNIT = 'twin.service';
const TWIN = `[Service]
ExecStart=/bin/sh -c 'sleep 600 & sleep 600'
`;
const DEADLINE_MS = 30_000;

let boxes: Container[] = [];
beforeAll(async () => {
  if (problem !== null) return;
  const options = { files: { [`/etc/systemd/system/${UNIT}`]: TWIN } };
  boxes = await Promise.all([bootContainer(options), bootContainer(options)]);
});
beforeEach((context) => context.skip(problem !== null, problem ?? ''));
afterAll(() => Promise.all(boxes.map((box) => box.close())));

const processes = (box: Container): string[] =>
  box.run(['sh', '-c', 'pgrep -x sleep || true']).trim().split('\n').filter(Boolean);

describe('two containers that are booted at once', () => {
  it('each keep units of one name in control groups of their own, and end them without touching the other', async () => {
    const [one, other] = boxes;
    if (one === undefined || other === undefined) throw new Error('not booted');
    for (let round = 0; round < 5; round += 1) {
      for (const box of boxes) box.run(['systemctl', 'start', UNIT]);
      expect(boxes.map((box) => processes(box).length)).toEqual([2, 2]);
      // Signals every process of the control group: those of another machine would be pid 0 here, which ends it with EIO.
      const killed = await one.exec.run(['systemctl', 'kill', '--signal=KILL', UNIT], { deadlineMs: DEADLINE_MS });
      expect([killed.code, killed.stderr.toString()]).toEqual([0, '']);
      one.run(['systemctl', 'stop', UNIT]);
      one.run(['systemctl', 'reset-failed']);
      expect(boxes.map((box) => processes(box).length)).toEqual([0, 2]);
      other.run(['systemctl', 'stop', UNIT]);
    }
    const said = boxes.map((box) => box.run(['journalctl', '-b', '--no-pager']));
    expect(said.join('')).not.toMatch(/Input\/output error|status=219/);
  });
});
