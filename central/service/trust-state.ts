// The signed documents in force, parsed once and read again only when the database holds a newer version (the command line
// adds them while the server runs).
import { AgentError } from '../../agent/errors/agent-error.ts';
import { parseDocument } from '../../agent/wire/document.ts';
import { parseEnvelope } from '../../agent/wire/dsse.ts';
import { maxLineBytes } from '../../agent/wire/document.ts';
import type { ContentList } from '../../agent/wire/schemas/content.ts';
import type { Revocations } from '../../agent/wire/schemas/root.ts';
import type { SitePolicy } from '../../agent/wire/schemas/site-policy.ts';
import { parseRoot, type PinnedRoot } from '../../agent/trust/root.ts';
import type { CentralStore } from '../store/open-central-store.ts';

export interface InForce<T> {
  readonly value: T;
  readonly version: number;
  readonly digest: string;
  readonly line: string;
}

export interface TrustState {
  /** @throws central_damaged when the database holds none */
  root(): PinnedRoot;
  /** All versions before the one in force, the newest first: old logs began under them. */
  earlierRoots(): readonly PinnedRoot[];
  content(): InForce<ContentList> | null;
  policy(siteId: string): InForce<SitePolicy> | null;
  revocations(): InForce<Revocations> | null;
}

export function trustState(store: CentralStore): TrustState {
  let roots: PinnedRoot[] = [];
  const cache = new Map<string, InForce<unknown>>();

  const load = (): readonly PinnedRoot[] => {
    const newest = store.documents.latestVersion('root');
    if (newest === null) throw new AgentError('central_damaged', 'the database holds no trust root');
    while ((roots[0]?.root.version ?? 0) < newest) {
      const row = store.documents.byVersion('root', '', (roots[0]?.root.version ?? 0) + 1);
      if (row === null) throw new AgentError('central_damaged', 'the database misses a version of the trust root');
      roots = [parseRoot(row.line, { expectedDigest: row.digest }), ...roots];
    }
    return roots;
  };

  /** Documents were verified when they were added; from our own database they are only parsed. */
  const inForce = <T>(
    kind: 'content' | 'policy' | 'revocations',
    scope: string,
    parse: (payload: Buffer) => T,
    maxBytes: number,
  ): InForce<T> | null => {
    const version = store.documents.latestVersion(kind, scope);
    if (version === null) return null;
    const key = `${kind}/${scope}`;
    const known = cache.get(key);
    if (known?.version === version) return known as InForce<T>;
    const row = store.documents.latest(kind, scope);
    if (row === null) return null;
    const value = parse(parseEnvelope(row.line, { maxBytes }).payload);
    const found = { value, version: row.version, digest: row.digest, line: row.line };
    cache.set(key, found);
    return found;
  };

  return {
    root: () => load()[0] as PinnedRoot,
    earlierRoots: () => load().slice(1),
    content: () => inForce('content', '', (bytes) => parseDocument('contentList', bytes), maxLineBytes('contentList')),
    policy: (siteId) =>
      inForce('policy', siteId, (bytes) => parseDocument('sitePolicy', bytes), maxLineBytes('sitePolicy')),
    revocations: () =>
      inForce('revocations', '', (bytes) => parseDocument('revocations', bytes), maxLineBytes('revocations')),
  };
}
