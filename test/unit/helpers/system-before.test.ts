import { describe, expect, it } from 'vitest';
import { systemBefore } from '../../../agent/helpers/update-plan.ts';

const path = (digit: string): string => `/nix/store/${digit.repeat(32)}-nixos-system`;
const [OLD, NEW, TRIED] = [path('1'), path('2'), path('3')];

describe('the system that an update goes back to', () => {
  it.each<[string, string | null, string | null, string | null]>([
    ['is the one that runs and starts', OLD, OLD, OLD],
    ['is never one that a way back did not get rid of, when that is tried once more', OLD, NEW, OLD],
    ['is the one that starts where another one was tried by hand', OLD, TRIED, OLD],
    ['is the one that runs where the new one is set to start and was never tried', NEW, OLD, OLD],
    ['is the one that runs where no profile says what starts', null, OLD, OLD],
    ['is not known where nothing of the Nix store runs or starts', null, '/usr/lib/systemd', null],
  ])('%s', (_, starts, running, expected) => {
    expect(systemBefore(NEW, { starts, running })).toBe(expected);
  });
});
