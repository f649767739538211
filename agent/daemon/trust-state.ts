// The documents in force, read from the store and verified again at each load: a disk is not a place of trust.
import { isAgentError } from '../errors/agent-error.ts';
import type { Store } from '../store/open-store.ts';
import { AgentError } from '../errors/agent-error.ts';
import { openContentList, rulesetDigest } from '../trust/content-list.ts';
import type { Opened } from '../trust/open-document.ts';
import { openPolicy } from '../trust/policy.ts';
import { openRevocations, revokedKeyids } from '../trust/revocations.ts';
import type { PinnedRoot } from '../trust/root.ts';
import { parseRoot } from '../trust/root.ts';
import { maxLineBytes, parseDocument } from '../wire/document.ts';
import { parseEnvelope } from '../wire/dsse.ts';
import type { Revocations } from '../wire/schemas/root.ts';

export interface TrustState {
  root(): PinnedRoot;
  /** Null before the first content list, or when the one in the store does not verify any more. */
  content(): Opened<'contentList'> | null;
  policy(): Opened<'sitePolicy'> | null;
  /** Of the content list in force, counted once: every entry carries it. */
  rulesetDigest(): string | null;
  /** Version of the revocations in force; null before the first. */
  revocationsVersion(): number | null;
  revokedKeyids(): ReadonlySet<string>;
  /** Why a stored document is not in force, in plain sentences. */
  problems(): readonly string[];
  /** Looks whether the store holds other documents than these, and takes them up: cheap where it does not. */
  refresh(): void;
}

/** Throws `root_invalid` when the pinned root itself cannot be used: nothing can be verified without it. */
export function loadTrustState(store: Store, siteId: string): TrustState {
  let held = namesOf(store);
  let loaded = load(store, siteId);
  return {
    root: () => loaded.root,
    content: () => loaded.content,
    policy: () => loaded.policy,
    rulesetDigest: () => loaded.ruleset,
    revocationsVersion: () => loaded.revocations?.version ?? null,
    revokedKeyids: () => loaded.revoked,
    problems: () => loaded.problems,
    refresh() {
      const names = namesOf(store);
      if (names === held) return;
      loaded = load(store, siteId);
      held = names;
    },
  };
}

/** Digests of everything that is loaded from. */
function namesOf(store: Store): string {
  const documents = (['revocations', 'content', 'policy'] as const).map((kind) => store.trust.document(kind)?.digest);
  return JSON.stringify([store.trust.roots().map((row) => row.digest), documents]);
}

/**
 * Revocations only ever take trust away, so a list that was accepted goes on counting where its own signers have been
 * replaced by a new root since; dropping it would make revoked keys good again.
 */
function loadRevocations(store: Store, root: PinnedRoot, problems: string[]): Revocations | null {
  const row = store.trust.document('revocations');
  if (row === null) return null;
  try {
    return openRevocations(root.root, row.line, { currentVersion: 0 }).value;
  } catch (error) {
    if (!isAgentError(error)) throw error;
    problems.push(`The stored revocations do not verify and count all the same: ${error.message}.`);
  }
  const { payload } = parseEnvelope(row.line, { maxBytes: maxLineBytes('revocations'), place: 'stored revocations' });
  return parseDocument('revocations', payload, 'stored revocations');
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
  const revocations = loadRevocations(store, root, problems);
  const revoked = revokedKeyids(revocations);
  const options = { currentVersion: 0, revokedKeyids: revoked };
  const content = open('content', (line) => openContentList(root.root, line, options));
  const policy = open('policy', (line) => openPolicy(root.root, line, { ...options, siteId }));
  const ruleset = rulesetDigest(content?.value ?? null);
  return { root, revocations, revoked, content, policy, problems, ruleset };
}
