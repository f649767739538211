// What a call leaves: an intent, committed with its row before anything leaves the building, and a result after. Each is one unit of
// work, so a call that was cut off stays charged and stays visible.
import type { ErrorCode } from '../../errors/codes.ts';
import { SHAPES } from '../../evidence/scrub-rules.ts';
import { forbiddenIn } from '../../evidence/scrub-sentence.ts';
import type { PlannerCallRow, PlannerTexts } from '../../store/open-store.ts';
import { sha256Hex } from '../../wire/digest.ts';
import { jcsDigest } from '../../wire/jcs.ts';
import type { EntryBody } from '../../wire/schemas/entry.ts';
import type { Plan, PlannerDeps, PlannerSubject, PlanOrigin } from './planner-types.ts';

/** Stands for an answer that is not there: SHA-256 of nothing. */
export const NO_ANSWER_SHA256: string = sha256Hex('');
/** Of an answer, the part that is kept. */
const MAX_KEPT_ANSWER_BYTES = 65_536;
const REVISION = new RegExp(SHAPES.revision, 'u');
const isRevision = (text: string): boolean => REVISION.test(text) && forbiddenIn(text) === null;

/** The model as an entry may name it: a name that could be a person's stands as its digest. */
export function modelInEvidence(model: string): string {
  return isRevision(model) && model.length <= 80 ? model : `model-0${sha256Hex(model).slice(0, 32)}`;
}

type Deps = Pick<PlannerDeps, 'store' | 'evidence'>;

/** A build that is no version is left out: an entry has to be there before anything is sent. */
const targetOf = ({ finding: { target } }: PlannerSubject): EntryBody<'action'>['target'] =>
  target.os_build === null || isRevision(target.os_build) ? target : { ...target, os_build: null };

const bodyOf = (subject: PlannerSubject, llm: PlanOrigin, tokens: number): Omit<EntryBody<'action'>, 'phase'> => ({
  target: targetOf(subject),
  controls: [...subject.finding.controls],
  pre_state: { tokens, recurrences: subject.recurrences },
  actions: ['a language model is asked for a plan; nothing is changed'],
  rollback_available: false,
  incident_id: subject.incidentId,
  llm,
});

/** Commits that `call` may leave now. Where this throws, nothing is sent. */
export function recordAsked(deps: Deps, subject: PlannerSubject, call: PlannerCallRow, texts: PlannerTexts): void {
  deps.store.unit(() => {
    deps.store.planner.put(call, texts);
    const llm = { model: call.model, prompt_sha256: call.promptSha256, output_sha256: NO_ANSWER_SHA256 };
    deps.evidence.append('action', { ...bodyOf(subject, llm, call.tokens), phase: 'intent' });
  });
}

export interface CallEnd {
  readonly tokens: number;
  readonly microCents: number;
  readonly retryAt: number | null;
  /** As it was received; null where nothing was. */
  readonly answer: Buffer | null;
  /** Null for an answer that could be used. */
  readonly code: ErrorCode | null;
}

/** Commits what came of it. */
export function recordAnswered(
  deps: Deps,
  subject: PlannerSubject,
  call: PlannerCallRow,
  prompt: string,
  end: CallEnd,
  planned: Omit<Plan, 'llm' | 'planId'> | null,
): Plan | null {
  const outputSha256 = end.answer === null ? null : sha256Hex(end.answer);
  const llm = {
    model: call.model,
    prompt_sha256: call.promptSha256,
    output_sha256: outputSha256 ?? NO_ANSWER_SHA256,
  };
  const plan = planned === null ? null : { planId: call.callId, ...planned, llm };
  deps.store.unit(() => {
    const { tokens, microCents, retryAt, code } = end;
    deps.store.planner.put(
      {
        ...call,
        state: 'ended',
        tokens,
        microCents,
        retryAt,
        code,
        outputSha256,
        plan: plan === null ? null : JSON.stringify(plan),
      },
      { prompt, answer: end.answer?.toString('utf8', 0, MAX_KEPT_ANSWER_BYTES) ?? null },
    );
    deps.evidence.append('action', {
      ...bodyOf(subject, llm, tokens),
      phase: 'result',
      outcome: plan === null ? 'failed' : 'needs_approval',
      ...(code === null ? {} : { code }),
      ...(plan === null ? {} : { plan_digest: jcsDigest({ ...plan }), runbook: plan.runbook }),
    });
  });
  return plan;
}
