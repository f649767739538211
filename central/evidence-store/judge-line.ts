import { isAgentError } from '../../agent/errors/agent-error.ts';
import { keyidOf } from '../../agent/wire/keys.ts';
import type { PinnedRoot } from '../../agent/trust/root.ts';
import type { LogIdentity } from '../../agent/verify/log-identity.ts';
import { openEntry } from '../../agent/verify/open-entry.ts';
import { readBinding } from '../service/read-binding.ts';

/** The code that says why a line is no valid entry at its place; null for a good one. `prev`: hex leaf of the line before. */
export type LineJudge = (line: Buffer, seq: number, prev: string) => string | null;

/**
 * Judges lines as `evidence verify` would. They are stored either way: what an appliance wrote is kept, however wrong.
 *
 * @param binding the registrar's signed line; it comes from our own database and is not verified again
 */
export function lineJudge(
  trust: { root(): PinnedRoot; earlierRoots(): readonly PinnedRoot[] },
  binding: { readonly line: string; readonly device_spki: string; readonly origin: string },
): LineJudge {
  const root = trust.root().root;
  const earlierRoots = trust.earlierRoots().map((pinned) => pinned.root);
  const bound = identityOf(binding.line);
  return (line, seq, prev) => {
    try {
      const text = line.toString('utf8');
      const opened = openEntry(text, { root, earlierRoots, seq, prev, identity: seq === 0 ? null : bound });
      const { origin, device_spki } = opened.identity.bound;
      return origin === binding.origin && device_spki === binding.device_spki ? null : 'entry_unbound';
    } catch (error) {
      if (isAgentError(error)) return error.code;
      throw error;
    }
  };
}

function identityOf(line: string): LogIdentity {
  const binding = readBinding({ line });
  const { value } = binding;
  return { bound: value, predecessor: null, binding, keyid: keyidOf(value.device_spki), status: value.status };
}
