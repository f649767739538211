import { createHash, randomBytes } from 'node:crypto';
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { Records } from './central.ts';

const TOKEN_BYTES = 32;
/** How long a token may be good for. */
export const MAX_TOKEN_DAYS = 90;
export const DEFAULT_TOKEN_DAYS = 14;

/** SHA-256 of the token's bytes, hex: all that is stored of it. */
export function tokenDigest(token: string): string {
  return createHash('sha256').update(Buffer.from(token, 'base64')).digest('hex');
}

/**
 * Makes a one-time token for one device of a site. It is returned once and stored nowhere.
 *
 * @throws site_unknown
 */
export function newToken(
  central: Pick<Records, 'store' | 'now'>,
  siteId: string,
  days: number,
): { token: string; expiresAt: number } {
  if (central.store.appliances.site(siteId) === null) {
    throw new AgentError('site_unknown', `there is no site ${siteId}`);
  }
  const token = randomBytes(TOKEN_BYTES).toString('base64');
  const now = central.now();
  const expiresAt = now + days * 86_400;
  central.store.unit(() => {
    central.store.enrolments.addToken({
      sha256: tokenDigest(token),
      site_id: siteId,
      created_at: now,
      expires_at: expiresAt,
    });
    central.store.access.add({ at: now, action: 'token_made', subject: siteId, detail: `${days} days` });
  });
  return { token, expiresAt };
}
