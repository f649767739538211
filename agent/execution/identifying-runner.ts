// A runner whose scripts run on the machine that a target is known to be, and on no other. It asks in the process of each script,
// so a look that is followed by a change cannot have seen somebody else.
import { AgentError } from '../errors/agent-error.ts';
import type { Target } from '../targets/target.ts';
import type { KnownMachines } from './known-machines.ts';
import { guardedScript, readIdentity } from './machine-identity.ts';
import type { Phase, Runner, RunOutput, ScriptInput, ScriptRun, TargetSession } from './runner.ts';

/** What may be the first contact. A plan is made of a machine that is known. */
const MAY_MEET: ReadonlySet<Phase> = new Set(['detect', 'verify']);

/**
 * Sessions of `runner` with the guard before each script. A look may be the first contact; what changes something needs a machine
 * that is known.
 *
 * Runs reject with `target_identity_differs` and `target_identity_unknown` besides what those of `runner` do. What another machine
 * printed is never handed on.
 */
export function identifyingRunner(runner: Runner, machines: KnownMachines): Runner {
  return {
    open(target): TargetSession {
      const session = runner.open(target);
      return {
        run: (run, signal) => guarded(session, target, run, machines, signal),
        close: () => session.close(),
      };
    },
  };
}

async function guarded(
  session: TargetSession,
  target: Target,
  run: ScriptRun,
  machines: KnownMachines,
  signal: AbortSignal,
): Promise<RunOutput> {
  const expected = machines.expected(target);
  const { phase } = run.params as ScriptInput;
  if (expected === null && !MAY_MEET.has(phase)) {
    throw new AgentError('target_identity_unknown', 'nobody knows yet which machine this target is', {
      details: { target: target.id },
    });
  }
  const output = await session.run({ ...run, script: guardedScript(run.script, expected) }, signal);
  const { answer, rest } = readIdentity(output.stdout);
  // What ended before it could be asked failed by itself, and is told so.
  if (answer.said !== 'not_asked' || output.exitCode === 0) machines.met(target, answer);
  return { ...output, stdout: rest };
}
