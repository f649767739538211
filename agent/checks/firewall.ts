// Is the packet filter the declared one, and does nothing else listen?
import { HOOKS, type FirewallFacts } from '../facts/firewall.ts';
import { jcsDigest } from '../wire/jcs.ts';
import type { FirewallBaseline } from './baseline.ts';
import { conclude, declaredOr, judged, measured, readOr } from './check.ts';
import type { Check, JudgedFacts, Problem } from './check.ts';
import { nameListeners, undeclaredListeners } from './listeners.ts';

const RELOAD = 'load the declared ruleset again (nftables.service), and find out what changed it';

interface Part {
  readonly problems: readonly Problem[];
  readonly unknowns: readonly string[];
  readonly facts: JudgedFacts;
}

function judgeTables(read: FirewallFacts, declared: FirewallBaseline): Part {
  const problems: Problem[] = [];
  const unknowns: string[] = [];
  const counts = { matching: 0, missing: 0, changed: 0, unsettled: 0 };
  for (const table of declared.tables) {
    const found = read.tables.find((t) => t.family === table.family && t.name === table.name);
    const label = `table ${table.family} ${table.name}`;
    if (found === undefined) {
      counts.missing++;
      problems.push({ sentence: `${label} is missing`, remedy: RELOAD, severity: 'critical' });
    } else if (table.sha256 === 'none') {
      counts.unsettled++;
      unknowns.push(`the baseline holds no digest for ${label}, so its rules could not be compared`);
    } else if (found.sha256 === table.sha256) {
      counts.matching++;
    } else {
      counts.changed++;
      problems.push({ sentence: `${label} is not as declared`, remedy: RELOAD, severity: 'high' });
    }
  }
  const isDeclared = (t: { family: string; name: string }): boolean =>
    declared.tables.some((d) => d.family === t.family && d.name === t.name);
  const undeclared = read.tables.filter((t) => !isDeclared(t));
  if (undeclared.length > 0 && declared.undeclared_tables === 'fail') {
    problems.push({
      sentence: `tables that nobody declared: ${undeclared.length} of ${read.tables.length}`,
      remedy: 'remove the tables, or declare them in the baseline (compliance-agent facts firewall names them)',
      severity: 'medium',
    });
  }
  const judged = declared.undeclared_tables === 'fail' ? read.tables : read.tables.filter(isDeclared);
  return {
    problems,
    unknowns,
    facts: {
      tables_sha256: jcsDigest(judged.map((t) => [t.family, t.name, t.sha256])),
      tables_declared: declared.tables.length,
      tables_matching: counts.matching,
      tables_missing: counts.missing,
      tables_changed: counts.changed,
      tables_undeclared: undeclared.length,
    },
  };
}

function judgePolicies(read: FirewallFacts, declared: FirewallBaseline): Part {
  const problems = HOOKS.flatMap((hook): Problem[] => {
    const wanted = declared.default_policy[hook];
    const found = read.policies[hook];
    if (wanted === 'any' || wanted === found) return [];
    const severity = wanted === 'drop' ? 'critical' : 'medium';
    return [{ sentence: `the default for ${hook} is ${found}, declared is ${wanted}`, remedy: RELOAD, severity }];
  });
  return { problems, unknowns: [], facts: Object.fromEntries(HOOKS.map((h) => [`${h}_policy`, read.policies[h]])) };
}

const REFRESH = {
  late: 'nothing has opened the egress table for three turns of its timer, so every door in it has closed',
  never: 'nothing has opened the egress table since the machine started',
} as const;

/** What the baseline is silent about is not judged: a machine without the egress table has nothing that opens it. */
function judgeEgress({ egressRefresh: found = 'unreadable' }: FirewallFacts, declared: FirewallBaseline): Part {
  if (declared.egress_refresh !== 'required') return { problems: [], unknowns: [], facts: {} };
  const facts = { egress_refresh: found };
  if (found === 'current') return { problems: [], unknowns: [], facts };
  if (found === 'unreadable') {
    return { problems: [], unknowns: ['whether the egress table is opened again and again could not be read'], facts };
  }
  const remedy = 'see the journal of compliance-agent-egress.service and of its timer';
  return { problems: [{ sentence: REFRESH[found], remedy, severity: 'high' }], unknowns: [], facts };
}

export const firewallCheck: Check = {
  id: 'firewall',
  version: 1,
  title: 'The declared packet filter, and no unexpected listener',
  cadenceS: 600,
  probes: ['firewall', 'listeners'],
  factKeys: {
    tables_sha256: judged('digest'),
    tables_declared: judged('integer'),
    tables_matching: judged('integer'),
    tables_missing: judged('integer'),
    tables_changed: judged('integer'),
    // Where undeclared tables are allowed they may come and go; where not, tables_sha256 covers them.
    tables_undeclared: measured('integer'),
    input_policy: judged('name'),
    output_policy: judged('name'),
    forward_policy: judged('name'),
    egress_refresh: judged('name'),
    listeners: measured('names'),
    listeners_undeclared: judged('names'),
  },
  judge({ facts, baseline }) {
    const baselineOr = declaredOr(baseline, 'firewall');
    if ('judgement' in baselineOr) return baselineOr.judgement;
    const { declared } = baselineOr;
    const rules = readOr(facts, 'firewall', 'the packet filter');
    const sockets = readOr(facts, 'listeners', 'the listening sockets');
    const parts: Part[] = [];
    if ('value' in rules) {
      const { value } = rules;
      parts.push(judgeTables(value, declared), judgePolicies(value, declared), judgeEgress(value, declared));
    } else parts.push({ problems: [], unknowns: [rules.judgement.sentence], facts: rules.judgement.facts });

    if (!('value' in sockets)) {
      parts.push({ problems: [], unknowns: [sockets.judgement.sentence], facts: sockets.judgement.facts });
    } else {
      const found = sockets.value.listeners;
      const extra = declared.listeners === 'any' ? [] : undeclaredListeners(found, declared.listeners);
      const names = nameListeners(extra);
      parts.push({
        problems:
          extra.length === 0
            ? []
            : [
                {
                  sentence: `listening sockets that nobody declared: ${names.slice(0, 8).join(', ')}`,
                  remedy: 'stop the service that listens, or declare its port in the baseline',
                  severity: 'high',
                },
              ],
        unknowns: [],
        facts: { listeners: nameListeners(found), listeners_undeclared: names },
      });
    }
    return conclude({
      problems: parts.flatMap((p) => p.problems),
      unknowns: parts.flatMap((p) => p.unknowns),
      passSentence: `${declared.tables.length} declared tables are loaded unchanged, defaults are as declared, and no undeclared socket listens`,
      facts: Object.assign({}, ...parts.map((p) => p.facts)) as JudgedFacts,
    });
  },
};
