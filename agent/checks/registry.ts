// All checks, and every key that they put into evidence.
import type { Check, FactKind } from './check.ts';
import { clockCheck } from './clock.ts';
import { diskCheck } from './disk.ts';
import { firewallCheck } from './firewall.ts';
import { selfCheck } from './self.ts';

export const CHECKS: readonly Check[] = [clockCheck, diskCheck, firewallCheck, selfCheck];

/** Undefined for a name that no check has. */
export function checkById(id: string): Check | undefined {
  return CHECKS.find((check) => check.id === id);
}

/** Keys that the common code adds to any check. */
function commonKeys(check: Check): Record<string, FactKind> {
  const unreadable = check.probes.map((probe) => [`unreadable_${probe}`, 'judged'] as const);
  return { expected: 'judged', baseline_signed: 'judged', ...Object.fromEntries(unreadable) };
}

/** Check id → key → kind: the whole vocabulary of facts in findings. Anything else is a defect. */
export const FACT_KEYS: Readonly<Record<string, Readonly<Record<string, FactKind>>>> = Object.fromEntries(
  CHECKS.map((check) => [check.id, { ...commonKeys(check), ...check.factKeys }]),
);
