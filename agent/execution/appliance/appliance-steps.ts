// The steps of one run on the appliance itself, in their order. The appliance's own check looks, a privileged helper acts. Nothing
// is changed before its intent is committed, and success is what a look after the change saw.
import { CODES, type ErrorCode } from '../../errors/codes.ts';
import type { Finding } from '../../wire/schemas/finding.ts';
import { judgePreconditions, holds, type Stopped } from '../judge-run.ts';
import { recordIntent, planDigest, type RunHead } from '../record-run.ts';
import type { RunbookVerb } from '../runbook.ts';
import { ended, type RunResult } from '../run-request.ts';
import { endRun, isGood, mayChange, nowS, runHead, undisturbed, type RunOf } from '../run-frame.ts';
import {
  APPLIANCE,
  type ApplianceDeps,
  type ApplianceLoaded,
  type ApplianceRequest,
  type HelperAnswer,
  type HelperRequest,
} from './appliance-run.ts';
import { rememberStarted } from './started-runs.ts';

/** Between two looks while a change settles. */
const LEAST_PAUSE_S = 5;
const LONGEST_PAUSE_S = 60;
/** Facts are dated in whole seconds: what was read within the second of the change may have been read before it. */
const DATED_MS = 1_000;
const ASKED_TRIES = 3;
const FIRST_LOOK_TRIES = 3;
const NOT_READ_ANEW = 'what was read lies back: the reader of the facts did not come to read them anew';

const isNotStarted = (one: HelperAnswer): boolean => one.answer === 'absent' && one.code === 'helper_not_started';
const isUnanswered = ({ answer }: HelperAnswer): boolean => answer === 'silent' || answer === 'absent';

/** One act of a helper, and what is to be undone where it does not hold. */
interface Act {
  readonly runId: string;
  /** T of its intent. */
  readonly at: number;
  readonly head: RunHead;
  readonly before: Finding;
  readonly actions: readonly string[];
  /** The helper's name for it, where it takes a confirmation or a rollback. */
  readonly run: string | null;
}

/** What the runbook mends is as declared: the check passes, or sees what the runbook says that it has to. */
export function isMended({ runbook }: ApplianceLoaded, finding: Finding): boolean {
  const wanted = runbook.verify.holds;
  return isGood(finding) || (wanted !== undefined && wanted.every((one) => holds(one, finding.facts)));
}

export class ApplianceSteps {
  readonly #o: ApplianceRequest;
  readonly #of: RunOf & { readonly windowOverridden: boolean };
  readonly #deps: ApplianceDeps;
  readonly #signal: AbortSignal;

  constructor(o: ApplianceRequest, deps: ApplianceDeps, signal: AbortSignal) {
    this.#o = o;
    this.#of = { loaded: o.loaded, targetId: APPLIANCE, windowOverridden: o.windowOverridden };
    this.#deps = deps;
    this.#signal = signal;
  }

  async detectOnly(): Promise<RunResult> {
    const { result } = await this.#firstLook();
    if (result !== 'unknown') return ended('success', null, `the appliance was looked at: ${result}`);
    return ended('failed', 'runbook_detect_unknown', 'the appliance could not be judged');
  }

  /** Look, then either nothing to do, or the change with all that belongs to it. */
  async remediate(): Promise<RunResult> {
    const { loaded, dryRun } = this.#o;
    const { runbook } = loaded;
    const finding = await this.#firstLook();
    const before = runHead(this.#o, finding, [], null);
    if (finding.result === 'unknown') {
      return this.#stop(before, { outcome: 'failed', code: 'runbook_detect_unknown', sentence: finding.sentence });
    }
    if (finding.result === 'not_applicable') {
      return this.#stop(before, { outcome: 'rejected', code: 'runbook_not_applicable', sentence: finding.sentence });
    }
    if (finding.result === 'pass') return this.#alreadyAsDeclared(before);
    const unfit = judgePreconditions(runbook, finding.facts);
    if (unfit !== null) return this.#stop(before, unfit);
    if (runbook.remediate.by === 'none') {
      return this.#stop(before, { outcome: 'alert', code: 'runbook_alert_only', sentence: finding.sentence });
    }
    if (isMended(loaded, finding)) {
      const sentence = 'what the runbook mends is as declared; something else is not';
      return this.#stop(before, { outcome: 'alert', code: 'runbook_nothing_to_change', sentence });
    }
    if (dryRun && runbook.dry_run === 'none') {
      return this.#stop(before, {
        outcome: 'rejected',
        code: 'runbook_dry_run',
        sentence: 'the runbook has no dry run',
      });
    }
    return this.#change(finding, runbook.remediate.verb, runbook.remediate.arguments);
  }

  /**
   * What was changed goes back by itself, or by the run that changed it. What was confirmed is what people signed, and only what they
   * sign next takes its place (docs/decisions/0030): an order cannot name a state that nobody signed.
   */
  orderedRollback(): RunResult {
    const { rollback } = this.#o.loaded.runbook;
    const sentence =
      rollback.how === 'none'
        ? `there is no way back: ${rollback.reason}`
        : 'a confirmed change is what the signed baseline declares: sign another baseline to change it';
    return ended('rejected', 'runbook_nothing_to_change', sentence);
  }

  async #alreadyAsDeclared(head: RunHead): Promise<RunResult> {
    if (this.#o.dryRun) {
      return this.#stop(head, { outcome: 'dry_run', code: 'runbook_dry_run', sentence: 'nothing would be changed' });
    }
    const finding = await this.#look();
    const good = isGood(finding);
    const sentence = good ? 'the appliance is as declared; nothing was changed' : finding.sentence;
    const result = ended(good ? 'success' : 'failed', good ? null : 'runbook_not_verified', sentence);
    return this.#end(null, head, result, finding);
  }

  async #change(before: Finding, verb: RunbookVerb, words: readonly string[]): Promise<RunResult> {
    const { loaded, params, dryRun, grounds } = this.#o;
    const changes = [{ what: 'helper', from: null, to: [verb, ...words].join(' ') }];
    const digest = planDigest(loaded, APPLIANCE, params, changes);
    const what = words.length === 0 ? `the helper ${verb}` : `the helper ${verb} on ${words.join(', ')}`;
    const head = runHead(this.#o, before, [`would run ${what}`], digest);
    if (dryRun) {
      return this.#end(null, head, ended('dry_run', 'runbook_dry_run', `a dry run: would run ${what}`, 1), null);
    }
    const { nowT, stopped } = mayChange(this.#of, this.#deps);
    if (stopped !== null) return this.#stop(head, stopped);
    const runId = this.#deps.ids.uuidv7();
    recordIntent(this.#deps, { runId, action: 'remediate', snapshot: before.facts, at: nowT }, head);
    return undisturbed(this.#deps, runId, async () => {
      const isConnected = this.#deps.watchConnection();
      const request = { step: 'act', loaded, arguments: words, grounds } as const;
      // Where it was not even started, nothing was done, and it may be asked again.
      const answer = await this.#asked(verb, request, isNotStarted);
      const run = 'run' in answer ? answer.run : null;
      const act: Act = { runId, at: nowT, head, before, actions: [`${ran(answer)} ${what}`], run };
      return this.#judged(act, verb, answer, isConnected);
    });
  }

  async #judged(
    act: Act,
    verb: RunbookVerb,
    answer: HelperAnswer,
    isConnected: (signal: AbortSignal) => Promise<boolean>,
  ): Promise<RunResult> {
    if (answer.answer === 'absent') {
      return this.#end(act.runId, act.head, failed(answer.code, 0), null, act.actions);
    }
    if (answer.answer === 'refused') return this.#refused(act, answer.code);
    const changes = answer.answer === 'unchanged' ? 0 : 1;
    // An update ends this very process: what is started here is judged by the one that comes after it.
    const outlivesUs = answer.answer === 'started' && verb === 'apply-update';
    const seen = outlivesUs ? { good: false, finding: act.before } : await this.#verified();
    if (!seen.good && answer.answer === 'started') {
      const sentence = 'what was started has not shown a result yet; a later look judges it';
      const { store } = this.#deps;
      return store.unit(() => {
        rememberStarted(store, { runId: act.runId, at: act.at });
        const result = ended('deferred', 'runbook_started', sentence, changes);
        return this.#end(act.runId, act.head, result, null, act.actions);
      });
    }
    if (!seen.good) return this.#undo(act, seen.finding);
    if (answer.answer === 'silent') {
      // What is there is as declared, and yet nobody knows what the helper did: not undone, and no success either.
      return this.#end(act.runId, act.head, failed('helper_silent', changes), seen.finding, act.actions);
    }
    if (!(await this.#confirmed(act, verb, isConnected))) return this.#undo(act, seen.finding);
    const sentence = isGood(seen.finding)
      ? seen.finding.sentence
      : 'what the runbook mends was seen to be as declared; the check has something else to say';
    return this.#end(act.runId, act.head, ended('success', null, sentence, changes), seen.finding, act.actions);
  }

  /** A helper that refuses says that it did nothing; a look says whether that is so. */
  async #refused(act: Act, code: string): Promise<RunResult> {
    await this.#deps.clock.sleep(DATED_MS, this.#signal);
    const finding = await this.#look();
    const known = Object.hasOwn(CODES, code) ? (code as ErrorCode) : 'runbook_remediate_failed';
    return this.#end(act.runId, act.head, failed(known, 0), finding, act.actions);
  }

  /** An act that goes back by itself is confirmed once nothing was cut off by it. */
  async #confirmed(
    { run }: Act,
    verb: RunbookVerb,
    isConnected: (signal: AbortSignal) => Promise<boolean>,
  ): Promise<boolean> {
    if (run === null) return true;
    if (!(await isConnected(this.#signal))) return false;
    const { answer } = await this.#followUp(verb, 'confirm', run);
    return answer === 'done' || answer === 'unchanged';
  }

  /** Needs no grounds and changes nothing twice, so it is asked again where nobody answers. */
  #followUp(verb: RunbookVerb, step: 'confirm' | 'rollback', run: string): Promise<HelperAnswer> {
    return this.#asked(verb, { step, run }, isUnanswered);
  }

  async #asked(
    verb: RunbookVerb,
    request: HelperRequest,
    isAgain: (answer: HelperAnswer) => boolean,
  ): Promise<HelperAnswer> {
    const { helper, clock } = this.#deps;
    let answer = await helper(verb, request, this.#signal);
    for (let left = ASKED_TRIES - 1; left > 0 && isAgain(answer); left -= 1) {
      await clock.sleep(LEAST_PAUSE_S * 1_000, this.#signal);
      answer = await helper(verb, request, this.#signal);
    }
    return answer;
  }

  /** Mended within the time by facts from after the change, and still so after the time of stability. */
  async #verified(): Promise<{ readonly good: boolean; readonly finding: Finding }> {
    const { loaded } = this.#o;
    const { within_s: withinS, stable_for_s: stableForS } = loaded.runbook.verify;
    const good = (one: Finding): boolean => isMended(loaded, one);
    const first = await this.#lookUntil(withinS, good);
    if (!first.met || stableForS === 0) return { good: first.met, finding: first.finding };
    await this.#deps.clock.sleep(stableForS * 1_000, this.#signal);
    const second = await this.#lookUntil(0, good);
    return { good: second.met, finding: second.finding };
  }

  /** Looks until `met` holds of facts that were read after this call, or the time is over. */
  async #lookUntil(
    withinS: number,
    met: (finding: Finding) => boolean,
  ): Promise<{ readonly met: boolean; readonly finding: Finding }> {
    const { clock } = this.#deps;
    const calledS = nowS(clock);
    const untilMs = clock.monoMs() + withinS * 1_000;
    const pauseMs = Math.min(Math.max(withinS / 10, LEAST_PAUSE_S), LONGEST_PAUSE_S) * 1_000;
    const isMet = (finding: Finding): boolean => finding.facts_read_at > calledS && met(finding);
    await clock.sleep(DATED_MS, this.#signal);
    let finding = await this.#look();
    while (!isMet(finding) && clock.monoMs() + pauseMs <= untilMs) {
      await clock.sleep(pauseMs, this.#signal);
      finding = await this.#look();
    }
    return { met: isMet(finding), finding };
  }

  /** The way back. `reverted` only where a look sees what was there before. */
  async #undo(act: Act, seen: Finding): Promise<RunResult> {
    const { rollback, verify } = this.#o.loaded.runbook;
    if (rollback.how === 'none') {
      return this.#end(act.runId, act.head, failed('runbook_not_verified', 1), seen, act.actions);
    }
    let said = 'waited for the way back of the helper';
    if (act.run !== null) {
      const answer = await this.#followUp(rollback.verb, 'rollback', act.run);
      said = `${ran(answer)} the way back of the helper ${rollback.verb}`;
    }
    const isBack = (one: Finding): boolean => one.facts_digest === act.before.facts_digest;
    const { met, finding } = await this.#lookUntil(verify.within_s, isBack);
    const sentence = met
      ? 'the change was not confirmed and was undone; the appliance is as it was before'
      : 'the change was not confirmed, and the appliance is not known to be as it was before';
    const result = met
      ? ended('reverted', 'runbook_reverted', sentence)
      : ended('failed', 'runbook_rollback_failed', sentence, 1);
    return this.#end(act.runId, act.head, result, finding, [...act.actions, said]);
  }

  /** What is decided rests on facts that were read now: root's reader may not have come to it, and old ones may be of another day. */
  async #firstLook(): Promise<Finding> {
    const { clock } = this.#deps;
    const calledS = nowS(clock);
    let finding = await this.#look();
    for (let left = FIRST_LOOK_TRIES - 1; left > 0 && finding.facts_read_at < calledS; left -= 1) {
      await clock.sleep(LEAST_PAUSE_S * 1_000, this.#signal);
      finding = await this.#look();
    }
    return finding.facts_read_at < calledS ? { ...finding, result: 'unknown', sentence: NOT_READ_ANEW } : finding;
  }

  #look(): Promise<Finding> {
    return this.#deps.look(this.#o.loaded.runbook.check, this.#signal);
  }

  #stop(head: RunHead, { outcome, code, sentence }: Stopped): RunResult {
    return this.#end(null, head, ended(outcome, code, sentence), null);
  }

  #end(
    runId: string | null,
    head: RunHead,
    result: RunResult,
    seen: Finding | null,
    actions?: readonly string[],
  ): RunResult {
    const postState = seen?.facts ?? null;
    const ending = { result, postState, used: null, ...(actions === undefined ? {} : { actions }) };
    return endRun(this.#deps, runId, head, ending);
  }
}

/** Its words are the code's own: what a helper says may name what evidence must not. */
const failed = (code: ErrorCode, changes: number): RunResult => ended('failed', code, CODES[code].when, changes);

/** As actions of an entry begin. */
function ran({ answer }: HelperAnswer): string {
  switch (answer) {
    case 'done':
      return 'ran';
    case 'started':
      return 'started';
    case 'unchanged':
      return 'ran without a change';
    case 'refused':
      return 'was refused by';
    case 'absent':
      return 'could not start';
    case 'silent':
      return 'started and heard nothing of';
  }
}
