// What the documents that replace each other have in common: they rise in version, under a root that is in force.
import { AgentError } from '../errors/agent-error.ts';
import type { ErrorCode } from '../errors/codes.ts';
import type { Root } from '../wire/schemas/root.ts';
import { isRootExpired } from './root-warnings.ts';
import type { RoleOptions } from './verify-role.ts';

export interface DocumentOptions extends RoleOptions {
  /** Version in force; null before the first, and where a document is read back from the store. */
  readonly currentVersion: number | null;
  /**
   * Signed time, Unix seconds. Given where a *new* document is taken: an expired root accepts nothing but a newer root.
   * Left out where a document that is in force already is read back.
   */
  readonly now?: number | undefined;
}

/** @throws root_expired */
export function assertRootInForce(root: Root, o: Pick<DocumentOptions, 'now' | 'place'>): void {
  if (o.now === undefined || !isRootExpired(root, o.now)) return;
  throw new AgentError(
    'root_expired',
    `root ${root.version} is expired`,
    o.place === undefined ? {} : { place: o.place },
  );
}

/** @throws `code` unless `version` is above the one in force */
export function assertRising(
  code: ErrorCode,
  version: number,
  o: Pick<DocumentOptions, 'currentVersion' | 'place'>,
): void {
  if (o.currentVersion === null || version > o.currentVersion) return;
  throw new AgentError(code, `version ${version} does not rise above ${o.currentVersion}`, {
    ...(o.place === undefined ? {} : { place: o.place }),
    details: { offered: version, current: o.currentVersion },
  });
}
