import { describe, expect, it } from 'vitest';
import { clockSound } from '../../../agent/daemon/clock-sound.ts';

describe('a clock that is sound enough for disruptive work', () => {
  it.each([
    ['was never looked at', undefined, false],
    ['failed its check', { result: 'fail' as const, facts: { offset_ms: 1 } }, false],
    ['could not be read', { result: 'unknown' as const, facts: {} }, false],
    ['passed, and tells no offset', { result: 'pass' as const, facts: { offset_ms: null } }, true],
    ['passed within ntp_max_skew_ms', { result: 'pass' as const, facts: { offset_ms: -2_000 } }, true],
    [
      'passed by a baseline that is more lenient than ntp_max_skew_ms',
      { result: 'pass' as const, facts: { offset_ms: 2_001 } },
      false,
    ],
  ])('where it %s: %o is %s', (_name, finding, sound) => {
    expect(clockSound(finding, 2_000)).toBe(sound);
  });
});
