// What of the documents that were handed over comes into force: the same rules as in the daemon, from what the helpers hold
// themselves. All of it or nothing. Pure.
import { AgentError } from '../errors/agent-error.ts';
import type { ErrorCode } from '../errors/codes.ts';
import { openBinding } from '../trust/binding.ts';
import { openContentList } from '../trust/content-list.ts';
import { openDocument, type Opened } from '../trust/open-document.ts';
import { openPolicy } from '../trust/policy.ts';
import { openRevocations, revokedKeyids } from '../trust/revocations.ts';
import { acceptSuccessor, parseRoot, type PinnedRoot } from '../trust/root.ts';
import { timeT, type SignedTime } from '../trust/signed-time.ts';
import { payloadDigest } from '../wire/document.ts';
import { readSource } from '../trust/open-document.ts';
import { judgeTime, type ClockReading } from './judge-time.ts';
import type { HeldDocument, HeldLines, HeldTrust } from './held-trust.ts';

export interface Offered extends Omit<HeldLines, 'root'> {
  /** Signed roots, oldest first: from the one that is held, or from the first, to the newest. */
  readonly roots: readonly string[];
  /** A signed answer to a check-in: says what time it is. */
  readonly answer: string | null;
}

export interface SyncContext {
  /** Digest of the first root (`root_sha256`); null where the configuration names none. */
  readonly firstRootSha256: string | null;
  readonly known: SignedTime | null;
  readonly clock: ClockReading;
}

export interface Synced {
  readonly root: PinnedRoot;
  /** What comes into force; null where what is held stays. */
  readonly news: { readonly [K in keyof HeldLines]: string | null };
  readonly time: SignedTime;
}

/**
 * @throws helper_root_unknown, root_version, helper_input_missing, helper_time_…, helper_other_appliance, and the errors of
 *   acceptSuccessor, openDocument, openRevocations, openContentList, openPolicy and openBinding
 */
export function judgeSync(held: HeldTrust, offered: Offered, context: SyncContext): Synced {
  const pinned = walkRoots(held.root, offered.roots, context.firstRootSha256);
  const { root } = pinned;
  const time = judgeAnswer(pinned, held.revoked, offered.answer, context);
  const now = timeT(time, context.clock.bootMs, context.clock.bootId) ?? time.serverTime;

  const options = { now, revokedKeyids: held.revoked };
  const revocations = take(held.revocations, offered.revocations, 'revocations', (line) =>
    openRevocations(root, line, { ...options, currentVersion: held.revocations?.value.version ?? null }),
  );
  const revoked = revocations === null ? held.revoked : revokedKeyids(revocations.value);
  const later = { now, revokedKeyids: revoked };
  const binding = take(held.binding, offered.binding, 'binding', (line) =>
    openBinding(root, line, { revokedKeyids: revoked }),
  );
  if (binding !== null) assertSameAppliance(held.binding, binding);
  const content = take(held.content, offered.content, 'contentList', (line) =>
    openContentList(root, line, { ...later, currentVersion: held.content?.value.version ?? null }),
  );
  const policy = take(held.policy, offered.policy, 'sitePolicy', (line) => {
    const siteId = (binding ?? held.binding)?.value.site_id;
    if (siteId === undefined) {
      throw new AgentError('helper_input_missing', 'a policy was handed over, and no binding says whose site this is');
    }
    return openPolicy(root, line, { ...later, siteId, currentVersion: held.policy?.value.version ?? null });
  });
  return {
    root: pinned,
    time,
    news: {
      root: pinned.digest === held.root?.digest ? null : pinned.line,
      revocations: revocations?.line ?? null,
      binding: binding?.line ?? null,
      content: content?.line ?? null,
      policy: policy?.line ?? null,
    },
  };
}

/**
 * The signed time of an answer, verified under a root that the helpers hold.
 *
 * @throws helper_input_missing, helper_time_…, the errors of openDocument
 */
export function judgeAnswer(
  { root }: PinnedRoot,
  revoked: ReadonlySet<string>,
  answer: string | null,
  { known, clock }: Pick<SyncContext, 'known' | 'clock'>,
): SignedTime {
  if (answer === null) throw new AgentError('helper_input_missing', 'no signed answer was handed over');
  const { value } = openDocument(root, 'timestamp', 'checkinAnswer', answer, {
    place: 'answer',
    revokedKeyids: revoked,
  });
  return judgeTime(known, value.server_time, clock);
}

function walkRoots(held: PinnedRoot | null, lines: readonly string[], firstSha256: string | null): PinnedRoot {
  let current = held ?? firstRoot(lines, firstSha256);
  let newest = 0;
  for (const [n, line] of lines.entries()) {
    const place = `offered root ${n + 1} of ${lines.length}`;
    // Read to see where it belongs; it counts only through the root before it.
    const { version } = parseRoot(line, { place }).root;
    newest = Math.max(newest, version);
    if (version > current.root.version) current = acceptSuccessor(current, line, place);
  }
  // A daemon whose disk was set back, or one that shows us how it was.
  if (lines.length > 0 && newest < current.root.version) {
    throw new AgentError('root_version', `root ${newest} was handed over, root ${current.root.version} is held`, {
      details: { held: current.root.version, offered: newest },
    });
  }
  return current;
}

function firstRoot(lines: readonly string[], sha256: string | null): PinnedRoot {
  const line =
    sha256 === null
      ? undefined
      : lines.find((one) => payloadDigest(readSource('root', one, 'root').envelope) === sha256);
  if (sha256 !== null && line !== undefined) return parseRoot(line, { expectedDigest: sha256, place: 'first root' });
  throw new AgentError(
    'helper_root_unknown',
    sha256 === null ? 'root_sha256 is not set' : 'no root with the digest of root_sha256 was handed over',
  );
}

type Kept = 'revocations' | 'contentList' | 'sitePolicy' | 'binding';

/** Null where nothing, or what is held already, was handed over. */
function take<N extends Kept>(
  held: HeldDocument<N> | null,
  line: string | null,
  name: N,
  open: (line: string) => Opened<N>,
): Opened<N> | null {
  if (line === null) return null;
  if (held !== null && payloadDigest(readSource(name, line, name).envelope) === held.digest) return null;
  return open(line);
}

const OTHER: ErrorCode = 'helper_other_appliance';

/** One machine is one appliance, and its epochs only follow each other; a renewed binding of the same epoch is younger. */
function assertSameAppliance(held: HeldDocument<'binding'> | null, { value }: Opened<'binding'>): void {
  if (held === null) return;
  const old = held.value;
  const is = `${value.appliance_id}, epoch ${value.epoch}`;
  if (value.appliance_id !== old.appliance_id) {
    throw new AgentError(OTHER, `the binding is of ${is}; the helpers work for ${old.appliance_id}`);
  }
  if (value.epoch < old.epoch || (value.epoch === old.epoch && value.issued_at < old.issued_at)) {
    throw new AgentError(OTHER, `the binding is of ${is}; a later one is held (epoch ${old.epoch})`);
  }
}
