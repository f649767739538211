import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createNotify } from '../../agent/system/notify.ts';
import type { Notify } from '../../agent/system/ports.ts';
import { receiveDatagrams } from '../support/datagram-receiver.ts';
import { fakeNotify } from '../support/fakes/fake-notify.ts';

const dir = mkdtempSync(join(tmpdir(), 'notify-'));
afterAll(() => rmSync(dir, { recursive: true }));

interface Setup {
  notify: Notify;
  received(): string[];
}
const real = (socket: string) => (): Setup => {
  const receiver = receiveDatagrams(socket);
  const notify = createNotify({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: '30000000' });
  return { notify, received: () => receiver.received() };
};
const suites: readonly [string, () => Setup][] = [
  ['the real notify on a path', real(join(dir, 'notify.sock'))],
  ['the real notify on an abstract name', real(`@compliance-agent-test-${process.pid}`)],
  [
    'the fake notify',
    () => {
      const notify = fakeNotify({ watchdogMs: 30_000 });
      return { notify, received: () => [...notify.sent] };
    },
  ],
];

describe.each(suites)('notify port: %s', (name, setup) => {
  it(`${name} delivers each message as one datagram in order`, () => {
    const { notify, received } = setup();
    notify.ready();
    notify.status('checking in: 3 entries wait');
    notify.watchdog();
    notify.stopping();
    expect(received()).toEqual(['READY=1', 'STATUS=checking in: 3 entries wait', 'WATCHDOG=1', 'STOPPING=1']);
    expect(notify.watchdogMs).toBe(30_000);
  });
});

describe('notify and its environment', () => {
  it('the socket and the watchdog leave the environment, so that no child speaks in our name', () => {
    const environment = { NOTIFY_SOCKET: '@x', WATCHDOG_USEC: '1000', WATCHDOG_PID: '1', OTHER: 'stays' };
    createNotify(environment);
    expect(environment).toEqual({ OTHER: 'stays' });
  });

  it('a status text cannot smuggle in another assignment', () => {
    const socket = join(dir, 'inject.sock');
    const receiver = receiveDatagrams(socket);
    createNotify({ NOTIFY_SOCKET: socket }).status('fine\nMAINPID=1\r\nREADY=1');
    expect(receiver.received()).toEqual(['STATUS=fine MAINPID=1 READY=1']);
  });

  it('a full queue does not block, and readiness is delivered with the next message', () => {
    const socket = join(dir, 'full.sock');
    const receiver = receiveDatagrams(socket);
    const failures: number[] = [];
    const notify = createNotify({ NOTIFY_SOCKET: socket }, (errno) => failures.push(errno));
    for (let i = 0; i < 10_000 && failures.length === 0; i++) notify.watchdog();
    expect(failures).toHaveLength(1);
    notify.ready();
    expect(failures).toHaveLength(2);
    receiver.received();
    notify.watchdog();
    expect(receiver.received()).toEqual(['READY=1\nWATCHDOG=1']);
  });

  it('a service manager that went away is reported and not thrown', () => {
    const failures: number[] = [];
    createNotify({ NOTIFY_SOCKET: join(dir, 'nobody.sock') }, (errno) => failures.push(errno)).ready();
    expect(failures).toHaveLength(1);
    expect(failures[0]).toBeGreaterThan(0);
  });

  it('without a socket, or with one of another kind, nothing happens', () => {
    for (const environment of [{}, { NOTIFY_SOCKET: '' }, { NOTIFY_SOCKET: 'vsock:2:1234' }]) {
      const failures: number[] = [];
      const notify = createNotify(environment, (errno) => failures.push(errno));
      notify.ready();
      notify.watchdog();
      expect([failures.length, notify.watchdogMs]).toEqual([0, null]);
    }
  });

  it('a watchdog that is meant for another process is not ours', () => {
    expect(
      createNotify({ NOTIFY_SOCKET: '@x', WATCHDOG_USEC: '1000000', WATCHDOG_PID: String(process.pid + 1) }).watchdogMs,
    ).toBeNull();
    expect(
      createNotify({ NOTIFY_SOCKET: '@x', WATCHDOG_USEC: '1000000', WATCHDOG_PID: String(process.pid) }).watchdogMs,
    ).toBe(1_000);
    expect(createNotify({ NOTIFY_SOCKET: '@x', WATCHDOG_USEC: 'soon' }).watchdogMs).toBeNull();
  });
});
