import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shownStick } from '../../../agent/cli/shown-stick.ts';
import { writeStatus } from '../../../agent/system/status-file.ts';
import { agentStatus } from '../../support/cli-state.ts';
import { fakeClock } from '../../support/fakes/fake-clock.ts';
import { cli } from '../../support/run-cli.ts';
import { NOW } from '../../support/trust-fixtures.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'console-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

describe('console', () => {
  it('without a terminal says the screen once, and as JSON whether whoever stands there may leave', async () => {
    const nothing = await cli(['console', '--state', dir]);
    expect([nothing.code, nothing.out]).toEqual([0, expect.stringContaining('The agent has not started yet.')]);
    writeStatus(dir, agentStatus());
    const { code, out } = await cli(['console', '--state', dir]);
    expect([code, out]).toEqual([0, expect.stringContaining('YOU CAN LEAVE')]);
    expect(out).not.toContain('\u001b');
    expect((await cli(['console', '--state', dir, '--json'])).json()).toMatchObject({ may_leave: true, claim: null });
  });

  it('on a terminal redraws when something changed, shows the cursor again at the end, and ends when it is asked to', async () => {
    const stop = new AbortController();
    const frames: string[] = [];
    const clock = fakeClock({ wallMs: NOW * 1_000 });
    const size = () => ({ columns: 80, rows: 25 });
    const stdout = { isTTY: true, size, write: (text: string) => void frames.push(text) };
    let looks = 0;
    const sleep = () => {
      looks += 1;
      if (looks === 2) writeStatus(dir, agentStatus({ stored_size: 0 }));
      if (looks === 4) stop.abort();
      return Promise.resolve();
    };
    writeStatus(dir, agentStatus());
    const deps = { stdout, clock: { ...clock, sleep }, stopSignal: () => stop.signal };
    expect((await cli(['console', '--state', dir], { deps })).code).toBe(0);
    expect(frames.length).toBe(4);
    const [first = '', screen = '', changed = '', last = ''] = frames;
    expect([first, last]).toEqual(['\u001b[?25l', '\u001b[?25h\r\n']);
    expect(screen).toContain('YOU CAN LEAVE');
    expect(changed).not.toContain('YOU CAN LEAVE');
    expect(changed).toContain('Enrolled. Please wait.');
  });
});

describe('the result of the last stick, on the console', () => {
  const own = process.getuid?.() ?? 0;
  const lines = ['clinic.yaml:2: a', 'root.json: b'];
  const leave = (change: object): void =>
    writeFileSync(
      join(dir, 'config-stick.json'),
      JSON.stringify({
        ...{ schema: 'compliance-agent/helper-result/v1', verb: 'config-stick', at: NOW, boot_id: 'b' },
        ...{ outcome: 'refused', code: 'provision_invalid', sentence: 'refused', details: { lines: lines.join('\n') } },
        ...change,
      }),
      { mode: 0o644 },
    );

  it('is shown line by line where it was refused', () => {
    leave({});
    expect(shownStick(dir, own)).toEqual(lines);
    leave({ details: {} });
    expect(shownStick(dir, own)).toEqual(['refused']);
  });

  it('is not shown where it was taken, nobody left one, or somebody else could have', () => {
    leave({ outcome: 'done' });
    expect(shownStick(dir, own)).toBeNull();
    leave({ schema: 'other' });
    expect(shownStick(dir, own)).toBeNull();
    leave({});
    expect(shownStick(dir, own + 1)).toBeNull();
    expect(shownStick(undefined)).toBeNull();
    expect(shownStick(join(dir, 'nothing'), own)).toBeNull();
  });
});
