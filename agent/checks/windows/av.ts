// Protection against malicious software: Microsoft Defender Antivirus, or another product that takes its place.
import * as v from 'valibot';
import { int } from '../../wire/schemas/primitives.ts';
import { conclude, judged, measured, type Problem } from '../check.ts';
import { flag, hoursAgo, isoTime, judgeMachine, MACHINE_KEYS, machineFacts, number } from './machine-facts.ts';
import { windowsCheck, type RunbookParams } from './windows-check.ts';

const count = int(0, 100_000);

const factsSchema = v.strictObject({
  ...machineFacts,
  defender: v.nullable(
    v.strictObject({
      state: v.picklist(['running', 'stopped', 'absent']),
      status: v.nullable(
        v.strictObject({
          /** AMRunningMode. */
          mode: v.picklist(['normal', 'passive', 'edr_block', 'not_running', 'other']),
          antivirus: v.boolean(),
          realtime: v.boolean(),
          behavior: v.boolean(),
          downloads: v.boolean(),
          tamper: v.boolean(),
          signatures_at: v.nullable(isoTime),
        }),
      ),
      exclusions: v.nullable(v.strictObject({ paths: count, extensions: count, processes: count, broad: count })),
    }),
  ),
  others: v.nullable(
    v.strictObject({
      /** Null on servers, which have no Security Center. */
      security_center: v.nullable(
        v.strictObject({
          list: v.pipe(v.array(v.strictObject({ on: v.boolean(), up_to_date: v.boolean() })), v.maxLength(32)),
        }),
      ),
      services: v.strictObject({ declared: int(0, 8), running: int(0, 8) }),
    }),
  ),
  /** What group policies switch off. */
  policy: v.nullable(
    v.strictObject({
      off: v.pipe(v.array(v.picklist(['defender', 'realtime', 'behavior', 'downloads'])), v.maxLength(4)),
    }),
  ),
  for_a_person: v.nullable(count),
});
type Facts = v.InferOutput<typeof factsSchema>;
type Defender = NonNullable<Facts['defender']>;

const HOURS_PER_DAY = 24;
const BY_POLICY = ', and a group policy sets that';

function switchedOff(defender: Defender, policy: readonly string[]): Problem[] {
  const { status } = defender;
  if (status === null) return [];
  const parts = [
    ['realtime', 'real-time protection is off', 'critical'],
    ['behavior', 'behaviour monitoring is off', 'high'],
    ['downloads', 'downloads are not scanned', 'high'],
  ] as const;
  return parts.flatMap(([part, sentence, severity]): Problem[] => {
    if (status[part]) return [];
    return policy.includes(part) || policy.includes('defender')
      ? [
          {
            sentence: sentence + BY_POLICY,
            remedy: 'change the group policy: it would undo a change made here',
            severity,
          },
        ]
      : [{ sentence, remedy: 'switch every part of the protection on', severity }];
  });
}

function judgeExclusions({ exclusions }: Defender, params: RunbookParams): Problem[] {
  if (exclusions === null) return [];
  const all = exclusions.paths + exclusions.extensions + exclusions.processes;
  const max = number(params, 'max_exclusions');
  const problems: Problem[] = [];
  if (exclusions.broad > 0) {
    problems.push({
      sentence: `${exclusions.broad} exclusions are so broad that little is left to look at`,
      remedy: 'replace them by the folders and programs that really need it',
      severity: 'high',
    });
  }
  if (all > max) {
    const remedy = 'remove the exclusions that nothing needs any more';
    problems.push({
      sentence: `there are ${all} exclusions and at most ${max} are expected`,
      remedy,
      severity: 'medium',
    });
  }
  return problems;
}

/** Microsoft Defender where nothing takes its place. */
function judgeDefender(defender: Defender, facts: Facts, params: RunbookParams, ageHours: number | null) {
  const unknowns: string[] = [];
  if (defender.state !== 'running' || defender.status === null) {
    const what = defender.state === 'absent' ? 'is not installed' : 'does not run';
    const managed = facts.policy?.off.includes('defender') === true ? BY_POLICY : '';
    const sentence = `Defender ${what}${managed}, and no other product is seen`;
    return {
      problems: [{ sentence, remedy: 'install or start a product', severity: 'critical' }] as Problem[],
      unknowns,
    };
  }
  const { status } = defender;
  if (status.mode === 'other') unknowns.push('Defender is in a mode that is not known here');
  else if (status.mode !== 'normal') {
    const sentence = 'Defender leaves the field to another product, and none is seen';
    const remedy = 'look whether the other product runs, or declare its services';
    return { problems: [{ sentence, remedy, severity: 'critical' }] as Problem[], unknowns };
  }
  const problems = switchedOff(defender, facts.policy?.off ?? []);
  if (!status.antivirus) {
    problems.push({
      sentence: 'the antivirus of Defender is off',
      remedy: 'find out what switched it off',
      severity: 'critical',
    });
  }
  const maxDays = number(params, 'max_signature_days');
  if (ageHours === null) unknowns.push('it is not known how old the signatures are');
  else if (ageHours < -1) unknowns.push('the signatures bear a time that is yet to come');
  else if (ageHours > maxDays * HOURS_PER_DAY) {
    problems.push({
      sentence: `the signatures are ${Math.floor(ageHours / HOURS_PER_DAY)} days old`,
      remedy: `update the signatures at least every ${maxDays} days`,
      severity: 'high',
    });
  }
  if (flag(params, 'tamper_required') && !status.tamper) {
    const remedy = 'switch tamper protection on where the site manages it';
    problems.push({ sentence: 'tamper protection is off', remedy, severity: 'high' });
  }
  return { problems: [...problems, ...judgeExclusions(defender, params)], unknowns };
}

export const avWindowsCheck = windowsCheck({
  id: 'windows_av',
  runbook: 'RB-WIN-AV-001',
  version: 1,
  title: 'Windows protection against malicious software',
  cadenceS: 3_600,
  factsSchema,
  factKeys: {
    ...MACHINE_KEYS,
    product: judged('name'),
    defender: judged('name'),
    realtime: judged('boolean'),
    tamper: judged('boolean'),
    signature_days: measured('integer'),
    exclusions: judged('integer'),
    exclusions_broad: judged('integer'),
    others_on: judged('integer'),
    managed: judged('boolean'),
  },
  judge(input) {
    const { facts, params } = input;
    const machine = judgeMachine(input);
    const { defender, others, policy } = facts;
    const products = others?.security_center?.list ?? [];
    const on = products.filter((product) => product.on);
    const declared =
      others !== null && others.services.declared > 0 && others.services.running === others.services.declared;
    const other = on.length > 0 || declared;
    const ageHours = hoursAgo(defender?.status?.signatures_at ?? null, machine.at);
    const problems: Problem[] = [];
    const unknowns = [...machine.unknowns];
    if (on.length > 0 && on.every((product) => !product.up_to_date)) {
      const sentence = 'the product that takes the place of Defender is out of date';
      problems.push({ sentence, remedy: 'update it', severity: 'high' });
    }
    if (!other && defender !== null && others !== null) {
      const one = judgeDefender(defender, facts, params, ageHours);
      problems.push(...one.problems);
      unknowns.push(...one.unknowns);
    }
    const { exclusions = null, status = null } = defender ?? {};
    return conclude({
      problems,
      unknowns,
      passSentence: other
        ? on.length > 0
          ? 'another product takes the place of Defender, is on and up to date'
          : 'all services that are declared to be another product run; the age of its signatures is not seen'
        : 'Defender is on, looks at files as they are opened, and its signatures are new',
      facts: {
        ...machine.facts,
        product: other ? 'other' : defender?.state === 'running' ? 'defender' : 'none',
        defender: status?.mode ?? defender?.state ?? null,
        realtime: status?.realtime ?? null,
        tamper: status?.tamper ?? null,
        signature_days: ageHours === null ? null : Math.max(0, Math.floor(ageHours / HOURS_PER_DAY)),
        exclusions: exclusions === null ? null : exclusions.paths + exclusions.extensions + exclusions.processes,
        exclusions_broad: exclusions?.broad ?? null,
        others_on: others === null ? null : on.length + others.services.running,
        managed: policy === null ? null : policy.off.length > 0,
      },
    });
  },
});
