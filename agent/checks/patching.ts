// Is the system the declared one, up to date, and running what it was updated to?
import type { AptSystem } from '../facts/apt-system.ts';
import type { NixosSystem } from '../facts/nixos-system.ts';
import type { PatchingBaseline } from './baseline-patching.ts';
import { conclude, declaredOr, judged, measured, readOr } from './check.ts';
import type { Check, JudgedFacts, Problem } from './check.ts';

const HOUR_S = 3_600;
const DAY_S = 86_400;

interface Part {
  readonly problems: readonly Problem[];
  readonly unknowns: readonly string[];
  /** Clauses of the sentence of a pass. */
  readonly proofs: readonly string[];
  readonly facts: JudgedFacts;
}

type Age = 'within' | 'beyond' | 'not_known';

/** An age that is not known, or lies in the future, proves nothing. */
function ageOf(
  since: number | null,
  limitS: number,
  now: number,
): { readonly age: Age; readonly seconds: number | null } {
  if (since === null || since - now > HOUR_S) return { age: 'not_known', seconds: null };
  const seconds = Math.max(0, now - since);
  return { age: seconds > limitS ? 'beyond' : 'within', seconds };
}

const units = (seconds: number | null, unit: number): number | null =>
  seconds === null ? null : Math.floor(seconds / unit);

function judgeReboot(read: NixosSystem | AptSystem, declared: PatchingBaseline, now: number): Part {
  const limitS = declared.reboot_pending_hours * HOUR_S;
  const { age, seconds } = ageOf(read.rebootPendingSince, limitS, now);
  const hours = units(seconds, HOUR_S);
  const state =
    read.rebootPending === null
      ? 'not_known'
      : read.rebootPending
        ? { within: 'recent', beyond: 'overdue', not_known: 'not_known' }[age]
        : 'no';
  return {
    problems:
      state === 'overdue'
        ? [
            {
              sentence: `a restart has been pending for ${hours} h (limit ${declared.reboot_pending_hours} h)`,
              remedy: 'restart the machine in its maintenance window',
              severity: 'medium',
            },
          ]
        : [],
    unknowns:
      state === 'not_known' ? ['nothing on this machine says whether a restart is pending, and since when'] : [],
    proofs: [state === 'no' ? 'no restart is pending' : `a restart is pending for ${hours} h`],
    facts: { reboot_pending: state, reboot_pending_h: hours },
  };
}

function judgeNixos(read: NixosSystem, declared: NonNullable<PatchingBaseline['nixos']>, now: number): Part {
  const isSettled = declared.closure !== 'none';
  const closure = !isSettled ? 'not_settled' : read.runningClosure === declared.closure ? 'as_declared' : 'other';
  const { age, seconds } = ageOf(read.generationCreatedAt, declared.generation_days * DAY_S, now);
  const days = units(seconds, DAY_S);
  const problems: Problem[] = [];
  if (closure === 'other') {
    problems.push({
      sentence: 'the running system is not the one that the baseline declares',
      remedy: 'let the update run, or declare the running system',
      severity: 'high',
    });
  }
  if (age === 'beyond') {
    problems.push({
      sentence: `the running generation is ${days} days old (limit ${declared.generation_days})`,
      remedy: 'build and sign a new system, and let the update run',
      severity: 'medium',
    });
  }
  if (read.generation === null) {
    problems.push({
      sentence: 'the running system is no generation of the system profile, so a restart brings another one',
      remedy: 'switch to a system of the profile',
      severity: 'medium',
    });
  }
  return {
    problems,
    unknowns: [
      ...(isSettled ? [] : ['the baseline does not say yet which system is expected']),
      ...(age === 'not_known' && read.generation !== null ? ['the generation is dated in the future'] : []),
    ],
    proofs: [`the running system is the declared one, generation ${read.generation} of ${days} days`],
    facts: {
      closure,
      running_sha256: read.runningSha256,
      booted_sha256: read.bootedSha256,
      generation: read.generation,
      generation_age: age,
      generation_age_d: days,
    },
  };
}

function judgeApt(read: AptSystem, declared: NonNullable<PatchingBaseline['apt']>, now: number): Part {
  const { age, seconds } = ageOf(read.listsUpdatedAt, declared.lists_hours * HOUR_S, now);
  const hours = units(seconds, HOUR_S);
  const problems: Problem[] = [];
  if (read.securityUpdates > declared.security_updates) {
    problems.push({
      sentence: `${read.securityUpdates} security updates are pending`,
      remedy: 'install them: apt-get update, then apt-get dist-upgrade',
      severity: 'high',
    });
  }
  if (age === 'beyond') {
    problems.push({
      sentence: `the lists of security updates are ${hours} h old (limit ${declared.lists_hours} h)`,
      remedy: 'run apt-get update, and check that its timer runs and its sources can be reached',
      severity: 'medium',
    });
  }
  const unknowns: string[] = [];
  if (read.securitySources === 0) unknowns.push('apt has no list from a source of security updates');
  else if (age === 'not_known') unknowns.push('the lists of security updates are dated in the future');
  return {
    problems,
    unknowns,
    proofs: [`${read.securityUpdates} security updates are pending by lists that are ${hours} h old`],
    facts: {
      security_updates: read.securityUpdates,
      security_sources: read.securitySources,
      updates: read.updates,
      lists_age: age,
      lists_age_h: hours,
    },
  };
}

/** The part of the kind of system that was found; one that the baseline does not declare is never a pass. */
function judgeSystem(read: NixosSystem | AptSystem, declared: PatchingBaseline, now: number): Part {
  if (read.system === 'nixos' && declared.nixos !== undefined) return judgeNixos(read, declared.nixos, now);
  if (read.system === 'apt' && declared.apt !== undefined) return judgeApt(read, declared.apt, now);
  const unknown = `the baseline declares nothing for a system that is updated by ${read.system}`;
  return { problems: [], unknowns: [unknown], proofs: [], facts: {} };
}

export const patchingCheck: Check = {
  id: 'patching',
  version: 1,
  title: 'The declared system, up to date and in use',
  cadenceS: 3_600,
  probes: ['patching'],
  factKeys: {
    system: judged('name'),
    closure: judged('name'),
    running_sha256: judged('digest'),
    booted_sha256: judged('digest'),
    generation: measured('integer'),
    generation_age: judged('name'),
    generation_age_d: measured('integer'),
    security_updates: judged('integer'),
    security_sources: judged('integer'),
    updates: measured('integer'),
    lists_age: judged('name'),
    lists_age_h: measured('integer'),
    reboot_pending: judged('name'),
    reboot_pending_h: measured('integer'),
  },
  judge({ facts, baseline, now }) {
    const baselineOr = declaredOr(baseline, 'patching');
    if ('judgement' in baselineOr) return baselineOr.judgement;
    const { declared } = baselineOr;
    const read = readOr(facts, 'patching', 'the state of updates');
    if ('judgement' in read) return read.judgement;
    const parts = [judgeSystem(read.value, declared, now), judgeReboot(read.value, declared, now)];
    return conclude({
      problems: parts.flatMap((part) => part.problems),
      unknowns: parts.flatMap((part) => part.unknowns),
      passSentence: parts.flatMap((part) => part.proofs).join(', '),
      facts: Object.assign({ system: read.value.system }, ...parts.map((part) => part.facts)) as JudgedFacts,
    });
  },
};
