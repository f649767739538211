// From what a look at a Windows machine came to, a finding like any other. Pure.
import { factsDigest } from '../checks/judge-all.ts';
import type { Judgement } from '../checks/check.ts';
import { waiverFor } from '../checks/waive.ts';
import {
  unseen,
  WINDOWS_ROLES,
  type RunbookParams,
  type WindowsCheck,
  type WindowsRole,
} from '../checks/windows/windows-check.ts';
import type { TargetInfo } from '../targets/target.ts';
import type { EntryTarget } from '../wire/schemas/entry.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { PlainJson } from '../wire/schemas/primitives.ts';
import type { Waiver } from '../wire/schemas/site-policy.ts';
import type { LoadedRunbook } from './load-runbook.ts';
import type { Used } from './read-output.ts';

/** What a look saw: the facts as printed, or the judgement that says why there are none. */
export type Look =
  | { readonly seen: true; readonly facts: Readonly<Record<string, PlainJson>>; readonly used: Used }
  | { readonly seen: false; readonly judgement: Judgement; readonly used: Used };

export interface LookContext {
  readonly loaded: LoadedRunbook;
  readonly check: WindowsCheck;
  readonly target: Pick<TargetInfo, 'id' | 'role'>;
  readonly params: RunbookParams;
  readonly waivers: readonly Waiver[];
  /** Unix seconds at which the look began and ended. */
  readonly from: number;
  readonly to: number;
}

const MAX_SENTENCE_CHARS = 600;
const cut = (text: string): string => (text.length <= MAX_SENTENCE_CHARS ? text : `${text.slice(0, 599)}…`);

/** The role that a target's list declares, where it is one of Windows. */
export function windowsRole(role: string): WindowsRole | null {
  const plain = role.replaceAll('-', '_');
  return WINDOWS_ROLES.find((known) => known === plain) ?? null;
}

/** Builds of Windows have five digits. What is none must not keep a finding from being written. */
const MAX_BUILD = 999_999;
const isBuild = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= MAX_BUILD;

/** `os_build` as detect saw it (`host.build`); null where it did not. */
function entryTarget({ id, role }: LookContext['target'], look: Look): EntryTarget {
  const host = look.seen ? look.facts['host'] : null;
  const build = typeof host === 'object' && host !== null && !Array.isArray(host) ? host['build'] : null;
  return { id, role, os_build: isBuild(build) ? `10.0.${build}` : null };
}

function judge(look: Look, o: LookContext): Judgement {
  if (!look.seen) return look.judgement;
  try {
    return o.check.judge({ facts: look.facts, params: o.params, now: o.to, role: windowsRole(o.target.role) });
  } catch {
    // A defect of one check must not silence the others.
    return unseen('wrong_shape', 'the check ended with a defect of this program');
  }
}

/** The finding of one look, waived where a waiver covers it. What it was judged by is the runbook, in place of a baseline. */
export function windowsFinding(look: Look, o: LookContext): Finding {
  const judgement = judge(look, o);
  const { runbook, sha256 } = o.loaded;
  const target = entryTarget(o.target, look);
  const facts: Record<string, PlainJson> = { ...judgement.facts, used_bytes: look.used.bytes };
  if (look.used.cpuMs !== null) facts['used_cpu_ms'] = look.used.cpuMs;
  const waiver = judgement.result === 'fail' ? waiverFor(o.waivers, o.check.id, target, o.to) : null;
  const until = waiver === null ? '' : new Date(waiver.expires_at * 1_000).toISOString().slice(0, 10);
  const sentence =
    waiver === null ? judgement.sentence : `waived by ${waiver.approver} until ${until}: ${judgement.sentence}`;
  return {
    target,
    check: { id: o.check.id, version: o.check.version },
    baseline: { id: runbook.id, version: runbook.version, sha256 },
    controls: runbook.controls
      .toSorted((a, b) => Number(a.role === 'supporting') - Number(b.role === 'supporting'))
      .map(({ map, cite }) => ({ map, cite })),
    severity: judgement.severity,
    result: waiver === null ? judgement.result : 'waived',
    sentence: cut(sentence),
    ...(judgement.remedy === undefined ? {} : { remedy: cut(judgement.remedy) }),
    facts,
    facts_digest: factsDigest({ factKeys: { ...o.check.factKeys, ...USED_KEYS } }, facts),
    facts_read_at: o.from,
    ...(waiver === null ? {} : { waiver_id: waiver.id }),
    observed_from: o.from,
    observed_to: o.to,
  };
}

const USED_KEYS = {
  used_cpu_ms: { type: 'integer', judged: false },
  used_bytes: { type: 'integer', judged: false },
} as const;
