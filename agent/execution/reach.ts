// Which Windows machines answer, as one finding of the site: when most of them are away at once, the network is what is wrong.
// Pure.
import { conclude, judged, type FactKey } from '../checks/check.ts';
import { factsDigest } from '../checks/judge-all.ts';
import type { EntryTarget } from '../wire/schemas/entry.ts';
import type { Finding } from '../wire/schemas/finding.ts';

/** How a target met its last look. */
export type Reach = 'answered' | 'unreachable' | 'unauthorised';

/** Below so many targets nothing is said of the network. */
export const DARK_FROM_TARGETS = 3;
/** Dark from this share of unreachable targets on, percent. */
export const DARK_FROM_PERCENT = 80;

export const REACH_CHECK = { id: 'windows_targets', version: 1, cadenceS: 3_600 } as const;
export const REACH_FACT_KEYS: Readonly<Record<string, FactKey>> = {
  targets: judged('integer'),
  unreachable: judged('integer'),
  unauthorised: judged('integer'),
};

const count = (reaches: readonly Reach[], which: Reach): number => reaches.filter((one) => one === which).length;

/** True where the machines' own findings would only repeat that the network is away. */
export function isDark(reaches: readonly Reach[]): boolean {
  const away = count(reaches, 'unreachable');
  return reaches.length >= DARK_FROM_TARGETS && away * 100 >= reaches.length * DARK_FROM_PERCENT;
}

/** The finding of the appliance about its targets. `now`: Unix seconds. */
export function reachFinding(
  reaches: readonly Reach[],
  o: { readonly now: number; readonly target: EntryTarget; readonly baseline: Finding['baseline'] },
): Finding {
  const unreachable = count(reaches, 'unreachable');
  const unauthorised = count(reaches, 'unauthorised');
  const facts = { targets: reaches.length, unreachable, unauthorised };
  const judgement = conclude({
    problems: isDark(reaches)
      ? [
          {
            sentence: `${unreachable} of ${reaches.length} Windows targets cannot be reached: their network is dark`,
            remedy: 'look at the switch, the router and the power of that network before the single machines',
            severity: 'high',
          },
        ]
      : [],
    unknowns: notKnown(reaches.length, unreachable, unauthorised),
    passSentence: `all ${reaches.length} Windows targets answered their last look`,
    facts,
  });
  return {
    target: o.target,
    check: { id: REACH_CHECK.id, version: REACH_CHECK.version },
    baseline: o.baseline,
    controls: [],
    severity: judgement.severity,
    result: judgement.result,
    sentence: judgement.sentence,
    ...(judgement.remedy === undefined ? {} : { remedy: judgement.remedy }),
    facts: { ...judgement.facts },
    facts_digest: factsDigest({ factKeys: REACH_FACT_KEYS }, judgement.facts),
    facts_read_at: o.now,
    observed_from: o.now,
    observed_to: o.now,
  };
}

function notKnown(targets: number, unreachable: number, unauthorised: number): string[] {
  if (targets === 0) return ['no Windows target was looked at'];
  if (unreachable + unauthorised === 0) return [];
  return [`${unreachable} of ${targets} Windows targets cannot be reached, ${unauthorised} refuse the credentials`];
}
