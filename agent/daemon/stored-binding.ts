// The binding that this appliance was enrolled with, verified again at each start.
import type { Store } from '../store/open-store.ts';
import { openBinding } from '../trust/binding.ts';
import type { Opened } from '../trust/open-document.ts';
import { openUnderAny } from '../trust/open-under-any.ts';
import { parseRoot } from '../trust/root.ts';

/** Under the newest root or any before it: a partner that replaces its registrar key must not lock out who is enrolled. */
export function openStoredBinding(store: Store, line: string): Opened<'binding'> {
  const roots = store.trust
    .roots()
    .toSorted((a, b) => b.version - a.version)
    .map((row) => parseRoot(row.line, { expectedDigest: row.digest }).root);
  return openUnderAny(roots, (root) => openBinding(root, line, { place: 'stored binding' }));
}
