import { describe, expect, it } from 'vitest';
import {
  CAP_NET_ADMIN,
  hasCapability,
  opensDebuggerOnSignal,
  parseCoreLimit,
  parseProcessStatus,
} from '../../../agent/facts/proc-status.ts';
import { fixture } from '../../support/fixture-facts.ts';

const status = (name: string) => {
  const parsed = parseProcessStatus(fixture(`proc/${name}`));
  if (parsed === null) throw new Error('not parsed');
  return parsed;
};

describe('/proc/PID/status', () => {
  it('a plain Node opens a debugger on SIGUSR1, one with the option does not', () => {
    expect(opensDebuggerOnSignal(status('status-node'))).toBe(true);
    expect(opensDebuggerOnSignal(status('status-node-without-debugger-signal'))).toBe(false);
  });

  it('privileges of root and of an unprivileged process are told apart', () => {
    expect(hasCapability(status('status-node'), CAP_NET_ADMIN)).toBe(true);
    expect(status('status-node')).toMatchObject({ effectiveUid: 0, noNewPrivileges: false, seccomp: 0 });
    expect(hasCapability(status('status-hardened'), CAP_NET_ADMIN)).toBe(false);
    expect(status('status-hardened')).toMatchObject({ effectiveUid: 65534, noNewPrivileges: true, capabilities: 0n });
  });

  it('a status that lacks a field is refused', () => {
    const text = fixture('proc/status-node');
    for (const name of ['Uid', 'NoNewPrivs', 'Seccomp', 'CapEff', 'SigCgt']) {
      expect(parseProcessStatus(text.replace(new RegExp(`^${name}:.*\n`, 'm'), ''))).toBeNull();
    }
  });
});

describe('/proc/PID/limits', () => {
  it('the hard limit of core dumps counts, since a process may raise its soft one', () => {
    expect(parseCoreLimit(fixture('proc/limits'))).toBe(Number.POSITIVE_INFINITY);
    expect(parseCoreLimit(fixture('proc/limits-without-core-dumps'))).toBe(0);
    expect(parseCoreLimit('')).toBeNull();
  });
});
