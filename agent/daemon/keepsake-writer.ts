// Keeps the copy of who this appliance is beside its keys, as new as the store is.
import { isAgentError } from '../errors/agent-error.ts';
import { keepsakeText, writeKeepsake } from '../identity/keepsake.ts';
import type { DaemonContext } from './context.ts';

const KEPT = ['revocations', 'policy', 'content'] as const;

/** The returned function writes where something changed since it wrote last; it never throws for a file that cannot be written. */
export function createKeepsakeWriter({ store, log }: Pick<DaemonContext, 'store' | 'log'>, keyDir: string): () => void {
  let written = '';
  let failed = false;
  return () => {
    try {
      const identity = store.trust.identity();
      if (identity === null) return;
      const documents = KEPT.flatMap((kind) => store.trust.document(kind) ?? []);
      const text = keepsakeText({ identity, roots: store.trust.roots(), documents });
      if (text === written) return;
      writeKeepsake(keyDir, text);
      written = text;
      failed = false;
    } catch (error) {
      if (!isAgentError(error)) throw error;
      // Said once: it is tried again every few seconds.
      if (!failed) log.warn('the copy of the identity beside the keys is not written', { reason: error.describe() });
      failed = true;
    }
  };
}
