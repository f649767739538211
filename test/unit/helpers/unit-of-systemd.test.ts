// journald under every name that systemd has for it, and services that would take it along. What `systemctl show` prints is
// recorded in the form that systemd 252 prints it.
import { describe, expect, it } from 'vitest';
import { judgeUnit } from '../../../agent/helpers/unit-of-systemd.ts';
import { expectCode } from '../../support/expect-code.ts';

const PROGRAM = '/usr/sbin/clamd';
const command = (path: string, argv = path): string =>
  `{ path=${path} ; argv[]=${argv} ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }`;
const GOOD: Readonly<Record<string, string>> = {
  Id: 'clamav-daemon.service',
  Names: 'clamav-daemon.service',
  LoadState: 'loaded',
  ActiveState: 'failed',
  Result: 'exit-code',
  RequiredBy: '',
  Conflicts: 'shutdown.target',
  ExecStart: command(PROGRAM, `${PROGRAM} --foreground=true`),
};
const shown = (change: Readonly<Record<string, string>> = {}): string =>
  Object.entries({ ...GOOD, ...change })
    .map(([key, value]) => `${key}=${value}`)
    .join('\n');
const links: Readonly<Record<string, string>> = { '/run/current-system/sw/bin/clamd': PROGRAM };
const resolve = (path: string): string => links[path] ?? path;
const judge = (change: Readonly<Record<string, string>> = {}, unit = 'clamav-daemon.service') =>
  judgeUnit(unit, shown(change), PROGRAM, resolve);

describe('a service that a helper may restart', () => {
  it('is the one that systemd knows by the name, starts the declared program, and says how it is', () => {
    expect(judge()).toEqual({ activeState: 'failed', result: 'exit-code' });
    expect(judge({ ExecStart: command('/run/current-system/sw/bin/clamd') }).activeState).toBe('failed');
  });

  it.each([
    ['journald itself', {}, 'systemd-journald.service'],
    ['a journal namespace', {}, 'systemd-journald@clinic.service'],
    ['a template', {}, 'clamav-daemon@.service'],
    [
      'an alias of journald',
      { Id: 'systemd-journald.service', Names: 'clamav-daemon.service systemd-journald.service' },
    ],
    ['a unit with journald among its names', { Names: 'clamav-daemon.service systemd-journald.service' }],
    ['a link to the socket of journald', { Id: 'systemd-journald.socket' }],
    ['the socket of syslog', { Id: 'syslog.socket' }],
    ['a timer', { Id: 'clamav-daemon.timer' }],
    ['a unit that runs journald under another name', { ExecStart: command('/lib/systemd/systemd-journald') }],
    [
      'a unit that cuts the journal before it starts',
      { ExecStartPre: command('/bin/journalctl', 'journalctl --vacuum-time=1s') },
    ],
    ['a unit that journald requires', { RequiredBy: 'systemd-journald.service' }],
    ['a unit that journald is bound to', { BoundBy: 'a.service systemd-journald.service' }],
    ['a unit that journald is part of', { ConsistsOf: 'systemd-journald.service' }],
    ['a unit that takes the sockets of journald down', { PropagatesStopTo: 'systemd-journald-dev-log.socket' }],
    ['a unit that cannot run beside journald', { Conflicts: 'shutdown.target systemd-journald.service' }],
    ['a unit that is masked', { LoadState: 'masked' }],
    ['a unit that is not there', { LoadState: 'not-found' }],
    ['a unit that starts another program', { ExecStart: command('/tmp/clamd') }],
    [
      'a unit that starts another program too',
      { ExecStart: `${command(PROGRAM)}\nExecStart=${command('/tmp/clamd')}` },
    ],
    ['a unit that starts nothing', { ExecStart: '' }],
  ] as [string, Record<string, string>, string?][])('is not %s', (_name, change, unit) => {
    expectCode(() => judge(change, unit), 'helper_unit_refused');
  });
});
