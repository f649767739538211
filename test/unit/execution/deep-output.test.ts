import { expect, it } from 'vitest';
import { ACTIONS_SCHEMA, FACTS_SCHEMA, readActions, readFacts } from '../../../agent/execution/read-output.ts';

const BUDGET = { cpuMs: 5_000, outputBytes: 1_048_576 };
const printed = (schema: string, facts: string) => ({
  exitCode: 0,
  stdout: Buffer.from(`{"schema":"${schema}","facts":${facts}}\n`),
  stderr: Buffer.alloc(0),
  truncated: false,
});
const nested = (levels: number): string => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;

// More levels than any stack takes, and fewer.
it.each([200_000, 100])('facts that nest %i deep are not facts, and end nobody else', (levels) => {
  expect(readFacts(printed(FACTS_SCHEMA, nested(4)), 0, BUDGET)).toMatchObject({ read: true });
  const facts = printed(FACTS_SCHEMA, nested(levels));
  expect(readFacts(facts, 0, BUDGET)).toMatchObject({ read: false, reason: 'wrong_shape' });
  expect(readActions(printed(ACTIONS_SCHEMA, nested(levels)), 0, BUDGET)).toMatchObject({ read: false });
});
