// Options of `runbook run`, as they were typed.

export interface RunbookRunOptions {
  readonly target?: string;
  readonly root?: string;
  readonly content?: string;
  readonly action?: string;
  readonly dryRun?: boolean;
}
