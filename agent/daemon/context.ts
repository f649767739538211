// What every stage of the daemon is given.
import type { ApplianceWork } from './appliance-work.ts';
import type { HelperFolders } from './helper-folders.ts';
import type { HealingWork } from './healing-work.ts';
import type { LoadedChecks } from './load-checks.ts';
import type { Config } from '../config/keys.ts';
import type { DeviceKeys } from '../identity/keys.ts';
import type { CheckpointOutput } from '../outputs/checkpoint-lines.ts';
import type { Store } from '../store/open-store.ts';
import type { BuildInfo } from '../system/build-info.ts';
import type { StageStatus } from '../system/status-file.ts';
import type { Clock, Exec, Ids, Log, Notify, Ticker } from '../system/ports.ts';
import type { AgentState } from './agent-state.ts';
import type { LockoutGuard } from '../targets/lockout-guard.ts';
import type { OwnTargetTable } from '../targets/target-table.ts';
import type { WindowsWork } from './windows-work.ts';
import type { StageName } from './stage.ts';

/** The surroundings, built in main.ts only. */
export interface Ports {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly exec: Exec;
  readonly notify: Notify;
  readonly ticker: Ticker;
  readonly log: Log;
}

export interface DaemonContext extends Ports {
  readonly config: Config;
  readonly build: BuildInfo;
  readonly store: Store;
  /** Of the current epoch. */
  keys: DeviceKeys;
  /** Files whose modes the `self` check looks at. */
  keyFiles: readonly string[];
  /** Where root's helpers are met; null without them. */
  readonly folders: HelperFolders | null;
  /** What came with the agent or its configuration, for all that the content list does not name. */
  readonly shipped: {
    readonly checks: LoadedChecks;
    readonly books: WindowsWork['books'];
    readonly applianceBooks: ApplianceWork['books'];
  };
  /** In force: of the content list where it names them. */
  checks: LoadedChecks;
  readonly windows: WindowsWork;
  readonly appliance: ApplianceWork;
  readonly healing: HealingWork;
  readonly checkpoints: CheckpointOutput;
  /** Machines that may be reached, with their secrets, in memory. */
  readonly targets: OwnTargetTable;
  /** Asked before each logon on a target. */
  readonly lockout: LockoutGuard;
  readonly state: AgentState;
  readonly startedAt: number;
  /** A new value with every start. */
  readonly instance: string;
  /** Makes a stage run at the next tick. */
  readonly trigger: (name: StageName) => void;
  /** What is known of the runs of every stage. */
  readonly stages: () => readonly StageStatus[];
  /** Ends the process in good order; the service manager starts it again. */
  readonly requestRestart: (reason: string) => void;
}

export const nowSeconds = (clock: Pick<Clock, 'wallMs'>): number => Math.floor(clock.wallMs() / 1_000);
