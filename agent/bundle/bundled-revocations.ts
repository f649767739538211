// The list of revocations to verify by. A log that is revoked looks like any other: whoever holds the list has to bring it.
import type { Opened } from '../trust/open-document.ts';
import { openUnderAny } from '../trust/open-under-any.ts';
import { openRevocations } from '../trust/revocations.ts';
import type { RootChain } from './root-chain.ts';

/** Where it lies in a bundle. */
export const REVOCATIONS_FILE = 'revocations.json';

/**
 * Opens lists by the chain of roots, and gives the newest; null without any. A list counts under the root that its signers had
 * their keys in, as it does on an appliance. Whether a root is expired is not asked.
 *
 * @throws what openRevocations throws
 */
export function newestRevocations(
  chain: Pick<RootChain, 'current' | 'earlier'>,
  lists: readonly { readonly line: string; readonly place: string }[],
): Opened<'revocations'> | null {
  const roots = [chain.current.root, ...chain.earlier.toReversed()];
  const opened = lists.map(({ line, place }) =>
    openUnderAny(roots, (root) => openRevocations(root, line, { currentVersion: null, place })),
  );
  return opened.toSorted((a, b) => b.value.version - a.value.version)[0] ?? null;
}
