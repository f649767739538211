// The steps of one run on one target, in their order. Nothing is changed before its intent is committed, and success is what the
// separate verify saw.
import type { Target } from '../targets/target.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { PlainJson } from '../wire/schemas/primitives.ts';
import { judgeFacts, type Stopped } from './judge-run.ts';
import { act, lookAt, type PhaseRun } from './phase.ts';
import type { Actions, Reading, Used } from './read-output.ts';
import { changeSentences, headOf, planDigest, recordIntent, type RunHead } from './record-run.ts';
import { endRun, isGood, lastChange, mayChange, nowS, runHead, undisturbed } from './run-frame.ts';
import { RunSessions } from './run-sessions.ts';
import { ended, type ExecutorDeps, type RunRequest, type RunResult } from './run-request.ts';
import { windowsFinding, windowsRole, type Look } from './windows-finding.ts';

/** Between two looks while a change settles. */
const LEAST_PAUSE_S = 5;
const LONGEST_PAUSE_S = 60;

/** One run while it lasts. */
export class RunSteps {
  readonly #o: RunRequest;
  readonly #target: Target;
  readonly #sessions: RunSessions;
  readonly #deps: ExecutorDeps;
  readonly #signal: AbortSignal;
  #cpuMs: number | null = null;
  #bytes = 0;

  constructor(o: RunRequest, target: Target, deps: ExecutorDeps, signal: AbortSignal) {
    this.#o = o;
    this.#target = target;
    this.#sessions = new RunSessions(deps.runner, target);
    this.#deps = deps;
    this.#signal = signal;
  }

  /** Ends what is open on the target; never rejects. */
  close(): Promise<void> {
    return this.#sessions.close();
  }

  async detectOnly(): Promise<RunResult> {
    const { finding } = await this.#look('detect');
    if (finding.result !== 'unknown') return ended('success', null, `the target was looked at: ${finding.result}`);
    return ended('failed', 'runbook_detect_unknown', 'the target could not be judged');
  }

  /** Detect, then either nothing to do, or the change with all that belongs to it. */
  async remediate(): Promise<RunResult> {
    const { loaded } = this.#o;
    const { look, finding } = await this.#look('detect');
    const before = runHead(this.#o, finding, [], null);
    const stranger = strangerIn(look);
    if (stranger !== null) return this.#stop(before, stranger);
    if (!look.seen || finding.result === 'unknown') {
      return this.#stop(before, { outcome: 'failed', code: 'runbook_detect_unknown', sentence: finding.sentence });
    }
    if (finding.result === 'not_applicable') {
      return this.#stop(before, { outcome: 'rejected', code: 'runbook_not_applicable', sentence: finding.sentence });
    }
    if (finding.result === 'pass') return this.#alreadyAsDeclared(before);
    if (!this.#isKnown()) return this.#stop(before, UNKNOWN_MACHINE);
    const unfit = judgeFacts(loaded.runbook, look.facts, windowsRole(this.#target.role));
    if (unfit !== null) return this.#stop(before, unfit);
    if (loaded.runbook.remediate.by === 'none') {
      return this.#stop(before, { outcome: 'alert', code: 'runbook_alert_only', sentence: finding.sentence });
    }
    const planned = await this.#plan(before, look.facts);
    if ('outcome' in planned) return planned;
    return this.#change(finding, look.facts, planned);
  }

  /** Nothing to change: still success only by what verify sees. */
  async #alreadyAsDeclared(head: RunHead): Promise<RunResult> {
    if (this.#o.dryRun) {
      return this.#stop(head, { outcome: 'dry_run', code: 'runbook_dry_run', sentence: 'nothing would be changed' });
    }
    const { finding } = await this.#look('verify');
    const good = finding.result === 'pass' || finding.result === 'waived';
    const code = good ? null : 'runbook_not_verified';
    const sentence = good ? 'the target is as declared; nothing was changed' : finding.sentence;
    return this.#end(null, head, { outcome: good ? 'success' : 'failed', code, sentence, changes: 0 }, finding.facts);
  }

  async #plan(head: RunHead, facts: Record<string, PlainJson>): Promise<Actions | RunResult> {
    const { runbook } = this.#o.loaded;
    if (runbook.dry_run === 'none') {
      const none: Actions = { status: 'changed', reboot_required: false, changes: [] };
      return this.#o.dryRun
        ? this.#stop(head, { outcome: 'rejected', code: 'runbook_dry_run', sentence: 'the runbook has no dry run' })
        : none;
    }
    const plan = await this.#act('plan', facts);
    if (!plan.read)
      return this.#stop(head, { outcome: 'failed', code: 'runbook_plan_failed', sentence: plan.sentence });
    const stopped = stoppedByPlan(plan.value);
    return stopped === null ? plan.value : this.#stop(head, stopped);
  }

  async #change(finding: Finding, facts: Record<string, PlainJson>, plan: Actions): Promise<RunResult> {
    const { loaded, params, targetId, dryRun } = this.#o;
    const digest = planDigest(loaded, targetId, params, plan.changes);
    const head = runHead(this.#o, finding, changeSentences(plan.changes, 'would change'), digest);
    if (dryRun) {
      const count = plan.changes.length;
      const sentence = `a dry run: ${count} settings would be changed`;
      const result = { outcome: 'dry_run', code: 'runbook_dry_run', sentence, changes: count } as const;
      return this.#end(null, head, result, null);
    }
    const { nowT, stopped } = mayChange(this.#o, this.#deps);
    if (stopped !== null) return this.#stop(head, stopped);
    const runId = this.#deps.ids.uuidv7();
    recordIntent(this.#deps, { runId, action: 'remediate', snapshot: facts, at: nowT }, head);
    return undisturbed(this.#deps, runId, () => this.#remediated(runId, head, facts, finding));
  }

  async #remediated(
    runId: string,
    head: RunHead,
    facts: Record<string, PlainJson>,
    before: Finding,
  ): Promise<RunResult> {
    const done = await this.#act('remediate', facts);
    if (done.read && done.value.status === 'managed_elsewhere') {
      const sentence = 'something else manages the setting and would undo the change';
      return this.#end(
        runId,
        head,
        { outcome: 'alert', code: 'runbook_managed_elsewhere', sentence, changes: 0 },
        null,
      );
    }
    const changes = done.read ? done.value.changes.length : 0;
    const actions = done.read ? changeSentences(done.value.changes, 'changed') : head.actions;
    if (done.read && done.value.status === 'started') {
      const sentence = 'what was started on the target has not ended yet; a later look judges it';
      return this.#end(runId, head, { outcome: 'deferred', code: 'runbook_started', sentence, changes }, null, actions);
    }
    const verified = await this.#verified(facts);
    if (verified.good && done.read) {
      const result = { outcome: 'success', code: null, sentence: verified.finding.sentence, changes } as const;
      return this.#end(runId, head, result, verified.finding.facts, actions);
    }
    if (verified.good) {
      // What is there is as declared, and yet the script did not end well: not undone, and no success either.
      const sentence = 'the script did not end well; the verify probe saw what is declared all the same';
      const result = { outcome: 'failed', code: 'runbook_remediate_failed', sentence, changes } as const;
      return this.#end(runId, head, result, verified.finding.facts, actions);
    }
    return this.#undo(runId, head, facts, before, verified.finding, actions);
  }

  /** Passes within the time, is confirmed where that is needed, and still passes after the time of stability. */
  async #verified(facts: Record<string, PlainJson>): Promise<{ good: boolean; finding: Finding }> {
    const { verify, remediate } = this.#o.loaded.runbook;
    const { clock } = this.#deps;
    const untilMs = clock.monoMs() + verify.within_s * 1_000;
    const pauseMs = Math.min(Math.max(verify.within_s / 10, LEAST_PAUSE_S), LONGEST_PAUSE_S) * 1_000;
    let finding = (await this.#look('verify')).finding;
    while (!isGood(finding) && clock.monoMs() + pauseMs <= untilMs) {
      await clock.sleep(pauseMs, this.#signal);
      finding = (await this.#look('verify')).finding;
    }
    if (!isGood(finding)) return { good: false, finding };
    if (remediate.by === 'script' && remediate.confirm_within_s !== undefined) {
      const confirmed = await this.#act('confirm', facts);
      if (!confirmed.read) return { good: false, finding };
    }
    if (verify.stable_for_s > 0) {
      await clock.sleep(verify.stable_for_s * 1_000, this.#signal);
      finding = (await this.#look('verify')).finding;
    }
    return { good: isGood(finding), finding };
  }

  /** The way back. `reverted` only where an independent look sees what was there before. */
  async #undo(
    runId: string,
    head: RunHead,
    facts: Record<string, PlainJson>,
    before: Finding,
    seen: Finding,
    actions: readonly string[],
  ): Promise<RunResult> {
    const { rollback } = this.#o.loaded.runbook;
    if (rollback.how === 'none') {
      const sentence = `the change was not confirmed: ${seen.sentence}`;
      return this.#end(
        runId,
        head,
        { outcome: 'failed', code: 'runbook_not_verified', sentence, changes: actions.length },
        seen.facts,
        actions,
      );
    }
    const undone = await this.#act('rollback', facts);
    const { finding } = await this.#look('detect');
    const back = undone.read && finding.facts_digest === before.facts_digest;
    const all = [...actions, ...(undone.read ? changeSentences(undone.value.changes, 'undid') : [])];
    const sentence = back
      ? 'the change was not confirmed and was undone; the target is as it was before'
      : 'the change was not confirmed, and the target is not known to be as it was before';
    const result = back
      ? ({ outcome: 'reverted', code: 'runbook_reverted', sentence, changes: 0 } as const)
      : ({ outcome: 'failed', code: 'runbook_rollback_failed', sentence, changes: actions.length } as const);
    return this.#end(runId, head, result, finding.facts, all);
  }

  /** Undoes the newest change of this runbook on this target, from what was seen before that change. */
  async orderedRollback(): Promise<RunResult> {
    const row = lastChange(this.#o, this.#deps);
    if (row === null) return ended('rejected', 'runbook_nothing_to_change', 'no change of this runbook is known here');
    if (this.#o.loaded.runbook.rollback.how === 'none') {
      return ended('rejected', 'runbook_alert_only', 'the runbook has no way back');
    }
    const facts = JSON.parse(row.snapshot) as Record<string, PlainJson>;
    const { look, finding } = await this.#look('detect');
    const stranger = strangerIn(look);
    if (stranger !== null) return this.#stop(runHead(this.#o, finding, [], null), stranger);
    if (!this.#isKnown()) return this.#stop(runHead(this.#o, finding, [], null), UNKNOWN_MACHINE);
    const head = runHead(this.#o, finding, [], headOf(row).plan_digest);
    const { nowT, stopped } = mayChange(this.#o, this.#deps, { undoing: true });
    if (stopped !== null) return this.#stop(head, stopped);
    const runId = this.#deps.ids.uuidv7();
    recordIntent(this.#deps, { runId, action: 'rollback', snapshot: facts, at: nowT }, head);
    return undisturbed(this.#deps, runId, async () => {
      const undone = await this.#act('rollback', facts);
      const after = (await this.#look('detect')).finding;
      const actions = undone.read ? changeSentences(undone.value.changes, 'undid') : [];
      const good = undone.read && sameState(after.facts, headOf(row).pre_state);
      const result = good
        ? ended('success', null, 'the change was undone; the target is as it was before', actions.length)
        : ended('failed', 'runbook_rollback_failed', 'the target is not known to be as it was before', actions.length);
      return this.#end(runId, head, result, after.facts, actions);
    });
  }

  rollbackPlan(): RunResult {
    const known = lastChange(this.#o, this.#deps) !== null && this.#o.loaded.runbook.rollback.how !== 'none';
    return known
      ? ended('dry_run', 'runbook_dry_run', 'the newest change of this runbook would be undone')
      : ended('rejected', 'runbook_nothing_to_change', 'no change of this runbook can be undone here');
  }

  /** The look before has asked the machine, and pinned what it said. */
  #isKnown(): boolean {
    return this.#deps.machines.pinned(this.#target.id) !== null;
  }

  /** A look is told nothing of what was there before. */
  async #look(phase: 'detect' | 'verify') {
    const from = nowS(this.#deps.clock);
    const reading = this.#count(await lookAt(phase, this.#phase(null), this.#sessions.of(phase), this.#signal));
    const look = toLook(reading);
    const { loaded, check, params } = this.#o;
    const waivers = this.#deps.waivers();
    const to = nowS(this.#deps.clock);
    const finding = windowsFinding(look, { loaded, check, target: this.#target, params, waivers, from, to });
    this.#deps.recordFindings([finding]);
    return { look, finding };
  }

  async #act(phase: 'plan' | 'remediate' | 'confirm' | 'rollback', snapshot: Record<string, PlainJson>) {
    return this.#count(await act(phase, this.#phase(snapshot), this.#sessions.of(phase), this.#signal));
  }

  #phase(snapshot: Record<string, PlainJson> | null): PhaseRun {
    const { loaded, params } = this.#o;
    return { loaded, params, snapshot };
  }

  #count<T>(reading: Reading<T>): Reading<T> {
    const { cpuMs, bytes } = reading.used;
    if (cpuMs !== null) this.#cpuMs = (this.#cpuMs ?? 0) + cpuMs;
    this.#bytes += bytes;
    return reading;
  }

  #used(): Used {
    return { cpuMs: this.#cpuMs, bytes: this.#bytes };
  }

  #stop(head: RunHead, { outcome, code, sentence }: Stopped): RunResult {
    return this.#end(null, head, ended(outcome, code, sentence), null);
  }

  #end(
    runId: string | null,
    head: RunHead,
    result: RunResult,
    postState: RunHead['pre_state'] | null,
    actions?: readonly string[],
  ): RunResult {
    const used = this.#used();
    return endRun(this.#deps, runId, head, { result, postState, used, ...(actions === undefined ? {} : { actions }) });
  }
}

/** Keys that say what a look cost are no state. */
function sameState(a: RunHead['pre_state'], b: RunHead['pre_state']): boolean {
  const state = (facts: RunHead['pre_state']): string =>
    JSON.stringify(
      Object.entries(facts)
        .filter(([key]) => !key.startsWith('used_'))
        .toSorted(),
    );
  return state(a) === state(b);
}

function stoppedByPlan({ status, changes }: Actions): Stopped | null {
  if (status === 'managed_elsewhere') {
    const sentence = 'something else manages the setting and would undo the change';
    return { outcome: 'alert', code: 'runbook_managed_elsewhere', sentence };
  }
  if (status === 'nothing_to_do' || changes.length === 0) {
    return {
      outcome: 'alert',
      code: 'runbook_nothing_to_change',
      sentence: 'there is nothing that the runbook can change',
    };
  }
  return null;
}

const UNKNOWN_MACHINE: Stopped = {
  outcome: 'failed',
  code: 'target_identity_unknown',
  sentence: 'the machine does not say who it is, so nothing was changed',
};

/** Why nothing may be done where the look met another machine than the pinned one, or one that does not say who it is. */
function strangerIn(look: Look): Stopped | null {
  const unseen = look.seen ? null : look.judgement.facts['unseen'];
  if (unseen === 'identity_unread') return UNKNOWN_MACHINE;
  if (unseen !== 'other_machine') return null;
  const sentence = 'another machine answers than the one that the target is pinned to; nothing was changed on it';
  return { outcome: 'rejected', code: 'target_identity_differs', sentence };
}

/** What a phase read, as a look. */
export function toLook(reading: Reading<Record<string, PlainJson>>): Look {
  if (reading.read) return { seen: true, facts: reading.value, used: reading.used };
  const { reason, sentence, used } = reading;
  return {
    seen: false,
    judgement: { result: 'unknown', severity: 'medium', sentence, facts: { unseen: reason } },
    used,
  };
}
