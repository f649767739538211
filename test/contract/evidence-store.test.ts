import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { openSegmentFolder } from '../../central/evidence-store/segment-folder.ts';
import { evidenceStoreContract } from '../support/evidence-store-contract.ts';

describe('a folder of evidence', () => {
  evidenceStoreContract(async () => {
    const dir = mkdtempSync(join(tmpdir(), 'evidence-folder-'));
    return {
      open: () => openSegmentFolder(join(dir, 'evidence')),
      remove: () => rmSync(dir, { recursive: true, force: true }),
    };
  }, 15);
});
