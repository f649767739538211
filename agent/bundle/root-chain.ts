// The trust root to verify by: pinned by the digest that the caller brings from outside, then walked up to the newest. Pure.
import { AgentError } from '../errors/agent-error.ts';
import { acceptSuccessor, parseRoot, type PinnedRoot } from '../trust/root.ts';
import { readSource } from '../trust/open-document.ts';
import { payloadDigest } from '../wire/document.ts';
import type { Root } from '../wire/schemas/root.ts';

export interface RootChain {
  readonly current: PinnedRoot;
  /** Versions between the pinned one and the current one, the pinned one included. */
  readonly earlier: readonly Root[];
  /** True where the caller named the digest of one of the roots; without that anybody could have made them. */
  readonly vouched: boolean;
  /** Digest of the root that the chain begins with. */
  readonly pinnedDigest: string;
}

const digestOf = (line: string, place: string): string => payloadDigest(readSource('root', line, place).envelope);

/**
 * `lines` are root documents in rising order. With `digest` the chain begins at the root that has it; older ones are left
 * out, since nothing that is pinned speaks for them.
 * @throws root_not_found, root_digest_mismatch, and what parseRoot and acceptSuccessor throw
 */
export function rootChain(lines: readonly string[], digest: string | null, place: string): RootChain {
  const at = digest === null ? 0 : lines.findIndex((line) => digestOf(line, place) === digest);
  const first = lines[at];
  if (first === undefined) {
    if (lines.length === 0) throw new AgentError('root_not_found', 'there is no trust root', { place });
    const found = lines.map((line) => digestOf(line, place)).join(', ');
    throw new AgentError('root_digest_mismatch', `no root here has the given digest; there is ${found}`, { place });
  }
  const pinned = parseRoot(first, digest === null ? { place } : { expectedDigest: digest, place });
  const chain = [pinned];
  for (const line of lines.slice(at + 1)) chain.push(acceptSuccessor(chain.at(-1) ?? pinned, line, place));
  return {
    current: chain.at(-1) ?? pinned,
    earlier: chain.slice(0, -1).map((one) => one.root),
    vouched: digest !== null,
    pinnedDigest: pinned.digest,
  };
}
