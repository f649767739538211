// Learnt rules for the appliance itself that were demoted here: what the privileged helpers are told, so that nobody who takes over this
// daemon later can have them act by such a rule.
import { learntRules } from '../healing/learning/learnt-rules.ts';
import type { RuleIndex } from '../healing/rule-index.ts';
import type { Store } from '../store/open-store.ts';

export interface GivenUpRule {
  readonly sha256: string;
  /** The rule's file, as it was signed. */
  readonly bytes: Buffer;
}

/** In the order of the rules. @throws store_corrupt */
export function givenUpAtHome({
  store,
  healing,
}: {
  readonly store: Pick<Store, 'settings' | 'content'>;
  readonly healing: { readonly rules: { readonly index: Pick<RuleIndex, 'learnt'> } };
}): GivenUpRule[] {
  const { learnt } = healing.rules.index;
  const own = learnt.filter(({ file }) => file.platform === 'appliance');
  if (own.length === 0) return [];
  const known = learntRules(store);
  return own.flatMap(({ sha256 }) => {
    const bytes = known.get(sha256)?.state === 'demoted' ? store.content.read(sha256) : null;
    return bytes === null ? [] : [{ sha256, bytes }];
  });
}
