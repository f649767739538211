// What a daemon in a month that leaps and whoever lets its time pass say to each other. The machines are with the one who lets it
// pass: they outlive a daemon that is killed.
import type { ErrorCode } from '../../../agent/errors/codes.ts';
import type { Phase } from '../../../agent/execution/runner.ts';

export interface MonthClocks {
  /** Monotonic and boot clock at the start of this process. */
  readonly bootMs: number;
  readonly bootId: string;
  /** True time. */
  readonly wallMs: number;
  /** By how much this machine's wall clock is wrong. */
  readonly stepMs: number;
  /** Files that libfaketime shows as the wall clock: to this process, and to Central Command. */
  readonly ownWall: string;
  readonly centralWall: string;
}

/** One script for one machine, as its runbook and phase name it. */
export interface AskMachine {
  readonly target: string;
  readonly runbook: string;
  readonly phase: Phase;
  /** The machine that the script is meant for; null where it may meet any. */
  readonly expected: string | null;
  /** True time, and by how much the daemon was told otherwise. */
  readonly atMs: number;
}

export type MachineSays =
  { readonly exitCode: number; readonly stdout: string } | { readonly fails: ErrorCode; readonly sentence: string };

export type ToMonthDaemon =
  | { readonly kind: 'live'; readonly seconds: number; readonly measures: boolean }
  | { readonly kind: 'step'; readonly ms: number }
  | { readonly kind: 'says'; readonly id: number; readonly says: MachineSays }
  | { readonly kind: 'stop' };

export type FromMonthDaemon =
  | { readonly kind: 'ask'; readonly id: number; readonly ask: AskMachine }
  | {
      readonly kind: 'lived';
      readonly wallMs: number;
      readonly bootMs: number;
      /** Resident bytes of the process, after it gave back what it could; null where they were not asked for. */
      readonly rss: number | null;
    };
