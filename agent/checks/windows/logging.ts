// Windows' own record: what is audited by subcategory, how much is kept, whether somebody emptied it.
import * as v from 'valibot';
import { int } from '../../wire/schemas/primitives.ts';
import { conclude, judged, measured, type Problem } from '../check.ts';
import { flag, hoursAgo, isoTime, judgeMachine, MACHINE_KEYS, machineFacts, names, number } from './machine-facts.ts';
import { windowsCheck, type RunbookParams } from './windows-check.ts';

/** Bits of a subcategory's setting: 1 success, 2 failure (MS-GPAC 2.2.1.3.1, as auditpol writes them). */
const setting = int(0, 3);

const factsSchema = v.strictObject({
  ...machineFacts,
  service: v.nullable(v.strictObject({ running: v.boolean() })),
  audit: v.nullable(
    v.strictObject({
      /** False where settings of whole categories override those of subcategories. */
      subcategories_count: v.boolean(),
      list: v.pipe(
        v.array(v.strictObject({ id: v.pipe(v.string(), v.regex(/^[0-9A-F-]{36}$/)), value: setting })),
        v.maxLength(128),
      ),
    }),
  ),
  logs: v.nullable(
    v.strictObject({
      list: v.pipe(
        v.array(
          v.strictObject({
            name: v.picklist(['security', 'system', 'application']),
            enabled: v.boolean(),
            mode: v.picklist(['Circular', 'AutoBackup', 'Retain']),
            max_mib: int(0, 16_777_216),
            /** Of the policy that sets it; null where none does. */
            policy_mib: v.nullable(int(0, 16_777_216)),
          }),
        ),
        v.maxLength(3),
      ),
    }),
  ),
  cleared: v.nullable(v.strictObject({ count: int(0, 100), last_at: v.nullable(isoTime) })),
  oldest: v.nullable(v.strictObject({ security_at: isoTime })),
  forwarding: v.nullable(v.strictObject({ configured: v.boolean() })),
  /** How much of what is wrong a person has to look at before anything is changed. */
  for_a_person: v.nullable(int(0, 1_000)),
});
type Facts = v.InferOutput<typeof factsSchema>;

const HOURS_PER_DAY = 24;

/** `GUID.VALUE` of the params; the schema of runbook.yaml lets nothing else through but names. */
function wanted(params: RunbookParams, domainController: boolean): { id: string; value: number }[] {
  const given = [...names(params, 'audit'), ...(domainController ? names(params, 'audit_domain_controller') : [])];
  return given.map((item) => {
    const [id = '', value = ''] = item.split('.');
    return { id: id.toUpperCase(), value: Number(value) };
  });
}

/** Subcategories that are audited less than they have to be, and those that Windows did not tell. */
function judgeAudit(audit: Facts['audit'], params: RunbookParams, domainController: boolean) {
  const is = new Map(audit?.list.map(({ id, value }) => [id, value]));
  const all = wanted(params, domainController);
  return {
    required: all.length,
    untold: all.filter(({ id }) => !is.has(id)).length,
    missing: all.filter(({ id, value }) => is.has(id) && ((is.get(id) ?? 0) & value) !== value).length,
  };
}

function judgeLogs(logs: NonNullable<Facts['logs']>['list'], params: RunbookParams): Problem[] {
  return logs.flatMap((log): Problem[] => {
    const min = number(params, `${log.name}_min_mib`);
    const problems: Problem[] = [];
    if (!log.enabled) {
      const remedy = 'switch the log on and find out who switched it off';
      problems.push({ sentence: `the ${log.name} log is off`, remedy, severity: 'critical' });
    }
    if (log.mode === 'Retain') {
      const sentence = `the ${log.name} log stops when it is full`;
      problems.push({ sentence, remedy: 'let it overwrite the oldest events or archive itself', severity: 'high' });
    }
    if (log.max_mib < min) {
      const sentence = `the ${log.name} log holds ${log.max_mib} MiB and has to hold ${min}`;
      problems.push(
        log.policy_mib === null
          ? { sentence, remedy: 'let the logs grow as large as the runbook says', severity: 'medium' }
          : {
              sentence: `${sentence}, and a group policy sets that`,
              remedy: 'change the group policy: it would undo a change made here',
              severity: 'medium',
            },
      );
    }
    return problems;
  });
}

export const loggingWindowsCheck = windowsCheck({
  id: 'windows_logging',
  runbook: 'RB-WIN-LOGGING-001',
  version: 1,
  title: 'Windows audit policy and event logs',
  cadenceS: 3_600,
  factsSchema,
  factKeys: {
    ...MACHINE_KEYS,
    service_running: judged('boolean'),
    audit_required: judged('integer'),
    audit_missing: judged('integer'),
    subcategories_count: judged('boolean'),
    logs_too_small: judged('integer'),
    logs_managed: judged('integer'),
    security_mib: judged('integer'),
    times_cleared: judged('integer'),
    security_days: measured('integer'),
    forwarding: judged('boolean'),
  },
  judge(input) {
    const { facts, params } = input;
    const machine = judgeMachine(input);
    const unknowns = [...machine.unknowns];
    const audit = judgeAudit(facts.audit, params, machine.role === 'domain_controller');
    const logs = facts.logs?.list ?? [];
    const problems: Problem[] = facts.logs === null ? [] : judgeLogs(logs, params);
    if (facts.logs !== null && logs.length < 3) unknowns.push('Windows does not tell all three logs');
    if (facts.audit !== null && audit.untold > 0) {
      unknowns.push(`Windows does not tell the setting of ${audit.untold} subcategories`);
    }
    if (facts.audit !== null && audit.missing > 0) {
      problems.push({
        sentence: `${audit.missing} of ${audit.required} kinds of events are not audited as they have to be`,
        remedy: 'audit the subcategories that the runbook names',
        severity: 'high',
      });
    }
    if (facts.audit?.subcategories_count === false) {
      problems.push({
        sentence: 'audit settings of whole categories override those of subcategories',
        remedy: 'let the settings of subcategories count',
        severity: 'high',
      });
    }
    if (facts.service?.running === false) {
      problems.push({
        sentence: 'the service of the event logs is not running',
        remedy: 'start the service of the event logs and find out who stopped it',
        severity: 'critical',
      });
    }
    if (facts.cleared !== null && facts.cleared.count > 0) {
      problems.push({
        sentence: `a log was cleared ${facts.cleared.count} times within ${number(params, 'cleared_days')} days`,
        remedy: 'find out who cleared it and why; nothing is changed before that',
        severity: 'high',
      });
    }
    if (flag(params, 'forwarding_required') && facts.forwarding?.configured === false) {
      problems.push({
        sentence: 'events have to be forwarded and no collector is configured',
        remedy: 'configure a subscription manager for event forwarding by group policy',
        severity: 'high',
      });
    }
    const oldestHours = hoursAgo(facts.oldest?.security_at ?? null, machine.at);
    return conclude({
      problems,
      unknowns,
      passSentence: `all ${audit.required} required kinds of events are audited, and no log was cleared`,
      facts: {
        ...machine.facts,
        service_running: facts.service?.running ?? null,
        audit_required: audit.required,
        audit_missing: facts.audit === null ? null : audit.missing,
        subcategories_count: facts.audit?.subcategories_count ?? null,
        logs_too_small: logs.filter((log) => log.max_mib < number(params, `${log.name}_min_mib`)).length,
        logs_managed: logs.filter((log) => log.policy_mib !== null).length,
        security_mib: logs.find((log) => log.name === 'security')?.max_mib ?? null,
        times_cleared: facts.cleared?.count ?? null,
        security_days: oldestHours === null ? null : Math.floor(oldestHours / HOURS_PER_DAY),
        forwarding: facts.forwarding?.configured ?? null,
      },
    });
  },
});
