// Is a domain controller in good health: replication, roles, SYSVOL, time, and how many accounts need a look?
import * as v from 'valibot';
import { conclude, judged, measured, type JudgedFacts, type Problem } from '../check.ts';
import { count, int } from '../../wire/schemas/primitives.ts';
import { hoursAgo, isoTime, judgeMachine, machineFacts, MACHINE_KEYS, number, unixOf } from './machine-facts.ts';
import { windowsCheck, type RunbookParams } from './windows-check.ts';

/** DfsrReplicatedFolderInfo.State: 4 is normal, 5 is in error. -1: there is no such folder. */
const DFSR_NORMAL = 4;
const DFSR_NONE = -1;

const factsSchema = v.strictObject({
  ...machineFacts,
  controller: v.nullable(v.strictObject({ writable: v.boolean(), global_catalog: v.boolean(), controllers: count })),
  fsmo: v.nullable(
    v.pipe(
      v.array(
        v.strictObject({
          role: v.picklist([
            'schema_master',
            'domain_naming_master',
            'pdc_emulator',
            'rid_master',
            'infrastructure_master',
          ]),
          here: v.boolean(),
          holder: v.picklist(['known', 'other_domain', 'gone']),
        }),
      ),
      v.length(5),
    ),
  ),
  replication: v.nullable(
    v.pipe(
      v.array(
        v.strictObject({
          last_success_at: v.nullable(isoTime),
          result: int(-2_147_483_648, 4_294_967_295),
          failures: count,
        }),
      ),
      v.maxLength(200),
    ),
  ),
  sysvol: v.nullable(
    v.strictObject({
      ready: v.boolean(),
      sysvol_share: v.boolean(),
      netlogon_share: v.boolean(),
      frs_migration: v.picklist(['none', 'unfinished', 'eliminated']),
      dfsr_state: int(DFSR_NONE, 255),
      dfsr_error: count,
    }),
  ),
  time: v.nullable(
    v.strictObject({
      service: v.picklist(['running', 'stopped', 'missing']),
      source: v.picklist(['ntp', 'domain', 'all', 'none', 'unknown']),
      pdc: v.boolean(),
    }),
  ),
  accounts: v.nullable(v.strictObject({ stale: count, locked: count, privileged: count, limit: count })),
});
type Facts = v.InferOutput<typeof factsSchema>;

interface Part {
  readonly problems: readonly Problem[];
  readonly facts: JudgedFacts;
}

/** Whoever is asked may differ; what each part says when it was not read stands in `unread` already. */
const NOTHING: Part = { problems: [], facts: {} };

function judgeReplication({ replication, controller }: Facts, params: RunbookParams, at: number | null): Part {
  if (replication === null) return NOTHING;
  const limit = number(params, 'replication_hours');
  const ages = replication.map(({ last_success_at }) => hoursAgo(last_success_at, at));
  const failing = replication.filter(({ result, failures }) => result !== 0 || failures > 0).length;
  const late = ages.filter((age) => age === null || age > limit).length;
  const isAlone = (controller?.controllers ?? 0) <= 1;
  const problems: Problem[] = [];
  const remedy =
    'look at the replication of this domain controller before its tombstone lifetime ends; nothing here forces it';
  if (late > 0) {
    const sentence = `${late} of ${replication.length} replication links had no success for more than ${limit} hours`;
    problems.push({ sentence, remedy, severity: 'critical' });
  } else if (failing > 0) {
    problems.push({ sentence: `${failing} of ${replication.length} replication links fail`, remedy, severity: 'high' });
  }
  if (replication.length === 0 && !isAlone) {
    problems.push({
      sentence: 'there are other domain controllers, and this one replicates with none',
      remedy,
      severity: 'critical',
    });
  }
  const oldest = ages.reduce<number | null>((most, age) => (age === null ? most : Math.max(most ?? 0, age)), null);
  return {
    problems,
    facts: { links: replication.length, links_failing: failing, links_late: late, replication_hours: oldest },
  };
}

function judgeRoles({ fsmo, controller }: Facts): Part {
  if (fsmo === null || controller === null) return NOTHING;
  const gone = fsmo.filter(({ holder }) => holder === 'gone').map(({ role }) => role);
  const sentence = `${gone.length} of 5 operations master roles belong to a domain controller that does not exist`;
  const remedy = 'have somebody decide which domain controller takes the roles over';
  return {
    problems: gone.length > 0 ? [{ sentence, remedy, severity: 'high' }] : [],
    facts: {
      fsmo_gone: gone,
      fsmo_here: fsmo.filter(({ here }) => here).length,
      controllers: controller.controllers,
      writable: controller.writable,
    },
  };
}

function judgeSysvol({ sysvol }: Facts): Part {
  if (sysvol === null) return NOTHING;
  const isShared = sysvol.ready && sysvol.sysvol_share && sysvol.netlogon_share;
  const isFrs =
    sysvol.frs_migration === 'unfinished' || (sysvol.frs_migration === 'none' && sysvol.dfsr_state === DFSR_NONE);
  const isReplicating = sysvol.dfsr_state === DFSR_NORMAL && sysvol.dfsr_error === 0;
  const problems: Problem[] = [];
  if (!isShared) {
    const remedy = 'find out why SYSVOL is not ready; until then this domain controller gives no policies';
    problems.push({ sentence: 'SYSVOL or NETLOGON is not shared', remedy, severity: 'critical' });
  }
  if (isFrs) {
    const remedy = 'finish the migration of SYSVOL to DFS replication';
    problems.push({ sentence: 'SYSVOL is not replicated by DFS replication', remedy, severity: 'high' });
  } else if (!isReplicating) {
    const remedy = 'look at what DFS replication says about SYSVOL';
    problems.push({
      sentence: `DFS replication of SYSVOL is in state ${sysvol.dfsr_state}, not in its normal one`,
      remedy,
      severity: 'high',
    });
  }
  return {
    problems,
    facts: {
      sysvol: isShared ? 'shared' : 'not_shared',
      sysvol_replication: isFrs ? 'frs' : isReplicating ? 'normal' : 'not_normal',
    },
  };
}

function judgeTime({ time, host }: Facts, now: number, params: RunbookParams): Part {
  if (time === null || host === null) return NOTHING;
  const offset = unixOf(host.read_at) - now;
  const limit = number(params, 'clock_offset_s');
  const problems: Problem[] = [];
  if (time.service !== 'running') {
    problems.push({
      sentence: 'the Windows time service does not run',
      remedy: 'start the time service',
      severity: 'high',
    });
  }
  if (time.source === 'none' || time.source === 'unknown' || (time.pdc && time.source === 'domain')) {
    const who = time.pdc ? 'the domain controller that the others take their time from' : 'this domain controller';
    const remedy = 'give it a source of time: NTP on the PDC emulator, the domain on all others';
    problems.push({ sentence: `${who} takes its own time from nowhere`, remedy, severity: 'medium' });
  }
  if (Math.abs(offset) > limit) {
    const sentence = `its clock differs from ours by ${Math.abs(offset)} seconds (limit ${limit}); at 300 Kerberos refuses`;
    problems.push({ sentence, remedy: 'look at where it takes its time from', severity: 'critical' });
  }
  return {
    problems,
    facts: { time_service: time.service, time_source: time.source, pdc: time.pdc, clock_offset_s: offset },
  };
}

function judgeAccounts({ accounts }: Facts, params: RunbookParams): Part {
  if (accounts === null) return NOTHING;
  const { stale, locked, privileged, limit } = accounts;
  const least = (found: number): string => (found >= limit ? `at least ${found}` : String(found));
  const rules: readonly [number, string, string, string][] = [
    [
      stale,
      'stale_max',
      'enabled accounts were not used for longer than allowed',
      'disable the accounts of people who left',
    ],
    [privileged, 'privileged_max', 'accounts administer the domain', 'take away what nobody needs'],
    [locked, 'locked_max', 'accounts are locked', 'find out who tries passwords; nothing here unlocks an account'],
  ];
  const problems = rules.flatMap(([found, param, what, remedy]): Problem[] =>
    found <= number(params, param)
      ? []
      : [{ sentence: `${least(found)} ${what} (limit ${number(params, param)})`, remedy, severity: 'medium' }],
  );
  return { problems, facts: { accounts_stale: stale, accounts_privileged: privileged, accounts_locked: locked } };
}

export const adWindowsCheck = windowsCheck({
  id: 'windows_ad',
  runbook: 'RB-WIN-AD-001',
  version: 1,
  title: 'A domain controller that replicates, with its roles, SYSVOL, time and accounts in order',
  cadenceS: 3_600,
  factsSchema,
  factKeys: {
    ...MACHINE_KEYS,
    controllers: judged('integer'),
    writable: judged('boolean'),
    links: judged('integer'),
    links_failing: judged('integer'),
    links_late: judged('integer'),
    replication_hours: measured('integer'),
    fsmo_here: judged('integer'),
    fsmo_gone: judged('names'),
    sysvol: judged('name'),
    sysvol_replication: judged('name'),
    time_service: judged('name'),
    time_source: judged('name'),
    pdc: judged('boolean'),
    clock_offset_s: measured('integer'),
    accounts_stale: judged('integer'),
    accounts_privileged: judged('integer'),
    accounts_locked: judged('integer'),
  },
  judge(input) {
    const { facts, params, now } = input;
    const machine = judgeMachine(input);
    const isMine = machine.role === 'domain_controller';
    if (machine.role !== null && !isMine && machine.unknowns.length === 0) {
      const sentence = `this machine is no domain controller but a ${machine.role.replaceAll('_', ' ')}`;
      return { result: 'not_applicable', severity: 'info', sentence, facts: machine.facts };
    }
    const parts = [
      judgeReplication(facts, params, machine.at),
      judgeRoles(facts),
      judgeSysvol(facts),
      judgeTime(facts, now, params),
      judgeAccounts(facts, params),
    ];
    const unread = [facts.replication, facts.fsmo, facts.controller, facts.sysvol, facts.time, facts.accounts];
    const isUnread = isMine && machine.unknowns.length === 0 && unread.includes(null);
    return conclude({
      problems: parts.flatMap((part) => part.problems),
      unknowns: [
        ...machine.unknowns,
        ...(isUnread ? ['not everything that a domain controller has to say was read'] : []),
      ],
      passSentence: `${facts.replication?.length ?? 0} replication links work, SYSVOL is shared and replicated, and all 5 roles have a holder`,
      facts: Object.assign({}, machine.facts, ...parts.map((part) => part.facts)) as JudgedFacts,
    });
  },
});
