// L2: a language model is asked which listed runbook would put right what no rule fits. It is told scrubbed facts, it chooses from a
// closed list, and what it says is a proposal. Whatever goes wrong leads to people at once; rules never wait for it.
import * as v from 'valibot';
import type { ErrorCode } from '../../errors/codes.ts';
import type { LoadedRunbook } from '../../execution/load-runbook.ts';
import type { PlannerCallRow } from '../../store/open-store.ts';
import { contentState, runbookClass } from '../../trust/content-list.ts';
import { sha256Hex } from '../../wire/digest.ts';
import { jcsDigest } from '../../wire/jcs.ts';
import { askEndpoint, type Asked } from './ask-endpoint.ts';
import { BUDGET_WINDOW_S, DEFAULT_PLANNER_LIMITS, judgeBudget, microCentsOf, PLAN_WINDOW_S } from './budgets.ts';
import { endpointsOf, type Endpoint } from './endpoints.ts';
import { judgeAnswer, type AnswerVerdict } from './judge-answer.ts';
import { planAuthority } from './plan-authority.ts';
import { plannerInput, type PlannerInput } from './planner-input.ts';
import type { Plan, PlannerDeps, PlannerLimits, PlannerResult, PlannerSubject } from './planner-types.ts';
import { ANSWER_TOKENS, chatRequest } from './prompt.ts';
import { modelInEvidence, recordAnswered, recordAsked } from './record-call.ts';

/** Prompts, answers and what they cost stay this long on the appliance. */
export const KEEP_CALLS_S = 30 * 86_400;
const SALT_KEY = 'planner.salt';
const SALT_BYTES = 32;
/** Answers that are no plan, about one finding. */
const MAX_BAD_ANSWERS = 2;

/** A plan as its row keeps it. */
const keptPlan = v.strictObject({
  planId: v.string(),
  runbook: v.strictObject({ id: v.string(), version: v.number(), sha256: v.string() }),
  params: v.record(v.string(), v.union([v.boolean(), v.number(), v.string(), v.array(v.string())])),
  alternatives: v.array(v.string()),
  rationale: v.string(),
  llm: v.strictObject({ model: v.string(), prompt_sha256: v.string(), output_sha256: v.string() }),
});

const people = (code: ErrorCode, sentence: string, asked = false): PlannerResult => ({
  kind: 'people',
  code,
  sentence,
  asked,
});

/** Runbooks that could heal this finding here: of its platform and check, listed, and changing something. */
function choices(subject: PlannerSubject, { content, runbooks }: PlannerDeps, now: number): LoadedRunbook[] {
  const state = contentState(content, now);
  if (state === 'absent' || state === 'lapsed') return [];
  return runbooks.filter(
    ({ runbook, sha256 }) =>
      runbook.platform === subject.platform &&
      runbook.check === subject.finding.check.id &&
      runbook.remediate.by !== 'none' &&
      runbookClass(content, { id: runbook.id, version: runbook.version, sha256 }) !== null,
  );
}

/** The same finding has the same key, whatever its facts are by now: facts that change do not make another question. */
const keyOf = ({ platform, finding, condition }: PlannerSubject): string =>
  questionKey({ platform, target: finding.target.id, check: finding.check.id, condition });

/** What a question is about. */
interface About {
  readonly platform: string;
  readonly target: string;
  readonly check: string;
  readonly condition: string;
}
const questionKey = (about: About): string => jcsDigest({ ...about });

/** What a planner proposed last about this drift, or null; whether its runbook is still listed is not asked. */
export function lastProposed({ planner }: Pick<PlannerDeps['store'], 'planner'>, about: About): Plan | null {
  return planIn(planner.lastFor(questionKey(about)));
}

function saltOf({ store, ids }: PlannerDeps): Buffer {
  const kept = store.settings.get(SALT_KEY);
  if (kept !== null) return Buffer.from(kept, 'hex');
  const salt = ids.randomBytes(SALT_BYTES);
  store.settings.set(SALT_KEY, salt.toString('hex'));
  return salt;
}

function planIn(row: PlannerCallRow | null): Plan | null {
  if (row === null || row.plan === null) return null;
  const parsed = v.safeParse(keptPlan, JSON.parse(row.plan));
  return parsed.success ? parsed.output : null;
}

function earlierPlan(row: PlannerCallRow, listed: readonly LoadedRunbook[]): Plan | null {
  const plan = planIn(row);
  return plan !== null && listed.some(({ sha256 }) => sha256 === plan.runbook.sha256) ? plan : null;
}

/**
 * Asks for a plan. One at a time: budgets are read before each request and charged with it. Everything that an endpoint does is a
 * {@link PlannerResult}; the store's errors and the signal's reason are thrown.
 */
export async function planHealing(
  subject: PlannerSubject,
  deps: PlannerDeps,
  signal: AbortSignal,
): Promise<PlannerResult> {
  const { policy, store } = deps;
  const allowed = endpointsOf(policy);
  if (!allowed.on) return people('planner_off', allowed.sentence);
  const now = deps.now();
  if (now === null) return people('planner_off', 'there is no signed time in this boot yet');
  if (subject.finding.result !== 'fail') return people('planner_off', 'only drift is asked about');
  store.planner.forget({ texts: now - KEEP_CALLS_S, calls: now - KEEP_CALLS_S });
  const listed = choices(subject, deps, now);
  if (listed.length === 0) return people('planner_no_runbook', 'no listed runbook changes what this check finds');
  const last = store.planner.lastFor(keyOf(subject));
  if (last !== null && now - last.at < PLAN_WINDOW_S) {
    const plan = earlierPlan(last, listed);
    if (plan === null) return people('planner_asked_before', 'it was asked about this within a day');
    return { kind: 'plan', plan, authority: planAuthority(plan.runbook.id, policy, deps.localMode), kept: true };
  }
  const input = plannerInput(subject, saltOf(deps), now);
  if (typeof input === 'string') return people('planner_input_refused', input);
  return new Asking(subject, deps, { input, listed, now, endpoints: allowed.endpoints }).run(signal);
}

interface Question {
  readonly input: PlannerInput;
  readonly listed: readonly LoadedRunbook[];
  readonly now: number;
  readonly endpoints: readonly Endpoint[];
}

/** One question, over the endpoints in their order: the next one where one gave no answer, people after two bad ones. */
class Asking {
  readonly #subject: PlannerSubject;
  readonly #deps: PlannerDeps;
  readonly #question: Question;
  readonly #limits: PlannerLimits;
  readonly #moneyPerDayCents: number;
  #asked = false;
  #bad = 0;

  constructor(subject: PlannerSubject, deps: PlannerDeps, question: Question) {
    this.#subject = subject;
    this.#deps = deps;
    this.#question = question;
    this.#limits = { ...DEFAULT_PLANNER_LIMITS, ...deps.limits };
    this.#moneyPerDayCents = deps.policy?.llm?.money_per_day_cents ?? 0;
  }

  async run(signal: AbortSignal): Promise<PlannerResult> {
    let end: PlannerResult = people('planner_off', 'no language model may be asked');
    for (const endpoint of this.#question.endpoints) {
      let refused: string | null = null;
      for (;;) {
        const one = await this.#ask(endpoint, refused, signal);
        if (one.next === 'done') return one.result;
        end = one.result;
        if (one.next === 'endpoint') break;
        this.#bad += 1;
        if (this.#bad >= MAX_BAD_ANSWERS) return end;
        refused = one.fault;
      }
    }
    return end;
  }

  async #ask(endpoint: Endpoint, refused: string | null, signal: AbortSignal): Promise<Step> {
    const { input, listed, now } = this.#question;
    const deps = this.#deps;
    const { body, promptTokens } = chatRequest(endpoint, input, listed, refused);
    const tokens = promptTokens + ANSWER_TOKENS;
    const calls = deps.store.planner.since(now - BUDGET_WINDOW_S);
    const money = { endpoint, tokens, now, moneyPerDayCents: this.#moneyPerDayCents };
    const budget = judgeBudget(money, calls, this.#limits);
    if (!budget.allowed) return { next: 'endpoint', result: people(budget.code, budget.sentence, this.#asked) };
    const call: PlannerCallRow = {
      callId: deps.ids.uuidv7(),
      findingKey: keyOf(this.#subject),
      endpoint: endpoint.kind,
      model: modelInEvidence(endpoint.model),
      state: 'asked',
      code: null,
      tokens,
      microCents: budget.microCents,
      retryAt: null,
      promptSha256: sha256Hex(body),
      outputSha256: null,
      plan: null,
      at: now,
    };
    const secrets = endpoint.credential === null ? { key: null, caPem: null } : deps.secrets(endpoint.credential);
    recordAsked(deps, this.#subject, call, { prompt: body, answer: null });
    this.#asked = true;
    const asked = await askEndpoint(endpoint, secrets, body, this.#limits.deadlineMs, signal);
    return this.#judge({ call, endpoint, body }, asked);
  }

  #judge(sent: { call: PlannerCallRow; endpoint: Endpoint; body: string }, asked: Asked): Step {
    const { call, endpoint, body } = sent;
    const { now, listed } = this.#question;
    if (!asked.came) {
      // Nothing was used where nothing can have arrived; else it stays charged in full.
      const cost = asked.mayHaveLeft ? call : { tokens: 0, microCents: 0 };
      const retryAt = asked.retryAfterS === null ? null : now + asked.retryAfterS;
      const { tokens, microCents } = cost;
      const end = { tokens, microCents, retryAt, answer: null, code: 'planner_unavailable' as const };
      recordAnswered(this.#deps, this.#subject, call, body, end, null);
      return {
        next: 'endpoint',
        result: people('planner_unavailable', `the model gave no answer (${asked.why})`, true),
      };
    }
    const verdict = judgeAnswer(asked.head, asked.body, listed);
    const tokens = Math.max(usedOf(asked.body), call.tokens);
    const cost = { tokens, microCents: microCentsOf(tokens, endpoint), retryAt: null, answer: asked.body };
    return this.#end(call, body, cost, verdict);
  }

  #end(
    call: PlannerCallRow,
    prompt: string,
    cost: Omit<Parameters<typeof recordAnswered>[4], 'code'>,
    verdict: AnswerVerdict,
  ): Step {
    const record = (code: ErrorCode | null, plan: Omit<Plan, 'llm' | 'planId'> | null): Plan | null =>
      recordAnswered(this.#deps, this.#subject, call, prompt, { ...cost, code }, plan);
    switch (verdict.verdict) {
      case 'refused': {
        record('planner_answer_refused', null);
        const sentence = `two answers of the model were no plan (${verdict.fault})`;
        return { next: 'again', fault: verdict.fault, result: people('planner_answer_refused', sentence, true) };
      }
      case 'none':
        record('planner_no_plan', null);
        return {
          next: 'done',
          result: people('planner_no_plan', 'the model found no listed runbook that would help', true),
        };
      case 'plan': {
        const { loaded, params, alternatives, rationale } = verdict;
        const { id, version } = loaded.runbook;
        const plan = record(null, { runbook: { id, version, sha256: loaded.sha256 }, params, alternatives, rationale });
        if (plan === null) return { next: 'done', result: people('internal', 'the plan was not kept', true) };
        const { policy, localMode } = this.#deps;
        return {
          next: 'done',
          result: { kind: 'plan', plan, authority: planAuthority(id, policy, localMode), kept: false },
        };
      }
    }
  }
}

type Step =
  | { readonly next: 'done'; readonly result: PlannerResult }
  | { readonly next: 'endpoint'; readonly result: PlannerResult }
  | { readonly next: 'again'; readonly fault: string; readonly result: PlannerResult };

/** What the endpoint says that it used; 0 where it says nothing that can be right. The estimate is never undercut by it. */
function usedOf(body: Buffer): number {
  try {
    const { usage } = JSON.parse(body.toString('utf8')) as { usage?: { total_tokens?: unknown } };
    const total = usage?.total_tokens;
    return typeof total === 'number' && Number.isSafeInteger(total) && total > 0 && total < 10_000_000 ? total : 0;
  } catch {
    return 0;
  }
}
