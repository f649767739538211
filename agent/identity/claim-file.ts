// The claim code of this moment: shown on the console, or typed there by a person. It lies in the state directory, readable by
// the agent and root only, so that a restart does not change what somebody is just typing.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { isAgentError } from '../errors/agent-error.ts';
import { PRIVATE_MODE, readFileLimited, writeFileAtomic } from '../system/files.ts';
import type { Clock, Ids } from '../system/ports.ts';
import { CLAIM_CODE_BYTES, CLAIM_LIFE_S } from '../wire/claim-code.ts';

export const CLAIM_FILE = 'claim.json';
const MAX_BYTES = 1_024;
/** A code is shown a little shorter than Central Command takes it: nobody is to type one that ends meanwhile. */
const SHOWN_MS = (CLAIM_LIFE_S - 30) * 1_000;

const claimSchema = v.strictObject({
  schema: v.literal('compliance-agent/shown-claim/v1'),
  /** 32 lower-case hex digits. */
  code: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  made_by: v.picklist(['device', 'person']),
  /** On the boot clock of `boot_id`, milliseconds. */
  boot_ms: v.number(),
  boot_id: v.string(),
  /** Wall clock, Unix seconds; for people only. */
  until: v.number(),
});
export type ShownClaim = v.InferOutput<typeof claimSchema>;

type Deps = { readonly clock: Clock; readonly ids: Ids };

/** What is shown now; a new code where there is none, or where the one before has had its time. @throws file_…, disk_full */
export function currentClaim(stateDir: string, { clock, ids }: Deps): ShownClaim {
  const known = readClaim(stateDir);
  const age = known?.boot_id === clock.bootId() ? clock.bootMs() - known.boot_ms : SHOWN_MS;
  if (known !== null && age >= 0 && age < SHOWN_MS) return known;
  return writeClaim(stateDir, clock, ids.randomBytes(CLAIM_CODE_BYTES).toString('hex'), 'device');
}

/** A code that a person brought from Central Command takes the place of the shown one. @throws file_…, disk_full */
export function typedClaim(stateDir: string, clock: Clock, code: string): ShownClaim {
  return writeClaim(stateDir, clock, code, 'person');
}

/** Null where there is none, or none that can be read. */
export function readClaim(stateDir: string): ShownClaim | null {
  try {
    const value: unknown = JSON.parse(readFileLimited(join(stateDir, CLAIM_FILE), MAX_BYTES).toString('utf8'));
    return v.is(claimSchema, value) ? value : null;
  } catch (error) {
    if (isAgentError(error) || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Once the appliance is enrolled no code counts. */
export function removeClaim(stateDir: string): void {
  rmSync(join(stateDir, CLAIM_FILE), { force: true });
}

function writeClaim(stateDir: string, clock: Clock, code: string, madeBy: ShownClaim['made_by']): ShownClaim {
  const claim: ShownClaim = {
    schema: 'compliance-agent/shown-claim/v1',
    code,
    made_by: madeBy,
    boot_ms: clock.bootMs(),
    boot_id: clock.bootId(),
    until: Math.floor((clock.wallMs() + SHOWN_MS) / 1_000),
  };
  writeFileAtomic(join(stateDir, CLAIM_FILE), `${JSON.stringify(claim)}\n`, { mode: PRIVATE_MODE });
  return claim;
}
