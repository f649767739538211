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
