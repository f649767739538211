import { join } from 'node:path';
import { openSegmentFolder } from './segment-folder.ts';
import type { SegmentStore } from './segment-store.ts';
import type { StoreAddress } from './store-address.ts';

export interface OpenSegmentStore {
  readonly dataDir: string;
  readonly address: StoreAddress;
  /** Wall clock, Unix seconds. */
  readonly now: () => number;
  /** For the server: id of this installation, and how long its claim of a bucket is locked (Unix seconds). Null to read only. */
  readonly owner: { readonly id: string; readonly retainUntil: number } | null;
}

/** Opens the store of an address. The S3 client is loaded only for a bucket. @throws as each of them */
export async function openSegmentStore({ dataDir, address, now, owner }: OpenSegmentStore): Promise<SegmentStore> {
  if (address.kind === 'folder') {
    return await openSegmentFolder(evidenceDir(dataDir), { immutable: address.immutable, readOnly: owner === null });
  }
  const { openSegmentBucket } = await import('./segment-bucket.ts');
  return await openSegmentBucket(address, { now, owner });
}

const evidenceDir = (dataDir: string): string => join(dataDir, 'evidence');
