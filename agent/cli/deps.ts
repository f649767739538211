// Room `cli`: the command line, one file per verb. It reads; what it wants done it leaves as a control file for the daemon.
// Here: everything a verb gets from outside, so that tests and main.ts can hand in their own.
import type { LoadedBaseline } from '../checks/baseline.ts';
import type { ControlMap } from '../checks/controls.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import type { Clock, Exec, Ids } from '../system/ports.ts';

/** Where text goes. Writing never throws: a reader that went away is no error (EPIPE). */
export interface Output {
  write(text: string): void;
  readonly isTTY: boolean;
  /** Of a terminal, at this moment. */
  readonly size?: () => { readonly columns: number; readonly rows: number };
}

export interface CliDeps {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly exec: Exec;
  readonly ids: Ids;
  /** Version of this build, and of the NixOS system if it is one. */
  readonly build: { readonly version: string; readonly nixosRevision: string | null };
  /** Runs the daemon until it has stopped; resolves with its exit code. `run` only. */
  readonly startDaemon: (loaded: LoadedConfig) => Promise<number>;
  /** Fires when the process is asked to end (SIGTERM, SIGINT, SIGHUP). Who asks for it ends the process itself. */
  readonly stopSignal: () => AbortSignal;
  /** Folder `runbooks/` of the package: baselines, rules, runbooks. */
  readonly contentDir: string;
  /** Baseline and control maps to judge by: the given baseline file, or the one that ships with the agent. */
  readonly loadChecks: (baselinePath: string | null) => {
    readonly baseline: LoadedBaseline;
    readonly controls: readonly ControlMap[];
  };
}

/** What every verb is called with: the surroundings and the options that all verbs share. */
export interface CliContext extends CliDeps {
  readonly json: boolean;
  /** `--config`, else COMPLIANCE_AGENT_CONFIG, else the default path. */
  readonly configPath: string;
  /** `--state`: use this state directory and leave the configuration file alone. */
  readonly stateDir: string | null;
}

export const nowSeconds = (context: Pick<CliDeps, 'clock'>): number => Math.floor(context.clock.wallMs() / 1_000);
