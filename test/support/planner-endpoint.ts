// An endpoint that says what a test wants it to say, for all tests of a file, and a planner that asks it. For tests only.
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { ErrorCode } from '../../agent/errors/codes.ts';
import type { PlannerDeps, PlannerResult } from '../../agent/healing/planner/planner-types.ts';
import { statementsOf, type OpenLog } from './evidence-fixtures.ts';
import { completion, honest, sendJson, startLyingModel, type Lie, type LyingModel } from './lying-model.ts';
import { plannerDeps, remote } from './planner-fixtures.ts';
import { makeTestCa, type TestCa } from './test-ca.ts';

export interface PlannerEndpoint {
  readonly ca: TestCa;
  readonly model: LyingModel;
  /** Requests since the test began. */
  sent(): number;
  depsOf(open: OpenLog, more?: Partial<PlannerDeps>): PlannerDeps;
}

/** Call it once at the top of a file. The model is honest at the begin of each test. */
export function plannerEndpoint(): PlannerEndpoint {
  let ca: TestCa;
  let model: LyingModel;
  let first = 0;
  beforeAll(async () => {
    ca = await makeTestCa();
    model = await startLyingModel(await ca.issueServer({ names: ['localhost'], ips: ['127.0.0.1'] }));
  });
  afterAll(() => model.close());
  beforeEach(() => {
    model.say(honest);
    first = model.seen.length;
  });
  return {
    get ca() {
      return ca;
    },
    get model() {
      return model;
    },
    sent: () => model.seen.length - first,
    depsOf: (open, more = {}) => plannerDeps(open, remote(model.port), ca.caPem, more),
  };
}

/** Predicates of the `action` entries of a log. */
export const actionsOf = (open: OpenLog) =>
  statementsOf(open.store).flatMap(({ predicate }) => (predicate.kind === 'action' ? [predicate] : []));

export const codeOf = (result: PlannerResult): ErrorCode | 'plan' => (result.kind === 'plan' ? 'plan' : result.code);

/** An answer whose message is `content`. */
export const message =
  (content: unknown, choice: object = {}): Lie =>
  (response) =>
    sendJson(response, completion(content, {}, choice));
