import { describe, expect, it } from 'vitest';
import { parseRestarts, parseUnit } from '../../../agent/facts/systemd-unit.ts';

const text = 'MainPID=812\nResult=success\nExecMainExitTimestamp=\nLoadState=loaded\nActiveState=active\n';

describe('what systemctl show prints of a unit', () => {
  it('is read in any order', () => {
    const running = { loadState: 'loaded', activeState: 'active', mainPid: 812, result: 'success', exitedAt: null };
    expect(parseUnit(text)).toEqual(running);
    expect(parseUnit(text.split('\n').toReversed().join('\n'))).toEqual(running);
  });

  it('a process that ended has a time, and none that never ran', () => {
    const ended = text
      .replace('MainPID=812', 'MainPID=0')
      .replace('Timestamp=', 'Timestamp=Mon 2026-06-01 00:00:00 UTC');
    expect(parseUnit(ended)).toMatchObject({ mainPid: null, exitedAt: 1_780_272_000 });
    expect(parseUnit(text)).toMatchObject({ exitedAt: null });
  });

  it.each([
    ['a property is missing', text.replace(/Result=.*\n/, '')],
    ['a time is of another zone', text.replace('Timestamp=', 'Timestamp=Mon 2026-06-01 00:00:00 CEST')],
    ['a time is none', text.replace('Timestamp=', 'Timestamp=Mon 2026-13-01 00:00:00 UTC')],
    ['the process is no number', text.replace('812', 'many')],
    ['there is nothing', ''],
  ])('is refused where %s', (_what, broken) => {
    expect(parseUnit(broken)).toBeNull();
  });
});

describe('how often systemd started a service again', () => {
  it('is read with the time of its last start', () => {
    const said = 'NRestarts=7\nExecMainStartTimestamp=Mon 2026-06-01 00:00:00 UTC\n';
    expect(parseRestarts(said)).toEqual({ count: 7, startedAt: 1_780_272_000 });
  });

  it.each([
    ['it never ran', 'NRestarts=0\nExecMainStartTimestamp=\n'],
    ['an older systemd does not know it', 'ExecMainStartTimestamp=Mon 2026-06-01 00:00:00 UTC\n'],
    ['the time is of another zone', 'NRestarts=7\nExecMainStartTimestamp=Mon 2026-06-01 00:00:00 CEST\n'],
    ['there is nothing', ''],
  ])('is not known where %s', (_what, said) => {
    expect(parseRestarts(said)).toBeNull();
  });
});
