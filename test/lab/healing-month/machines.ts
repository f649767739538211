// Twenty-five Windows machines in memory that drift, come and go, undo what was done to them, or lie; each notes itself what was
// asked of it and what it changed. They answer with what the recordings of the lab print.
import { identityLine } from '../../../agent/execution/machine-identity.ts';
import type { Phase } from '../../../agent/execution/runner.ts';
import type { AskMachine, MachineSays } from '../../support/month/month-protocol.ts';
import { PARTS, printedChange, printedConfirmation, printedFacts, type Part } from '../healing-host.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** What a machine itself undoes where nobody confirms it. */
const CONFIRM_WITHIN_MS = 2 * MINUTE_MS;
/** A group policy is applied again after so long. */
const POLICY_EVERY_MS = 90 * MINUTE_MS;
const REBOOT_MS = 8 * MINUTE_MS;

export type Trait =
  | 'plain'
  /** Wrong again some hours after it was put right. */
  | 'flaps'
  /** A group policy sets it back. */
  | 'undone_by_policy'
  /** It says that it changed, and did not. */
  | 'never_holds'
  /** The same, and the way back fails too. */
  | 'rollback_fails'
  /** Its verify says that all is well. */
  | 'lies'
  /** It restarts in the middle of a change. */
  | 'restarts';

const TRAITS: Readonly<Record<string, Trait>> = {
  'dc-1': 'never_holds',
  'pc-1': 'flaps',
  'pc-2': 'undone_by_policy',
  'pc-3': 'never_holds',
  'pc-4': 'rollback_fails',
  'pc-5': 'lies',
  'pc-6': 'restarts',
};

/** What a machine notes of itself, at true time. */
export interface Note {
  readonly atMs: number;
  readonly target: string;
  readonly part: Part;
  readonly phase: Phase;
  /** Whether that part was as it should be, before and after. */
  readonly before: boolean;
  readonly after: boolean;
  /** For a change: since when every look at it had found it wrong; null where the last one had not. */
  readonly wrongSinceMs: number | null;
  readonly lastLookMs: number | null;
  /** Entries in the log of the appliance at that moment, as somebody else read it from the disk; null for looks. */
  readonly logSize: number | null;
}

interface PartOf {
  good: boolean;
  armedUntilMs: number | null;
  wrongAgainAtMs: number | null;
  wrongSinceMs: number | null;
  lastLookMs: number | null;
}

export interface Machine {
  readonly id: string;
  readonly role: string;
  readonly isController: boolean;
  readonly trait: Trait;
  readonly parts: Readonly<Record<Part, PartOf>>;
  readonly sid: string;
  offUntilMs: number;
  /** People looked into it: its trait rests until then. */
  quietUntilMs: number;
}

export interface Machines {
  readonly all: readonly Machine[];
  /** Changes and the looks of runs. Looks by schedule are not kept, they are counted. */
  readonly journal: readonly Note[];
  readonly looks: () => number;
  answer(ask: AskMachine, logSize: () => number): MachineSays;
  drift(target: string, part: Part): void;
  /** People put a part in order. */
  repair(target: string, part: Part, atMs: number): void;
}

const partOf = (): PartOf => ({
  ...{ good: true, armedUntilMs: null, wrongAgainAtMs: null },
  ...{ wrongSinceMs: null, lastLookMs: null },
});

function machine(id: string, n: number): Machine {
  const isController = id.startsWith('dc');
  return {
    ...{ id, isController, trait: TRAITS[id] ?? 'plain', offUntilMs: 0, quietUntilMs: 0 },
    role: isController ? 'domain_controller' : n % 5 === 0 ? 'member_server' : 'workstation',
    parts: { firewall: partOf(), logging: partOf(), av: partOf() },
    sid: `S-1-5-21-1004336348-1177238915-${682_003_000 + n}`,
  };
}

export const TARGETS: readonly string[] = [
  ...[1, 2, 3].map((n) => `dc-${n}`),
  ...Array.from({ length: 22 }, (_, n) => `pc-${n + 1}`),
];

const partOfRunbook = (runbook: string): Part =>
  (Object.keys(PARTS) as Part[]).find((part) => PARTS[part] === runbook) as Part;

export function createMachines(): Machines {
  const all = TARGETS.map(machine);
  const byId = new Map(all.map((one) => [one.id, one]));
  const journal: Note[] = [];
  let looks = 0;

  /** What happened on it by itself until `atMs`. */
  function pass(one: Machine, atMs: number): void {
    for (const part of Object.values(one.parts)) {
      if (part.armedUntilMs !== null && part.armedUntilMs <= atMs) {
        part.armedUntilMs = null;
        part.good = false;
      }
      if (part.wrongAgainAtMs !== null && part.wrongAgainAtMs <= atMs) {
        part.wrongAgainAtMs = null;
        part.good = false;
      }
    }
  }

  function change(one: Machine, part: Part, atMs: number): void {
    const state = one.parts[part];
    const rests = atMs < one.quietUntilMs;
    const isHeld = !rests && ['never_holds', 'rollback_fails', 'lies'].includes(one.trait);
    state.good = !isHeld;
    if (part === 'firewall') state.armedUntilMs = atMs + CONFIRM_WITHIN_MS;
    if (rests) return;
    if (one.trait === 'flaps') state.wrongAgainAtMs = atMs + 3 * HOUR_MS;
    if (one.trait === 'undone_by_policy') state.wrongAgainAtMs = atMs + POLICY_EVERY_MS;
    if (one.trait === 'restarts') one.offUntilMs = atMs + REBOOT_MS;
  }

  function said(one: Machine, part: Part, phase: Phase, atMs: number): string | null {
    const state = one.parts[part];
    const rests = atMs < one.quietUntilMs;
    switch (phase) {
      case 'detect':
      case 'verify': {
        const lies = phase === 'verify' && one.trait === 'lies' && !rests;
        const good = state.good || lies;
        return printedFacts(part, { role: one.role, good, armed: state.armedUntilMs !== null, atMs });
      }
      case 'plan':
        return printedChange(part);
      case 'remediate':
        change(one, part, atMs);
        return printedChange(part);
      case 'confirm':
        state.armedUntilMs = null;
        return printedConfirmation();
      case 'rollback':
        if (one.trait === 'rollback_fails' && !rests) return null;
        state.good = false;
        state.armedUntilMs = null;
        return printedChange(part, true);
    }
  }

  return {
    all,
    journal,
    looks: () => looks,
    answer({ target, runbook, phase, expected, atMs }, logSize) {
      const one = byId.get(target);
      if (one === undefined) return { fails: 'winrm_unreachable', sentence: 'there is no such machine' };
      pass(one, atMs);
      if (atMs < one.offUntilMs) return { fails: 'winrm_unreachable', sentence: 'it is off' };
      const line = identityLine(one.sid);
      if (expected !== null && expected !== one.sid) return { exitCode: 1, stdout: line };
      const part = partOfRunbook(runbook);
      const state = one.parts[part];
      const before = state.good;
      const { wrongSinceMs, lastLookMs } = state;
      const isLook = phase === 'detect' || phase === 'plan';
      const size = isLook ? null : logSize();
      const printed = said(one, part, phase, atMs);
      if (phase === 'detect') {
        looks += 1;
        state.wrongSinceMs = before ? null : (state.wrongSinceMs ?? atMs);
        state.lastLookMs = atMs;
      } else if (phase !== 'plan') {
        journal.push({ atMs, target, part, phase, before, after: state.good, wrongSinceMs, lastLookMs, logSize: size });
        if (phase !== 'verify') state.wrongSinceMs = null;
      }
      // It went down while it changed: nobody hears how that ended.
      if (phase === 'remediate' && atMs < one.offUntilMs)
        return { fails: 'winrm_unreachable', sentence: 'it restarts' };
      if (printed === null) return { exitCode: 1, stdout: line };
      return { exitCode: 0, stdout: line + printed };
    },
    drift(target, part) {
      const one = byId.get(target);
      if (one !== undefined) one.parts[part].good = false;
    },
    repair(target, part, atMs) {
      const one = byId.get(target);
      if (one === undefined) return;
      Object.assign(one.parts[part], { good: true, armedUntilMs: null, wrongAgainAtMs: null });
      one.quietUntilMs = atMs + 48 * HOUR_MS;
    },
  };
}
