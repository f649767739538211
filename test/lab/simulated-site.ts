// Windows machines that exist in memory: a Runner without PowerShell and network, for what has to be tried a thousand times.
// A machine is a handful of settings; its "scripts" are told apart by the phase that the input names.
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { ErrorCode } from '../../agent/errors/codes.ts';
import { identityLine, readGuardedScript } from '../../agent/execution/machine-identity.ts';
import { ACTIONS_SCHEMA, FACTS_SCHEMA } from '../../agent/execution/read-output.ts';
import type { Phase, Runner, RunOutput, ScriptInput, ScriptRun } from '../../agent/execution/runner.ts';
import type { Target } from '../../agent/targets/target.ts';

export interface SimulatedMachine {
  /** What detect and verify print as facts beside `host`. */
  settings: Record<string, number | boolean | string | null>;
  role: 'domain_controller' | 'member_server' | 'workstation';
  build: number;
  /** What remediate sets; what is as wanted already is no change. */
  wanted: Readonly<Record<string, number | boolean | string | null>>;
  /** Instead of answering: the connection fails with this code. */
  fails?: ErrorCode;
  /** Phases that never answer. */
  hangs?: readonly Phase[];
  /** Answers of single phases in place of the usual ones. */
  answers?: Partial<Record<Phase, (input: ScriptInput) => Partial<RunOutput> | string>>;
  /** Something sets the settings back at once: a group policy. */
  reverts?: boolean;
  /** The account's rights do not suffice for the phase: the script fails. */
  denied?: readonly Phase[];
  cpuMs?: number;
  /** What it says of itself; null where it cannot; the same as every other machine where nothing is said. */
  sid?: string | null;
}

export interface SimulatedSite extends Runner {
  /** One script, as any session would run it. */
  run(target: Target, run: ScriptRun, signal: AbortSignal): Promise<RunOutput>;
  /** Sessions that were used, in order, with the phases of each. */
  readonly sessions: { readonly target: string; readonly phases: Phase[]; closed: boolean }[];
  readonly machines: Record<string, SimulatedMachine>;
  /** Every run that began, in order. */
  readonly runs: { readonly target: string; readonly phase: Phase; readonly script: string }[];
  /** Most runs that were under way at once. */
  readonly most: () => number;
  /** Called when a run begins; may wait. */
  onRun?: (target: string, phase: Phase) => Promise<void> | void;
}

/** Of a simulated machine that has none of its own. */
export const SIMULATED_SID = 'S-1-5-21-1004336348-1177238915-682003330';

const output = (given: Partial<RunOutput> | string): RunOutput => {
  const rest = typeof given === 'string' ? { stdout: Buffer.from(given) } : given;
  return { exitCode: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), truncated: false, ...rest };
};

/** One JSON document on one line, as scripts print it. */
export function factsLine(facts: object, cpuMs = 40): string {
  return `${JSON.stringify({ schema: FACTS_SCHEMA, facts, used: { cpu_ms: cpuMs } })}\r\n`;
}

export function actionsLine(
  status: string,
  changes: readonly { what: string; from: unknown; to: unknown }[] = [],
  cpuMs = 60,
): string {
  const facts = { status, reboot_required: false, changes };
  return `${JSON.stringify({ schema: ACTIONS_SCHEMA, facts, used: { cpu_ms: cpuMs } })}\r\n`;
}

function answer(machine: SimulatedMachine, { phase, snapshot }: ScriptInput): string {
  const { settings, wanted } = machine;
  if (phase === 'detect' || phase === 'verify') {
    const host = { role: machine.role, build: machine.build };
    return factsLine({ host, ...settings }, machine.cpuMs);
  }
  if (phase === 'confirm') return actionsLine('nothing_to_do');
  const to = phase === 'rollback' ? ((snapshot ?? {}) as typeof settings) : wanted;
  const changes = Object.keys(wanted).flatMap((what) =>
    settings[what] === to[what] ? [] : [{ what, from: settings[what] ?? null, to: to[what] ?? null }],
  );
  if (phase !== 'plan' && machine.reverts !== true) {
    for (const change of changes) settings[change.what] = change.to;
  }
  return actionsLine(changes.length === 0 ? 'nothing_to_do' : 'changed', changes);
}

export function simulatedSite(machines: Record<string, SimulatedMachine>): SimulatedSite {
  let under = 0;
  let most = 0;
  const runs: SimulatedSite['runs'] = [];
  const sessions: SimulatedSite['sessions'] = [];
  const run = async (target: Target, o: ScriptRun, signal: AbortSignal): Promise<RunOutput> => {
    const machine = machines[target.id];
    const input = o.params as ScriptInput;
    const guarded = readGuardedScript(o.script);
    const begun = { target: target.id, phase: input.phase, script: guarded?.script ?? o.script };
    runs.push(begun);
    await site.onRun?.(target.id, input.phase);
    signal.throwIfAborted();
    const sid = machine?.sid === undefined ? SIMULATED_SID : machine.sid;
    const said = guarded === null ? Buffer.alloc(0) : Buffer.from(identityLine(sid));
    if (machine !== undefined && guarded !== null && guarded.expected !== null && guarded.expected !== sid) {
      // Not even begun, whatever the machine would do.
      if (machine.fails === undefined) {
        runs.splice(runs.indexOf(begun), 1);
        return output({ exitCode: 1, stdout: said });
      }
    }
    if (machine === undefined) throw new AgentError('winrm_unreachable', 'no such machine');
    if (machine.fails !== undefined) throw new AgentError(machine.fails, 'the machine fails');
    if (machine.hangs?.includes(input.phase) === true) await hang(o.timeoutMs, signal);
    if (machine.denied?.includes(input.phase) === true) return output({ exitCode: 1, stdout: said });
    const given = output(machine.answers?.[input.phase]?.(input) ?? answer(machine, input));
    const stdout = Buffer.concat([said, given.stdout]);
    if (stdout.length <= o.outputCapBytes) return { ...given, stdout };
    return { ...given, stdout: stdout.subarray(0, o.outputCapBytes), truncated: true };
  };
  const site: SimulatedSite = {
    machines,
    runs,
    sessions,
    most: () => most,
    open(target) {
      const session: SimulatedSite['sessions'][number] = { target: target.id, phases: [], closed: false };
      return {
        async run(o, signal) {
          if (session.closed) throw new Error('the session is closed');
          if (session.phases.length === 0) sessions.push(session);
          session.phases.push((o.params as ScriptInput).phase);
          return site.run(target, o, signal);
        },
        close() {
          session.closed = true;
          return Promise.resolve();
        },
      };
    },
    async run(target, o, signal) {
      under += 1;
      most = Math.max(most, under);
      try {
        return await run(target, o, signal);
      } finally {
        under -= 1;
      }
    },
  };
  return site;
}

/** Ends by the run's own time limit or by the caller's signal, never by itself. */
function hang(timeoutMs: number, signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', aborted);
      reject(new AgentError('runner_timeout', 'the script was not done within its time'));
    }, timeoutMs);
    const aborted = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', aborted, { once: true });
    if (signal.aborted) aborted();
  });
}
