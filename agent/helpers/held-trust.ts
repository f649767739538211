// The documents that the helpers hold, read back. They were verified when they were taken, and lie where only root writes: here
// they say what is held, and so what is a step back. Pure.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { revokedKeyids } from '../trust/revocations.ts';
import { parseRoot, type PinnedRoot } from '../trust/root.ts';
import { maxLineBytes, parseDocument, payloadDigest, type DocumentOf } from '../wire/document.ts';
import { parseEnvelope } from '../wire/dsse.ts';
import type { DocumentName } from '../wire/schemas/payload-types.ts';

/** As files `<name>.json`, each one signed line. */
export interface HeldLines {
  readonly root: string | null;
  readonly revocations: string | null;
  readonly content: string | null;
  readonly policy: string | null;
  readonly binding: string | null;
}

export const NOTHING_HELD: HeldLines = { root: null, revocations: null, content: null, policy: null, binding: null };

const document = <N extends DocumentName>(name: N): { readonly name: N; readonly maxBytes: number } => ({
  name,
  maxBytes: maxLineBytes(name) + 1,
});
export const HELD_DOCUMENTS = {
  root: document('root'),
  revocations: document('revocations'),
  content: document('contentList'),
  policy: document('sitePolicy'),
  binding: document('binding'),
} as const satisfies Record<keyof HeldLines, unknown>;

export interface HeldDocument<N extends DocumentName> {
  readonly value: DocumentOf<N>;
  readonly digest: string;
}

export interface HeldTrust {
  /** Null before the first. */
  readonly root: PinnedRoot | null;
  readonly revoked: ReadonlySet<string>;
  readonly revocations: HeldDocument<'revocations'> | null;
  readonly content: HeldDocument<'contentList'> | null;
  readonly policy: HeldDocument<'sitePolicy'> | null;
  readonly binding: HeldDocument<'binding'> | null;
}

/** @throws helper_state_damaged */
export function readHeldTrust(lines: HeldLines): HeldTrust {
  const read = <N extends DocumentName>(name: N, line: string | null): HeldDocument<N> | null => {
    if (line === null) return null;
    const { payload, ...envelope } = parseEnvelope(line, { maxBytes: maxLineBytes(name) });
    return { value: parseDocument(name, payload), digest: payloadDigest({ ...envelope, payload }) };
  };
  try {
    const revocations = read('revocations', lines.revocations);
    return {
      root: lines.root === null ? null : parseRoot(lines.root, { place: 'root of the helpers' }),
      revoked: revokedKeyids(revocations?.value ?? null),
      revocations,
      content: read('contentList', lines.content),
      policy: read('sitePolicy', lines.policy),
      binding: read('binding', lines.binding),
    };
  } catch (error) {
    if (!isAgentError(error)) throw error;
    throw new AgentError('helper_state_damaged', `what the helpers hold cannot be read: ${error.message}`, {
      cause: error,
    });
  }
}
