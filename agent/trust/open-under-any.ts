// A document under the newest of several roots that takes it: a key that was replaced since signs nothing new, but what it signed
// in its time stays what it was.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { Root } from '../wire/schemas/root.ts';

/**
 * @param roots newest first
 * @throws the error of the first root where none of them takes it
 */
export function openUnderAny<T>(roots: readonly Root[], open: (root: Root) => T): T {
  let first: AgentError | null = null;
  for (const root of roots) {
    try {
      return open(root);
    } catch (error) {
      if (!isAgentError(error)) throw error;
      first ??= error;
    }
  }
  throw first ?? new AgentError('root_invalid', 'there is no trust root');
}

/** A root is published within this time after it was drafted (its `issued_at`), or drafted anew. Until then the keys before it sign. */
export const ROOT_PUBLISHED_WITHIN_S = 14 * 86_400;

/**
 * The roots whose keys could sign something about what began at `at` (Unix seconds): not those that had been replaced by then.
 *
 * @param roots newest first
 */
export function inForceFrom(roots: readonly Root[], at: number): Root[] {
  const [newest] = roots;
  return roots.filter((root) => {
    if (root === newest) return true;
    const next = roots.find(({ version }) => version === root.version + 1) ?? newest;
    return next !== undefined && at <= next.issued_at + ROOT_PUBLISHED_WITHIN_S;
  });
}
