// The baseline and the control maps that the checks judge by, read once at start.
import { join } from 'node:path';
import { readdirSync } from 'node:fs';
import type { LoadedBaseline } from '../checks/baseline.ts';
import { parseBaseline } from '../checks/baseline.ts';
import type { ControlMap } from '../checks/controls.ts';
import { parseControlMap } from '../checks/controls.ts';
import { readFileLimited } from '../system/files.ts';

export interface LoadedChecks {
  readonly baseline: LoadedBaseline;
  /** As they are handed to the privileged helpers, which judge by their digest. */
  readonly baselineBytes: Buffer;
  readonly controls: readonly ControlMap[];
}

/** Far more than any baseline or map needs. */
const MAX_DATA_BYTES = 1_048_576;

/**
 * `contentDir` is the folder `runbooks/` of the package.
 * @throws {AgentError} where a file is missing or wrong, naming file and line
 */
export function loadChecks(contentDir: string, baselinePath: string | null): LoadedChecks {
  const path = baselinePath ?? join(contentDir, 'baselines', 'appliance.yaml');
  const controlsDir = join(contentDir, 'controls');
  const maps = readdirSync(controlsDir).filter((name) => name.endsWith('.yaml'));
  const baselineBytes = readFileLimited(path, MAX_DATA_BYTES);
  return {
    baseline: parseBaseline(baselineBytes, path),
    baselineBytes,
    controls: maps.toSorted().map((name) => {
      const place = join(controlsDir, name);
      return parseControlMap(readFileLimited(place, MAX_DATA_BYTES), place);
    }),
  };
}
