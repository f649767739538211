// A machine of a scenario behind the lab's WinRM server. What its scripts print was recorded in real PowerShell; where there is
// one, they run in it. Its clock goes with ours: times that leave it are moved to the present, times that come back are not.
import type { CommandHandler } from './winrm-server/remote-command.ts';
import type { Recordings } from './recordings.ts';
import type { LabState } from './run-step.ts';
import type { Scenario, ScenarioBook } from './scenario.ts';
import { asMachine, readBootstrapInput } from './windows-host.ts';

const TIME = /\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z/g;

/** Every time in `text` moved by `ms`. */
const moved = (text: string, ms: number): string =>
  text.replace(TIME, (time) => new Date(Date.parse(time) + ms).toISOString().replace('.000Z', 'Z'));

export interface ReplayHost {
  readonly handler: CommandHandler;
  /** Phases that ran, in order. */
  readonly phases: readonly string[];
  readonly state: () => LabState;
}

export function replayHost(book: ScenarioBook, scenario: Scenario, recordings: Recordings): ReplayHost {
  let state = scenario.state;
  const phases: string[] = [];
  const aheadMs = Math.floor((Date.now() - Date.parse(state.now)) / 1_000) * 1_000;
  return {
    phases,
    state: () => state,
    handler: asMachine(async (run) => {
      const { script, input, cpuMs } = readBootstrapInput(await run.stdin());
      const own: unknown = JSON.parse(moved(JSON.stringify(input), -aheadMs));
      const step = {
        script,
        input: own,
        state,
        areas: book.areas,
        cpuMs,
        ...(scenario.env === undefined ? {} : { env: scenario.env }),
      };
      const output = await recordings.outcome(step);
      phases.push(input.phase);
      state = output.stateAfter;
      run.write('stdout', moved(output.stdout, aheadMs));
      run.write('stderr', output.stderr);
      return output.exitCode ?? 1;
    }),
  };
}
