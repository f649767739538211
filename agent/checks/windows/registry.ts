// All Windows checks; each judges the facts of one runbook of runbooks/windows/.
import { judged, measured, type FactKey } from '../check.ts';
import { avWindowsCheck } from './av.ts';
import { firewallCheck } from './firewall.ts';
import { adWindowsCheck } from './ad.ts';
import { backupWindowsCheck } from './backup.ts';
import { encryptionWindowsCheck } from './encryption.ts';
import { loggingWindowsCheck } from './logging.ts';
import { patchWindowsCheck } from './patch.ts';
import type { WindowsCheck } from './windows-check.ts';

export const WINDOWS_CHECKS: readonly WindowsCheck[] = [
  patchWindowsCheck,
  avWindowsCheck,
  firewallCheck,
  loggingWindowsCheck,
  backupWindowsCheck,
  encryptionWindowsCheck,
  adWindowsCheck,
];

/** Keys that the common code adds to any Windows check. */
const COMMON_KEYS: Readonly<Record<string, FactKey>> = {
  unseen: judged('name'),
  used_cpu_ms: measured('integer'),
  used_bytes: measured('integer'),
};

/** Check id → key → type: the whole vocabulary of facts in findings about Windows. */
export const WINDOWS_FACT_KEYS: Readonly<Record<string, Readonly<Record<string, FactKey>>>> = Object.fromEntries(
  WINDOWS_CHECKS.map((check) => [check.id, { ...COMMON_KEYS, ...check.factKeys }]),
);
