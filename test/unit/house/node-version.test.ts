import { describe, expect, it } from 'vitest';

describe('the Node that npm scripts run on', () => {
  it('is 24, whatever the machine itself has', () => {
    expect(process.versions.node).toMatch(/^24\./);
  });
});
