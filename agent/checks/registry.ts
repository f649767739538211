// All checks, and every key that they put into evidence.
import { judged, type Check, type FactKey } from './check.ts';
import { avEdrCheck } from './av-edr.ts';
import { backupCheck } from './backup.ts';
import { clockCheck } from './clock.ts';
import { diskCheck } from './disk.ts';
import { encryptionCheck } from './encryption.ts';
import { firewallCheck } from './firewall.ts';
import { loggingCheck } from './logging.ts';
import { patchingCheck } from './patching.ts';
import { selfCheck } from './self.ts';

export const CHECKS: readonly Check[] = [
  clockCheck,
  diskCheck,
  firewallCheck,
  selfCheck,
  loggingCheck,
  patchingCheck,
  avEdrCheck,
  backupCheck,
  encryptionCheck,
];

/** Keys that the common code adds to any check. */
function commonKeys(check: Check): Record<string, FactKey> {
  const unreadable = check.probes.map((probe) => [`unreadable_${probe}`, judged('name')] as const);
  return { expected: judged('name'), baseline_signed: judged('boolean'), ...Object.fromEntries(unreadable) };
}

/** Check id → key → type: the whole vocabulary of facts in findings. What evidence lets through has to be the same. */
export const FACT_KEYS: Readonly<Record<string, Readonly<Record<string, FactKey>>>> = Object.fromEntries(
  CHECKS.map((check) => [check.id, { ...commonKeys(check), ...check.factKeys }]),
);
