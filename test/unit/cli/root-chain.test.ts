import { describe, it, expect } from 'vitest';
import { rootChain } from '../../../agent/bundle/root-chain.ts';
import { parseRoot } from '../../../agent/trust/root.ts';
import { expectCode } from '../../support/expect-code.ts';
import { makeTrust } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
/** The root of the fixture at a higher version, with the same keys and signed by them. */
function version(n: number): string {
  return trust.sign('root', { ...trust.root.root, version: n, issued_at: trust.root.root.issued_at + n });
}
const lines = [trust.root.line, version(2), version(3)];
const digests = lines.map((line) => parseRoot(line).digest);

describe('rootChain', () => {
  it('walks from the pinned root to the newest', () => {
    const chain = rootChain(lines, digests[0] ?? '', 'x');
    expect([chain.current.root.version, chain.vouched, chain.pinnedDigest]).toEqual([3, true, digests[0]]);
    expect(chain.earlier.map((root) => root.version)).toEqual([1, 2]);
  });

  it('leaves out roots that are older than the pinned one', () => {
    const chain = rootChain(lines, digests[1] ?? '', 'x');
    expect([chain.current.root.version, chain.earlier.map((root) => root.version)]).toEqual([3, [2]]);
  });

  it('vouches for nothing where no digest is given', () => {
    expect(rootChain(lines, null, 'x').vouched).toBe(false);
  });

  it('refuses a digest that no root has, also one of a root by somebody else', () => {
    expectCode(() => rootChain(lines, 'ab'.repeat(32), 'x'), 'root_digest_mismatch');
    expectCode(() => rootChain(lines, makeTrust({ seed: 'other' }).root.digest, 'x'), 'root_digest_mismatch');
  });

  it('refuses a successor that the pinned root did not sign, and a gap', () => {
    const other = makeTrust({ seed: 'other' });
    const foreign = other.sign('root', { ...other.root.root, version: 2 });
    expectCode(() => rootChain([lines[0] ?? '', foreign], digests[0] ?? '', 'x'), 'signature_invalid');
    expectCode(() => rootChain([lines[0] ?? '', lines[2] ?? ''], digests[0] ?? '', 'x'), 'root_version');
  });

  it('says that there is no root', () => {
    expectCode(() => rootChain([], null, 'x'), 'root_not_found');
    expectCode(() => rootChain([], digests[0] ?? '', 'x'), 'root_not_found');
  });

  it('refuses lines that are no root', () => {
    expectCode(() => rootChain(['{}'], null, 'x'), 'envelope_invalid');
  });
});
