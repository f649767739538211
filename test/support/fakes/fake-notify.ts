// A service manager that only listens.
import type { Notify } from '../../../agent/system/ports.ts';

export interface FakeNotify extends Notify {
  /** `READY=1`, `STATUS=…`, `WATCHDOG=1`, `STOPPING=1` in order. */
  readonly sent: readonly string[];
}

export function fakeNotify(options: { readonly watchdogMs?: number } = {}): FakeNotify {
  const sent: string[] = [];
  return {
    sent,
    ready: () => void sent.push('READY=1'),
    watchdog: () => void sent.push('WATCHDOG=1'),
    status: (text) => void sent.push(`STATUS=${text}`),
    stopping: () => void sent.push('STOPPING=1'),
    watchdogMs: options.watchdogMs ?? null,
  };
}
