import { describe, expect, it } from 'vitest';
import { statusText } from '../../../agent/daemon/status-text.ts';

const status = {
  state: 'enrolled',
  blocking_reason: null,
  appliance_id: 'north-1',
  site_id: 'north',
  fingerprint: 'ABCDEFGHIJKLMNOP',
} as const;

describe('the line for systemctl status', () => {
  it('names the appliance and its site once it is enrolled', () => {
    expect(statusText(status)).toBe('enrolled as north-1 at north');
  });

  it('gives the one blocking reason with its code, whatever the state', () => {
    const blocking_reason = {
      code: 'connect_failed',
      sentence: 'Central Command gave no usable answer: refused.',
      remedy: '-',
    };
    expect(statusText({ ...status, blocking_reason })).toBe(
      'enrolled as north-1 at north; Central Command gave no usable answer: refused. (connect_failed)',
    );
    expect(statusText({ ...status, state: 'unprovisioned', blocking_reason })).toMatch(/^unprovisioned; .*refused/);
  });

  it('shows the fingerprint while somebody has to confirm it', () => {
    expect(statusText({ ...status, state: 'pending' })).toBe('waiting for confirmation of ABCDEFGHIJKLMNOP');
  });
});
