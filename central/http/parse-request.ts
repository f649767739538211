import type { IncomingHttpHeaders } from 'node:http';
import * as v from 'valibot';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { id, origin, sha256Hex } from '../../agent/wire/schemas/primitives.ts';
import type { StoredKind } from '../store/document-table.ts';

/** A header that must be there once. @throws request_malformed */
export function oneHeader(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  if (typeof value !== 'string') throw new AgentError('request_malformed', `the header ${name} is missing`);
  return value;
}

/** @throws request_malformed */
export function originHeader(headers: IncomingHttpHeaders): string {
  const value = oneHeader(headers, 'x-evidence-origin');
  if (!v.is(origin, value)) throw new AgentError('request_malformed', 'x-evidence-origin is no log origin');
  return value;
}

/** @throws request_malformed */
export function seqHeader(headers: IncomingHttpHeaders): number {
  const value = oneHeader(headers, 'x-evidence-first-seq');
  const seq = Number(value);
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(value) || !Number.isSafeInteger(seq)) {
    throw new AgentError('request_malformed', 'x-evidence-first-seq is no entry number');
  }
  return seq;
}

/** @throws document_unknown: a name that cannot exist is as unknown as one that does not */
export function documentRef(params: unknown): { kind: StoredKind; ref: string } {
  const { kind, ref } = params as { kind: StoredKind; ref: string };
  const fits = kind === 'root' ? /^[1-9][0-9]{0,9}$/.test(ref) : KINDS.has(kind) && v.is(sha256Hex, ref);
  if (!fits) throw new AgentError('document_unknown', 'no document can have this name');
  return { kind, ref };
}

/** @throws document_unknown */
export function contentRef(params: unknown): string {
  const { digest } = params as { digest: string };
  if (!v.is(sha256Hex, digest)) throw new AgentError('document_unknown', 'no content can have this name');
  return digest;
}

/** @throws request_malformed */
export function applianceParam(params: unknown): string {
  const { appliance } = params as { appliance: string };
  if (!v.is(id, appliance)) throw new AgentError('request_malformed', 'the address holds no appliance id');
  return appliance;
}

/** Documents that are named by digest. */
const KINDS: ReadonlySet<string> = new Set<StoredKind>(['content', 'policy', 'revocations']);
