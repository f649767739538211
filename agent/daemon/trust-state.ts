// The documents in force, read from the store and verified again at each load: a disk is not a place of trust.
import { isAgentError } from '../errors/agent-error.ts';
import type { Store } from '../store/open-store.ts';
import { AgentError } from '../errors/agent-error.ts';
import { openContentList } from '../trust/content-list.ts';
import type { Opened } from '../trust/open-document.ts';
import { openPolicy } from '../trust/policy.ts';
import type { PinnedRoot } from '../trust/root.ts';
import { parseRoot } from '../trust/root.ts';

export interface TrustState {
  root(): PinnedRoot;
  /** Null before the first content list, or when the one in the store does not verify any more. */
  content(): Opened<'contentList'> | null;
  policy(): Opened<'sitePolicy'> | null;
  /** Why a stored document is not in force, in plain sentences. */
  problems(): readonly string[];
  /** Reads the store again. */
  reload(): void;
}

/** Throws `root_invalid` when the pinned root itself cannot be used: nothing can be verified without it. */
export function loadTrustState(store: Store, siteId: string): TrustState {
  let loaded = load(store, siteId);
  return {
    root: () => loaded.root,
    content: () => loaded.content,
    policy: () => loaded.policy,
    problems: () => loaded.problems,
    reload() {
      loaded = load(store, siteId);
    },
  };
}

function load(store: Store, siteId: string) {
  const pinned = store.trust.roots().toSorted((a, b) => b.version - a.version)[0];
  if (pinned === undefined) throw new AgentError('root_invalid', 'the store holds no trust root');
  const root = parseRoot(pinned.line, { expectedDigest: pinned.digest, place: `root version ${pinned.version}` });
  const problems: string[] = [];
  const open = <T>(kind: 'content' | 'policy', use: (line: string) => T): T | null => {
    const row = store.trust.document(kind);
    if (row === null) return null;
    try {
      return use(row.line);
    } catch (error) {
      if (!isAgentError(error)) throw error;
      problems.push(
        `The stored ${kind === 'content' ? 'content list' : 'site policy'} is not in force: ${error.message}.`,
      );
      return null;
    }
  };
  const content = open('content', (line) => openContentList(root.root, line, { currentVersion: 0 }));
  const policy = open('policy', (line) => openPolicy(root.root, line, { siteId, currentVersion: 0 }));
  return { root, content, policy, problems };
}
