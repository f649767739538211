import { existsSync, readdirSync } from 'node:fs';
import { originOfFolder } from '../evidence-store/segment-folder.ts';
import type { CentralStore } from '../store/open-central-store.ts';

/** Logs that have a folder or a receipt, sorted. */
export function storedOrigins(dir: string, store: CentralStore): string[] {
  const folders = existsSync(dir) ? readdirSync(dir).map(originOfFolder) : [];
  return [...new Set([...folders, ...store.evidence.origins()])].sort();
}
