// Is there a recent good backup by Windows Server or Veeam, and was anything ever brought back from it?
import * as v from 'valibot';
import { conclude, judged, measured, type JudgedFacts, type Problem } from '../check.ts';
import { count } from '../../wire/schemas/primitives.ts';
import {
  choice,
  hoursAgo,
  isoTime,
  judgeMachine,
  machineFacts,
  MACHINE_KEYS,
  number,
  unseenMachine,
} from './machine-facts.ts';
import { windowsCheck, type RunbookParams } from './windows-check.ts';

const DAY_H = 24;
const NO_ERROR = '0x00000000';

const factsSchema = v.strictObject({
  ...machineFacts,
  /** Windows Server Backup; null where it is not there. */
  wsb: v.nullable(
    v.strictObject({
      policy: v.boolean(),
      last_success_at: v.nullable(isoTime),
      last_result: v.pipe(v.string(), v.regex(/^0x[0-9A-F]{8}$/)),
      versions: count,
      next_at: v.nullable(isoTime),
      running: v.boolean(),
      /** As listed at the place where the backups lie. */
      stored_sets: count,
      stored_newest: v.nullable(isoTime),
      restored_at: v.nullable(isoTime),
    }),
  ),
  veeam: v.nullable(
    v.strictObject({
      jobs: v.pipe(
        v.array(
          v.strictObject({
            scheduled: v.boolean(),
            last_result: v.picklist(['none', 'success', 'warning', 'failed']),
            running: v.boolean(),
            last_success_at: v.nullable(isoTime),
          }),
        ),
        v.maxLength(200),
      ),
      corrupted_points: count,
      restored_at: v.nullable(isoTime),
    }),
  ),
});
type Facts = v.InferOutput<typeof factsSchema>;

interface Part {
  readonly problems: readonly Problem[];
  readonly facts: JudgedFacts;
}

type Age = 'fresh' | 'old' | 'critical' | 'never' | 'future';

interface Limits {
  readonly hours: number;
  readonly criticalHours: number;
}

function ageOf(hours: number | null, { hours: limit, criticalHours }: Limits): Age {
  if (hours === null) return 'never';
  if (hours < 0) return 'future';
  if (hours > criticalHours) return 'critical';
  return hours > limit ? 'old' : 'fresh';
}

/** The newest time that is not in the future, in hours; a date ahead of the machine's own clock says nothing. */
function newest(times: readonly (string | null)[], at: number | null): number | null {
  const ages = times.map((time) => hoursAgo(time, at)).filter((age) => age !== null);
  return ages.length === 0 ? null : Math.min(...ages);
}

const AGE_SEVERITY = { old: 'high', critical: 'critical', never: 'critical', future: 'high' } as const;

function ageProblem(what: string, age: Age, hours: number | null, limit: number): Problem[] {
  if (age === 'fresh') return [];
  const sentences = {
    never: `there never was a good backup by ${what}`,
    future: `the last good backup by ${what} is dated in the future, so it proves nothing`,
    old: `the last good backup by ${what} is ${hours} hours old (limit ${limit})`,
    critical: `the last good backup by ${what} is ${hours} hours old (limit ${limit})`,
  };
  return [{ sentence: sentences[age], remedy: 'look at why it failed, and run a backup', severity: AGE_SEVERITY[age] }];
}

function judgeWsb({ wsb }: Facts, limits: Limits, at: number | null): Part {
  if (wsb === null) return { problems: [], facts: {} };
  const what = 'Windows Server';
  // What is listed where the backups lie counts; the catalogue of the machine alone would outlive a stolen disk.
  const hours = newest(wsb.stored_newest === null ? [] : [wsb.last_success_at, wsb.stored_newest], at);
  const stored = hoursAgo(wsb.stored_newest, at);
  const age = ageOf(wsb.stored_newest === null ? null : Math.max(hours ?? 0, stored ?? 0), limits);
  const problems: Problem[] = [];
  if (!wsb.policy) {
    const remedy = 'set a scheduled backup up';
    problems.push({
      sentence: 'the backup of Windows Server is installed and has no schedule',
      remedy,
      severity: 'critical',
    });
  } else if (wsb.stored_sets === 0 && wsb.last_success_at !== null) {
    const remedy = 'find out where the disk or share of the backups is';
    problems.push({
      sentence: 'a backup succeeded, and the place where it should lie lists none',
      remedy,
      severity: 'critical',
    });
  } else {
    problems.push(...ageProblem(what, age, stored, limits.hours));
  }
  if (wsb.policy && wsb.last_result !== NO_ERROR && !wsb.running) {
    const remedy = 'look its code up, and run a backup';
    problems.push({
      sentence: 'the last backup by Windows Server ended with an error',
      remedy,
      severity: 'high',
    });
  }
  return {
    problems,
    facts: {
      wsb: age,
      wsb_hours: stored,
      wsb_result: Number.parseInt(wsb.last_result, 16),
      wsb_versions: wsb.versions,
      wsb_policy: wsb.policy,
      wsb_running: wsb.running,
    },
  };
}

function judgeVeeam({ veeam }: Facts, limits: Limits, at: number | null): Part {
  if (veeam === null) return { problems: [], facts: {} };
  const scheduled = veeam.jobs.filter((job) => job.scheduled);
  const ages = scheduled.map((job) => hoursAgo(job.last_success_at, at));
  const worst = ages.some((hours) => hours === null)
    ? null
    : ages.reduce<number | null>((most, hours) => Math.max(most ?? 0, hours ?? 0), null);
  const age = ages.some((hours) => hours !== null && hours < 0) ? 'future' : ageOf(worst, limits);
  const failed = scheduled.filter((job) => job.last_result === 'failed' && !job.running).length;
  const problems: Problem[] = [];
  if (scheduled.length === 0) {
    const remedy = 'put the backup jobs on a schedule';
    problems.push({ sentence: 'Veeam is installed and has no job on a schedule', remedy, severity: 'critical' });
  } else {
    problems.push(...ageProblem(`a job of Veeam`, age, worst, limits.hours));
  }
  if (failed > 0) {
    const remedy = 'look at what Veeam says about them';
    problems.push({
      sentence: `${failed} of ${scheduled.length} jobs of Veeam failed when they last ran`,
      remedy,
      severity: 'high',
    });
  }
  if (veeam.corrupted_points > 0) {
    const remedy = 'make a new full backup, and find out what the storage does';
    problems.push({
      sentence: `${veeam.corrupted_points} restore points of Veeam are damaged`,
      remedy,
      severity: 'critical',
    });
  }
  return {
    problems,
    facts: {
      veeam: scheduled.length === 0 ? 'never' : age,
      veeam_hours: worst,
      veeam_jobs: scheduled.length,
      veeam_jobs_failed: failed,
      veeam_points_corrupted: veeam.corrupted_points,
    },
  };
}

/** Of each product that is here: a recovery of the server's own backup, or a machine that SureBackup started. */
function judgeRestore({ wsb, veeam }: Facts, params: RunbookParams, at: number | null): Part {
  const limit = number(params, 'restore_days');
  const each = [wsb, veeam].flatMap((product) => (product === null ? [] : [hoursAgo(product.restored_at, at)]));
  const proven = each.filter((hours) => hours !== null && hours >= 0 && hours <= limit * DAY_H);
  const state =
    each.length === 0 ? 'not_seen' : proven.length === each.length ? 'proven' : each.includes(null) ? 'never' : 'old';
  const known = each.filter((hours) => hours !== null);
  const facts = { restore: state, restore_hours: known.length === 0 ? null : Math.max(...known) };
  if (state === 'proven' || state === 'not_seen' || choice(params, 'restore_proof') === 'none')
    return { problems: [], facts };
  const sentence =
    state === 'never'
      ? 'nothing was ever brought back from the backup, so nobody knows whether it can be'
      : `nothing was brought back from the backup for more than ${limit} days`;
  return {
    problems: [{ sentence, remedy: 'restore something from it, and look at what came back', severity: 'high' }],
    facts,
  };
}

export const backupWindowsCheck = windowsCheck({
  id: 'windows_backup',
  runbook: 'RB-WIN-BACKUP-001',
  version: 1,
  title: 'A recent good backup from which something was brought back',
  cadenceS: 3_600,
  factsSchema,
  factKeys: {
    ...MACHINE_KEYS,
    wsb: judged('name'),
    wsb_hours: measured('integer'),
    /** HRESULT of the last backup; 0 is none. */
    wsb_result: judged('integer'),
    wsb_versions: measured('integer'),
    wsb_policy: judged('boolean'),
    wsb_running: measured('boolean'),
    veeam: judged('name'),
    veeam_hours: measured('integer'),
    veeam_jobs: judged('integer'),
    veeam_jobs_failed: judged('integer'),
    veeam_points_corrupted: judged('integer'),
    restore: judged('name'),
    restore_hours: measured('integer'),
  },
  judge(input) {
    const { facts: given, params } = input;
    const machine = judgeMachine(input);
    if (machine.at === null) return unseenMachine(machine);
    const product = choice(params, 'product');
    if (product === 'elsewhere') {
      const sentence = 'this machine is backed up from another one, as its parameters say: nothing to see from within';
      return { result: 'not_applicable', severity: 'info', sentence, facts: machine.facts };
    }
    const isWanted = (name: string): boolean => product === 'any' || product === name;
    const facts = {
      ...given,
      wsb: isWanted('windows_server_backup') ? given.wsb : null,
      veeam: isWanted('veeam') ? given.veeam : null,
    };
    const limits = { hours: number(params, 'backup_hours'), criticalHours: number(params, 'backup_critical_hours') };
    const isNone = facts.wsb === null && facts.veeam === null;
    const none: Problem[] =
      isNone && machine.unknowns.length === 0
        ? [
            {
              sentence: 'nothing that makes backups is installed here',
              remedy: 'set a backup up, or say in the parameters that this machine is backed up from elsewhere',
              severity: 'critical',
            },
          ]
        : [];
    const parts = [
      judgeWsb(facts, limits, machine.at),
      judgeVeeam(facts, limits, machine.at),
      judgeRestore(facts, params, machine.at),
    ];
    const hours = [parts[0]?.facts['wsb_hours'], parts[1]?.facts['veeam_hours']].filter(
      (one) => typeof one === 'number',
    );
    return conclude({
      problems: [...none, ...parts.flatMap((part) => part.problems)],
      unknowns: machine.unknowns,
      passSentence: `the last good backup is ${Math.max(0, ...hours)} hours old, it is listed where it lies, and something was brought back from one within ${number(params, 'restore_days')} days`,
      facts: Object.assign({}, machine.facts, ...parts.map((part) => part.facts)) as JudgedFacts,
    });
  },
});
