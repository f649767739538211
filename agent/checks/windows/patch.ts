// Are all critical and important updates installed within their time, and is no restart being put off?
import * as v from 'valibot';
import { conclude, judged, measured, type JudgedFacts, type Problem } from '../check.ts';
import { hoursAgo, isoTime, judgeMachine, machineFacts, MACHINE_KEYS, number, unseenMachine } from './machine-facts.ts';
import { windowsCheck, type RunbookParams } from './windows-check.ts';

const DAY_H = 24;

const update = v.strictObject({
  level: v.picklist(['critical', 'important', 'moderate', 'low', 'none']),
  published_at: v.nullable(isoTime),
  hidden: v.boolean(),
  waits_for_reboot: v.boolean(),
  interactive: v.boolean(),
});
type Update = v.InferOutput<typeof update>;

const factsSchema = v.strictObject({
  ...machineFacts,
  updates: v.nullable(v.pipe(v.array(update), v.maxLength(2_000))),
  last: v.nullable(v.strictObject({ search_at: v.nullable(isoTime), install_at: v.nullable(isoTime) })),
  reboot: v.nullable(
    v.strictObject({
      updates: v.boolean(),
      servicing: v.boolean(),
      files: v.boolean(),
      booted_at: v.nullable(isoTime),
    }),
  ),
  managed: v.nullable(v.picklist(['nobody', 'wsus', 'wufb', 'mdm'])),
  task: v.nullable(v.picklist(['none', 'running', 'left_behind'])),
});
type Facts = v.InferOutput<typeof factsSchema>;

interface Part {
  readonly problems: readonly Problem[];
  readonly unknowns: readonly string[];
  readonly facts: JudgedFacts;
}

/** An update without a date is due: nobody can say that it is not. */
function isOverdue(
  { level, published_at, waits_for_reboot }: Update,
  at: number | null,
  params: RunbookParams,
): boolean {
  if (waits_for_reboot || (level !== 'critical' && level !== 'important')) return false;
  const hours = hoursAgo(published_at, at);
  return hours === null || hours > number(params, `${level}_days`) * DAY_H;
}

function judgeUpdates({ updates, managed }: Facts, params: RunbookParams, at: number | null): Part {
  if (updates === null) return { problems: [], unknowns: [], facts: {} };
  const overdue = updates.filter((one) => isOverdue(one, at, params));
  const of = (level: Update['level']): number => overdue.filter((one) => one.level === level).length;
  const critical = of('critical');
  const important = of('important');
  const hidden = overdue.filter((one) => one.hidden).length;
  const interactive = overdue.filter((one) => one.interactive && !one.hidden).length;
  const elsewhere =
    managed === null || managed === 'nobody' ? '' : '; whoever manages the updates of this machine has to release them';
  const remedy = `install the updates in the maintenance window${elsewhere}`;
  const problems: Problem[] = [];
  if (critical > 0) {
    const sentence = `${critical} critical updates are missing for more than ${number(params, 'critical_days')} days`;
    problems.push({ sentence, remedy, severity: 'critical' });
  }
  if (important > 0) {
    const sentence = `${important} important updates are missing for more than ${number(params, 'important_days')} days`;
    problems.push({ sentence, remedy, severity: 'high' });
  }
  if (hidden > 0) {
    const sentence = `${hidden} of them were hidden by somebody`;
    problems.push({ sentence, remedy: 'find out why, and show them again', severity: 'high' });
  }
  if (interactive > 0) {
    const sentence = `${interactive} of them ask somebody something while they install`;
    problems.push({ sentence, remedy: 'have somebody install those by hand', severity: 'medium' });
  }
  const facts = {
    missing: updates.filter((one) => !one.waits_for_reboot).length,
    overdue_critical: critical,
    overdue_important: important,
    overdue_hidden: hidden,
    overdue_interactive: interactive,
  };
  return { problems, unknowns: [], facts };
}

/** Judged from what the machine last learned; how long ago that was is part of the judgement. */
function judgeSearch({ last }: Facts, params: RunbookParams, at: number | null): Part {
  if (last === null) return { problems: [], unknowns: [], facts: {} };
  const hours = hoursAgo(last.search_at, at);
  const limit = number(params, 'search_days');
  const isOld = hours === null || hours > limit * DAY_H;
  const sentence =
    hours === null
      ? 'the machine never asked for updates'
      : `the machine asked for updates ${Math.floor(hours / DAY_H)} days ago (limit ${limit})`;
  const remedy = 'find out why it does not search for updates';
  return {
    problems: isOld ? [{ sentence, remedy, severity: 'high' }] : [],
    unknowns: [],
    facts: { search_hours: hours, search: isOld ? 'old' : 'fresh' },
  };
}

/** Files to be replaced at the next start are recorded and not judged: printers and browsers leave some behind all the time. */
function judgeReboot({ reboot, last }: Facts, params: RunbookParams, at: number | null): Part {
  if (reboot === null || last === null) return { problems: [], unknowns: [], facts: {} };
  const isPending = reboot.updates || reboot.servicing;
  const facts = {
    reboot_pending: isPending,
    reboot_pending_files: reboot.files,
    uptime_hours: hoursAgo(reboot.booted_at, at),
  };
  if (!isPending) return { problems: [], unknowns: [], facts };
  const remedy = 'restart the machine in the maintenance window; nothing here does it by itself';
  const hours = hoursAgo(last.install_at, at);
  const limit = number(params, 'reboot_hours');
  if (hours !== null && hours <= limit) return { problems: [], unknowns: [], facts };
  const since = hours === null ? 'for a time that is not known' : `for at least ${hours} hours`;
  return {
    problems: [{ sentence: `a restart is pending ${since} (limit ${limit})`, remedy, severity: 'high' }],
    unknowns: [],
    facts,
  };
}

export const patchWindowsCheck = windowsCheck({
  id: 'windows_patching',
  runbook: 'RB-WIN-PATCH-001',
  version: 1,
  title: 'Critical and important updates installed within their time, and no restart put off',
  cadenceS: 21_600,
  factsSchema,
  factKeys: {
    ...MACHINE_KEYS,
    missing: judged('integer'),
    overdue_critical: judged('integer'),
    overdue_important: judged('integer'),
    overdue_hidden: judged('integer'),
    overdue_interactive: judged('integer'),
    search: judged('name'),
    search_hours: measured('integer'),
    reboot_pending: judged('boolean'),
    reboot_pending_files: measured('boolean'),
    uptime_hours: measured('integer'),
    managed: judged('name'),
    task: judged('name'),
  },
  judge(input) {
    const { facts, params } = input;
    const machine = judgeMachine(input);
    if (machine.at === null) return unseenMachine(machine);
    const parts = [judgeUpdates, judgeSearch, judgeReboot].map((one) => one(facts, params, machine.at));
    const isUnread = [facts.updates, facts.last, facts.reboot, facts.managed, facts.task].includes(null);
    const left = facts.task === 'left_behind';
    return conclude({
      problems: parts.flatMap((part) => part.problems),
      unknowns: [
        ...machine.unknowns,
        ...parts.flatMap((part) => part.unknowns),
        ...(isUnread && machine.unknowns.length === 0 ? ['not everything about the updates was read'] : []),
        ...(facts.task === 'running' ? ['updates are being installed right now'] : []),
        ...(left ? ['an installation was interrupted, and its task is still there'] : []),
      ],
      passSentence: `no critical update is missing for more than ${number(params, 'critical_days')} days and no important one for more than ${number(params, 'important_days')}, as the machine knew ${hoursAgo(facts.last?.search_at ?? null, machine.at) ?? 0} hours ago`,
      facts: Object.assign(
        { managed: facts.managed, task: facts.task },
        machine.facts,
        ...parts.map((part) => part.facts),
      ) as JudgedFacts,
    });
  },
});
