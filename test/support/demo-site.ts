// One real site per test file: Central Command and an appliance as processes in a temporary folder, removed at the end.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Site, SiteOptions } from '../../tools/demo/site.ts';
import { createSite } from '../../tools/demo/site.ts';

export const REPO = join(import.meta.dirname, '../..');

/** Call at the top of a `describe`: the processes end and the folder goes after its last test. */
export function demoSite(
  config: readonly string[] = [],
  persons: readonly string[] = ['Alex Demo'],
  more: Omit<SiteOptions, 'dir' | 'repo' | 'config' | 'persons'> = {},
): Site {
  const dir = mkdtempSync(join(tmpdir(), 'site-'));
  const site = createSite({ dir, repo: REPO, config, persons, ...more });
  afterAll(async () => {
    await site.end();
    rmSync(dir, { recursive: true, force: true });
  });
  return site;
}
