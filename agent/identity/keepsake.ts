// Who this appliance is, kept beside its keys: what is needed to go on when the database is damaged. It holds no secret;
// whoever can change it can change the keys beside it. Its digest finds a file that was cut or damaged.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isAgentError } from '../errors/agent-error.ts';
import type { DocumentRow, EnrolledIdentity, RootRow } from '../store/open-store.ts';
import { PRIVATE_MODE, readFileLimited, writeFileAtomic } from '../system/files.ts';
import { sha256Hex } from '../wire/digest.ts';

export const KEEPSAKE_FILE = 'identity.json';
const MAX_BYTES = 16 * 1_024 * 1_024;
const SCHEMA = 'compliance-agent/keepsake/v1';

export interface Keepsake {
  readonly identity: EnrolledIdentity;
  /** Ascending by version. */
  readonly roots: readonly RootRow[];
  /** In force: so that a lost database brings back no policy, no content and no key that was replaced or revoked since. */
  readonly documents?: readonly DocumentRow[];
}

/** The file's text; equal texts need not be written again. */
export function keepsakeText({ identity, roots, documents }: Keepsake): string {
  const content = JSON.stringify({ identity, roots, documents });
  return `${JSON.stringify({ schema: SCHEMA, sha256: sha256Hex(Buffer.from(content)), content })}\n`;
}

/** @throws file_…, disk_full; what was there stays then */
export function writeKeepsake(keyDir: string, text: string): void {
  // What a kill left of an earlier one.
  for (const name of readdirSync(keyDir)) {
    if (name.startsWith(`.${KEEPSAKE_FILE}.`) && name.endsWith('.tmp')) rmSync(join(keyDir, name), { force: true });
  }
  writeFileAtomic(join(keyDir, KEEPSAKE_FILE), text, { mode: PRIVATE_MODE });
}

/** Null where there is none, or none that is whole. */
export function readKeepsake(keyDir: string): Keepsake | null {
  try {
    const text = readFileLimited(join(keyDir, KEEPSAKE_FILE), MAX_BYTES).toString('utf8');
    const { schema, sha256, content } = JSON.parse(text) as { schema: unknown; sha256: unknown; content: unknown };
    if (schema !== SCHEMA || typeof content !== 'string' || sha256Hex(Buffer.from(content)) !== sha256) return null;
    return JSON.parse(content) as Keepsake;
  } catch (error) {
    if (isAgentError(error) || error instanceof SyntaxError) return null;
    throw error;
  }
}
