// What the helpers hold is root's own; damage of it is told apart from a bad hand-over, and nothing is taken as held.
import { describe, expect, it } from 'vitest';
import { NOTHING_HELD, readHeldTrust, type HeldLines } from '../../../agent/helpers/held-trust.ts';
import { sealDeviceKey } from '../../../agent/helpers/seal-credential.ts';
import { expectCode, expectCodeAsync } from '../../support/expect-code.ts';
import { fakeExec } from '../../support/fakes/fake-exec.ts';
import { helperTrust } from '../../support/helper-fixtures.ts';

const site = helperTrust();
const HELD: HeldLines = {
  root: site.root(1),
  revocations: site.revocations(2),
  content: site.content(3),
  policy: site.policy(4),
  binding: site.binding(),
};

describe('a document that the helpers hold and cannot read', () => {
  it.each(Object.keys(NOTHING_HELD) as (keyof HeldLines)[])('is damage of their state: %s cut short', (name) => {
    expect(readHeldTrust(HELD)[name]).not.toBeNull();
    const line = HELD[name] ?? '';
    expectCode(() => readHeldTrust({ ...HELD, [name]: line.slice(0, line.length / 2) }), 'helper_state_damaged');
  });

  it('is damage of their state: one document in the place of another', () => {
    expectCode(() => readHeldTrust({ ...HELD, policy: HELD.content }), 'helper_state_damaged');
  });
});

describe('a key that cannot be sealed', () => {
  it.each([
    ['systemd-creds fails', { code: 1, stderr: 'no key' }],
    ['systemd-creds says nothing', { stdout: '' }],
    ['what was sealed does not open again', { stdout: 'something else' }],
  ])('is refused where %s, and nothing is returned', async (_name, answer) => {
    const exec = fakeExec({ 'systemd-creds': () => answer });
    await expectCodeAsync(sealDeviceKey(exec, 'key', undefined), 'helper_seal_failed');
  });
});
