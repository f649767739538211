// The files that the daemon hands over, by name, each with its limit. Whatever is missing was not handed over.
import { AgentError } from '../errors/agent-error.ts';
import type { HandedOver } from '../system/handed-over.ts';
import { maxLineBytes } from '../wire/document.ts';
import type { DocumentName } from '../wire/schemas/payload-types.ts';
import type { Offered } from './judge-sync.ts';

/** A walk through more roots at once is not needed: a partner replaces its root about once a year. */
export const MAX_ROOTS = 16;
/** PEM of an Ed25519 key has 119 bytes. */
export const MAX_KEY_BYTES = 4_096;

/** @throws helper_input_unsafe, file_too_large */
export function dropped(drop: HandedOver): Offered {
  const line = (file: string, name: DocumentName, times = 1): string | null => {
    const data = drop.read(file, (maxLineBytes(name) + 1) * times);
    return data === null ? null : data.toString('utf8').replace(/\n$/, '');
  };
  const roots = line('roots', 'root', MAX_ROOTS)?.split('\n') ?? [];
  if (roots.length > MAX_ROOTS) {
    throw new AgentError('file_too_large', `more than ${MAX_ROOTS} roots were handed over`, { place: 'roots' });
  }
  return {
    roots,
    answer: line('answer', 'checkinAnswer'),
    revocations: line('revocations', 'revocations'),
    content: line('content', 'contentList'),
    policy: line('policy', 'sitePolicy'),
    binding: line('binding', 'binding'),
  };
}
