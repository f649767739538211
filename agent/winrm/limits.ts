// Deadlines and sizes of the WinRM client, each with its reason.

export interface Limits {
  /** TCP and TLS together. A host in the same building answers in milliseconds. */
  readonly connectMs: number;
  /** What the server is asked to answer within, output or not (OperationTimeout). */
  readonly operationMs: number;
  /** Until a whole answer is there: OperationTimeout and some more. */
  readonly answerMs: number;
  /** For each of Signal and Delete when cleaning up. */
  readonly cleanupMs: number;
  /** How long a command may take to end by itself after ctrl_c. */
  readonly cancelMs: number;
  /** Tries to reach the host again after a connection was lost while waiting for output … */
  readonly reconnectTries: number;
  /** … within this time. */
  readonly reconnectMs: number;
  /** First pause before another try; it doubles. */
  readonly retryPauseMs: number;
  /** Tries after a quota fault: whoever holds the quota may let go of it soon. */
  readonly quotaTries: number;
  /** A shell is replaced after so many commands … */
  readonly shellCommands: number;
  /** … or after so long without one. */
  readonly shellIdleMs: number;
}

export const LIMITS: Limits = {
  connectMs: 10_000,
  operationMs: 20_000,
  answerMs: 35_000,
  cleanupMs: 5_000,
  cancelMs: 5_000,
  reconnectTries: 5,
  reconnectMs: 60_000,
  retryPauseMs: 1_000,
  quotaTries: 3,
  shellCommands: 100,
  shellIdleMs: 900_000,
};

/** MaxEnvelopeSize that is asked for: the default of Windows (MS-WSMV 2.2.4.17), so that no server refuses it. */
export const MAX_ENVELOPE_BYTES = 153_600;
/** Of stdin in one Send: in base64 it is 128 KiB, which leaves room in the envelope. */
export const SEND_BYTES = 96 * 1_024;
/** Of one output stream. */
export const MAX_OUTPUT_BYTES = 16 * 1_048_576;
/** An answer: the envelope, its sealing, and room for servers that count the envelope otherwise. */
export const MAX_ANSWER_BYTES = 1_048_576;
/** Windows takes no longer command line (CreateProcess). */
export const MAX_COMMAND_CHARS = 32_766;
