// The one error type of the product. Adapters translate native errors into it at the border.
import { CODES, type ErrorCode } from './codes.ts';

export type Details = Readonly<Record<string, string | number | boolean | null>>;

export interface AgentErrorOptions {
  /** Where: file and line, JSON path, URL path, entry seq. */
  readonly place?: string;
  /** What the reader can do; the code's general remedy when absent. */
  readonly remedy?: string;
  /** Log-safe values: no secrets, no text from targets. */
  readonly details?: Details;
  readonly cause?: unknown;
}

/** An expected failure with a permanent code. `message` is one plain sentence without the place. */
export class AgentError<Code extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'AgentError';
  readonly code: Code;
  readonly place: string | undefined;
  readonly remedy: string;
  readonly details: Details;

  constructor(code: Code, message: string, options: AgentErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.place = options.place;
    this.remedy = options.remedy ?? CODES[code].remedy;
    this.details = options.details ?? {};
  }

  get retryable(): boolean {
    return CODES[this.code].retryable;
  }

  get exitCode(): number {
    return CODES[this.code].exit;
  }

  /** `code: message (at place) — remedy`, the form that people read on a terminal. */
  describe(): string {
    const at = this.place === undefined ? '' : ` (at ${this.place})`;
    return `${this.code}: ${this.message}${at} — ${this.remedy}`;
  }
}

export function isAgentError(value: unknown): value is AgentError {
  return value instanceof AgentError;
}
