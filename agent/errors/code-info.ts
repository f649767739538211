// What stands in one row of the table of error codes.
/** What a code says about the process that meets it and about whoever retries. */
export interface CodeInfo {
  /** Exit code of the CLI when this error ends a command (see exit-codes.ts for their meanings). */
  readonly exit: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;
  /** True where the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean;
  /** One line for docs/errors.md: when this happens. */
  readonly when: string;
  /** One line for docs/errors.md: what to do about it. */
  readonly remedy: string;
}

/** One row of the table of codes. */
export const code = (exit: CodeInfo['exit'], retryable: boolean, when: string, remedy: string): CodeInfo => ({
  exit,
  retryable,
  when,
  remedy,
});
