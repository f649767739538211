// Everything that is judged before a helper changes something, in one place: which time it is, what is signed, what was handed
// over, and whether there are grounds. Pure.
import type { SignedTime } from '../trust/signed-time.ts';
import { backupUnit, unitToRestart } from './declared-units.ts';
import { judgeInputs, type HandedFiles, type HealInputs } from './heal-inputs.ts';
import type { HealLedger } from './heal-ledger.ts';
import type { HealAct } from './heal-request.ts';
import { judgeNow, openHealTrust } from './heal-trust.ts';
import type { HeldLines } from './held-trust.ts';
import { judgeGrounds, type GroundsVerdict } from './judge-grounds.ts';
import type { ClockReading } from './judge-time.ts';

export interface ActContext {
  readonly lines: HeldLines;
  readonly time: SignedTime | null;
  readonly clock: ClockReading;
  readonly ledger: HealLedger;
  readonly baselineId: string;
}

/** @throws the errors of judgeNow, openHealTrust and judgeInputs; what the grounds lack is its `stop` */
export function judgeAct(
  act: HealAct,
  files: HandedFiles,
  context: ActContext,
): GroundsVerdict & { readonly inputs: HealInputs } {
  const { clock, ledger } = context;
  const now = judgeNow(context.time, clock);
  const trust = openHealTrust(context.lines, now);
  const inputs = judgeInputs(act, files, trust.content, context.baselineId);
  const units = unitsOf(act, inputs);
  const grounds = { trust, ledger, now, clockSound: clock.synchronised, check: inputs.check, units };
  return { inputs, ...judgeGrounds(act, grounds) };
}

function unitsOf(act: HealAct, { baseline }: HealInputs): string[] {
  if (act.verb === 'restart-unit') return [unitToRestart(baseline, act.what)];
  return act.verb === 'run-backup' ? [backupUnit(baseline)] : [];
}
