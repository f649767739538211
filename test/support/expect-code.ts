// Assertions on error codes: messages may be reworded, codes may not.
import { expect } from 'vitest';
import { isAgentError, type AgentError } from '../../agent/errors/agent-error.ts';
import type { ErrorCode } from '../../agent/errors/codes.ts';

/** Runs `fn` and asserts that it throws an AgentError with this code. Returns the error for further assertions. */
export function expectCode(fn: () => unknown, code: ErrorCode): AgentError {
  let result: unknown;
  try {
    result = fn();
  } catch (error) {
    return assertCode(error, code);
  }
  if (result instanceof Promise) throw new TypeError('expectCode got a promise: use expectCodeAsync');
  return expect.fail(`nothing was thrown; expected ${code}`);
}

/** Awaits `promise` (or the promise of `promise()`) and asserts that it rejects with an AgentError of this code. */
export async function expectCodeAsync(
  promise: Promise<unknown> | (() => Promise<unknown>),
  code: ErrorCode,
): Promise<AgentError> {
  try {
    await (typeof promise === 'function' ? promise() : promise);
  } catch (error) {
    return assertCode(error, code);
  }
  return expect.fail(`nothing was rejected; expected ${code}`);
}

function assertCode(error: unknown, code: ErrorCode): AgentError {
  if (!isAgentError(error)) throw error;
  expect(error.code, error.describe()).toBe(code);
  return error;
}
