// Windows Firewall: all three profiles on, nothing let in that no rule lets in. Judged is what is in force, not the rules.
import * as v from 'valibot';
import { int } from '../../wire/schemas/primitives.ts';
import { conclude, judged, measured, type Problem } from '../check.ts';
import { judgeMachine, MACHINE_KEYS, machineFacts } from './machine-facts.ts';
import { windowsCheck } from './windows-check.ts';

const PROFILE_NAMES = ['Domain', 'Private', 'Public'] as const;
const port = int(0, 65_535);

/** Settings as the NetSecurity cmdlets name them; the names are the same in every language. */
const profiles = v.nullable(
  v.strictObject({
    list: v.pipe(
      v.array(
        v.strictObject({
          name: v.picklist(PROFILE_NAMES),
          enabled: v.picklist(['True', 'False', 'NotConfigured']),
          inbound: v.picklist(['Allow', 'Block', 'NotConfigured']),
        }),
      ),
      v.maxLength(3),
    ),
  }),
);

const factsSchema = v.strictObject({
  ...machineFacts,
  service: v.nullable(v.strictObject({ running: v.boolean() })),
  /** ActiveStore. */
  profiles,
  /** RSOP: NotConfigured where no group policy says anything, empty where there is no group policy. */
  policy: profiles,
  reach: v.nullable(
    v.strictObject({
      listeners: int(0, 65_536),
      allow_rules: int(0, 65_536),
      /** TCP ports that answer and that no rule lets through on every profile, without those that may be cut off. */
      would_be_cut: v.pipe(v.array(port), v.maxLength(32)),
      /** WinRM or RDP among such ports: a rule is added for them first. */
      remote_without_rule: v.pipe(v.array(port), v.maxLength(3)),
    }),
  ),
  /** Number of ports in `would_be_cut`, for the precondition. */
  would_cut: v.nullable(int(0, 32)),
  revert: v.nullable(v.strictObject({ armed: v.boolean() })),
});
type Profile = NonNullable<v.InferOutput<typeof profiles>>['list'][number];

/** Where the setting that is wrong comes from. */
function problem(what: string, name: string, managed: boolean, healed: string): Problem {
  const sentence = `${what} on the ${name.toLowerCase()} profile`;
  return managed
    ? {
        sentence: `${sentence}, and a group policy sets that`,
        remedy: 'change the group policy: it would undo a change made here',
        severity: 'critical',
      }
    : { sentence, remedy: healed, severity: 'critical' };
}

function judgeProfile(active: Profile, policy: Profile | undefined): { problems: Problem[]; unknowns: string[] } {
  const problems: Problem[] = [];
  const unknowns: string[] = [];
  const { name } = active;
  if (active.enabled === 'False') {
    problems.push(
      problem('the firewall is off', name, policy?.enabled === 'False', 'switch the firewall on for every profile'),
    );
  } else if (active.enabled !== 'True')
    unknowns.push(`the ${name.toLowerCase()} profile does not say whether it is on`);
  if (active.inbound === 'Allow') {
    const healed = 'block what no rule allows';
    problems.push(problem('everything is let in', name, policy?.inbound === 'Allow', healed));
  } else if (active.inbound !== 'Block') {
    unknowns.push(`the ${name.toLowerCase()} profile does not say what it does without a rule`);
  }
  return { problems, unknowns };
}

export const firewallCheck = windowsCheck({
  id: 'windows_firewall',
  runbook: 'RB-WIN-FIREWALL-001',
  version: 1,
  title: 'Windows Firewall',
  cadenceS: 3_600,
  factsSchema,
  factKeys: {
    ...MACHINE_KEYS,
    service_running: judged('boolean'),
    profiles_on: judged('integer'),
    profiles_blocking: judged('integer'),
    profiles_managed: judged('integer'),
    listeners: measured('integer'),
    allow_rules: measured('integer'),
    would_be_cut: measured('integer'),
    revert_armed: judged('boolean'),
  },
  judge(input) {
    const machine = judgeMachine(input);
    const { service, policy, reach, revert } = input.facts;
    const active = input.facts.profiles?.list ?? [];
    const policies = policy?.list ?? [];
    const unknowns = [...machine.unknowns];
    const problems: Problem[] = [];
    if (service !== null && !service.running) {
      problems.push({
        sentence: 'the service of the firewall is not running',
        remedy: 'start the service of the firewall and find out who stopped it',
        severity: 'critical',
      });
    }
    for (const name of PROFILE_NAMES) {
      const found = active.find((profile) => profile.name === name);
      if (found === undefined) {
        if (input.facts.profiles !== null) unknowns.push(`Windows does not tell the ${name.toLowerCase()} profile`);
        continue;
      }
      const one = judgeProfile(
        found,
        policies.find((profile) => profile.name === name),
      );
      problems.push(...one.problems);
      unknowns.push(...one.unknowns);
    }
    const cut = reach?.would_be_cut.length ?? 0;
    const rest = `; ${cut} ports that answer now have no rule and would be cut off`;
    return conclude({
      problems: problems.map((p, i) =>
        i === problems.length - 1 && cut > 0 ? { ...p, sentence: p.sentence + rest } : p,
      ),
      unknowns,
      passSentence: 'the firewall is on and blocks what no rule allows, on all three profiles',
      facts: {
        ...machine.facts,
        service_running: service?.running ?? null,
        profiles_on: active.filter(({ enabled }) => enabled === 'True').length,
        profiles_blocking: active.filter(({ inbound }) => inbound === 'Block').length,
        profiles_managed: policies.filter((p) => p.enabled !== 'NotConfigured' || p.inbound !== 'NotConfigured').length,
        listeners: reach?.listeners ?? null,
        allow_rules: reach?.allow_rules ?? null,
        would_be_cut: reach === null ? null : cut,
        revert_armed: revert?.armed ?? null,
      },
    });
  },
});
