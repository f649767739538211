// The kernel's wall clock: whether something disciplines it, and setting it. Node has no API for either, so libc is called
// through koffi; no D-Bus is needed, and no other program.
import { createRequire } from 'node:module';
import { AgentError } from '../errors/agent-error.ts';

/** Linux values of adjtimex(2) and clock_settime(2); the same on x86-64 and arm64. */
const CLOCK_REALTIME = 0;
const TIME_ERROR = 5;
const MAX_ERROR_OFFSET = 24;
/** Larger than `struct timex` (208 bytes). */
const TIMEX_BYTES = 512;
const TIMESPEC_BYTES = 16;
/** What systemd too takes for synchronised: an estimated error of less than 16 s (NTP_PHASE_LIMIT), microseconds. */
const SYNCHRONISED_BELOW_US = 16_000_000n;

export interface KernelClock {
  /** Whether something disciplines the clock. @throws helper_clock_failed where the kernel does not say */
  isSynchronised(): boolean;
  /** @throws helper_clock_failed with the errno */
  set(unixMs: number): void;
}

/** Loads koffi (about 3 MiB). */
export function openKernelClock(): KernelClock {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const libc = koffi.load(null);
  const adjtimex = libc.func('int adjtimex(void *timex)');
  const settime = libc.func('int clock_settime(int clock, void *timespec)');
  return {
    isSynchronised() {
      // All zero asks for nothing to be changed.
      const timex = Buffer.alloc(TIMEX_BYTES);
      const state = Number(adjtimex(timex));
      if (state < 0) {
        throw new AgentError(
          'helper_clock_failed',
          `the kernel does not say how the clock is (errno ${koffi.errno()})`,
        );
      }
      return state !== TIME_ERROR && timex.readBigInt64LE(MAX_ERROR_OFFSET) < SYNCHRONISED_BELOW_US;
    },
    set(unixMs) {
      const timespec = Buffer.alloc(TIMESPEC_BYTES);
      timespec.writeBigInt64LE(BigInt(Math.floor(unixMs / 1_000)), 0);
      timespec.writeBigInt64LE(BigInt(Math.round(unixMs % 1_000) * 1_000_000), 8);
      if (Number(settime(CLOCK_REALTIME, timespec)) !== 0) {
        throw new AgentError('helper_clock_failed', `the kernel refused the time (errno ${koffi.errno()})`);
      }
    },
  };
}
