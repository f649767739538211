// What the verbs for orders and for authorisations take in the same words.
import * as v from 'valibot';
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { ContentList } from '../../agent/wire/schemas/content.ts';
import { orderTarget, runbookRef, type Order } from '../../agent/wire/schemas/order.ts';
import { plainObject } from '../../agent/wire/schemas/primitives.ts';

/** @throws usage */
export function parseParams(text: string): Order['params'] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AgentError('usage', '--params is no JSON', { cause });
  }
  if (!v.is(plainObject, value)) throw new AgentError('usage', '--params is no object of plain values');
  return value;
}

/** @throws usage */
export function parseWindow(o: { readonly window: string; readonly reason?: string }): Order['window'] {
  if (o.window === 'require') return { mode: 'require' };
  if (o.window !== 'override') throw new AgentError('usage', '--window is require or override');
  if (o.reason === undefined) throw new AgentError('usage', '--window override needs --reason');
  return { mode: 'override', reason: o.reason };
}

/**
 * `ID:VERSION:SHA256`, or an id alone: then the newest version that the content list in force names.
 *
 * @throws usage
 */
export function parseRunbook(text: string, content: ContentList | null): NonNullable<Order['runbook']> {
  const [id, version, sha256] = text.split(':');
  const files = content?.files.filter((file) => file.kind === 'runbook' && file.id === text) ?? [];
  const listed = files.toSorted((a, b) => b.version - a.version)[0];
  const runbook =
    listed === undefined
      ? { id, version: Number(version), sha256 }
      : { id: listed.id, version: listed.version, sha256: listed.sha256 };
  if (v.is(runbookRef, runbook)) return runbook;
  throw new AgentError('usage', `--runbook ${text} is neither listed nor ID:VERSION:SHA256`);
}

/** `ID`, or `ID=IDENTITY` with the identity that the machine is pinned to. */
export function parseTarget(text: string): Order['targets'][number] {
  const [id, ...identity] = text.split('=');
  const target = identity.length === 0 ? { id } : { id, pinned_identity: identity.join('=') };
  if (v.is(orderTarget, target)) return target;
  throw new AgentError('usage', `--target ${text} is neither ID nor ID=IDENTITY`);
}
