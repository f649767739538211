// The step that each recorded finding is to its incident, and the entries of incidents.
import { isAgentError } from '../errors/agent-error.ts';
import { CHECKS } from '../checks/registry.ts';
import { WINDOWS_CHECKS } from '../checks/windows/registry.ts';
import type { EvidenceLog } from '../evidence/log.ts';
import { TARGET_KEY } from '../evidence/recorder.ts';
import { REACH_CHECK } from '../execution/reach.ts';
import { noteFinding } from '../healing/incident-book.ts';
import type { Incident } from '../healing/incident.ts';
import { timeT } from '../trust/signed-time.ts';
import type { EntryTarget } from '../wire/schemas/entry.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { DaemonContext } from './context.ts';
import { learningDrift } from './learn-from-runs.ts';

export const signedNow = ({ store, clock }: Pick<DaemonContext, 'store' | 'clock'>): number | null =>
  timeT(store.trust.signedTime(), clock.bootMs(), clock.bootId());

/**
 * Within the unit that records the finding. A defect here must not keep a finding from being recorded: the step is undone alone, told,
 * and made up for by the next look.
 */
export function noteIncident(context: DaemonContext, evidence: EvidenceLog, finding: Finding, seq: number): void {
  const { healing } = context;
  const at = signedNow(context);
  const key = `${finding.target.id}/${finding.check.id}`;
  if (at === null) {
    healing.waiting.set(key, { finding, seq });
    return;
  }
  healing.waiting.delete(key);
  try {
    step(context, evidence, finding, seq, at);
  } catch (error) {
    if (isAgentError(error) && error.code.startsWith('store_')) throw error;
    const code = isAgentError(error) ? error.code : 'internal';
    context.log.error('incident not stepped', { code, check: finding.check.id, reason: String(error) });
  }
}

/** What was recorded before there was signed time counts from now on. */
export function noteWaiting(context: DaemonContext, evidence: EvidenceLog): void {
  for (const { finding, seq } of [...context.healing.waiting.values()]) noteIncident(context, evidence, finding, seq);
}

function step(context: DaemonContext, evidence: EvidenceLog, finding: Finding, seq: number, at: number): void {
  const { store, ids, healing } = context;
  noteFinding(
    {
      store,
      newId: () => ids.uuidv7(),
      index: healing.rules.index,
      record: (incident, sentence) => recordIncident(context, evidence, incident, sentence),
      began: learningDrift(context, evidence),
    },
    finding,
    seq,
    at,
  );
}

const VERSIONS = new Map([...CHECKS, ...WINDOWS_CHECKS, REACH_CHECK].map(({ id, version }) => [id, version] as const));
const MAX_SENTENCE_CHARS = 600;

/** Writes what was decided about an incident; its seq. */
export function recordIncident(
  { store, state }: Pick<DaemonContext, 'store' | 'state'>,
  evidence: Pick<EvidenceLog, 'append'>,
  incident: Incident,
  sentence: string,
): number {
  const { id, targetId, checkId, openedSeq, nextStepAt } = incident;
  const kept = store.settings.get(TARGET_KEY + targetId);
  const target =
    state.findings.get(`${targetId}/${checkId}`)?.target ??
    (kept === null ? { id: targetId, role: 'unknown', os_build: null } : (JSON.parse(kept) as EntryTarget));
  return evidence.append('incident', {
    incident_id: id,
    target,
    check: { id: checkId, version: VERSIONS.get(checkId) ?? 1 },
    state: incident.state,
    sentence: sentence.slice(0, MAX_SENTENCE_CHARS),
    opened_seq: openedSeq,
    next_step_at: nextStepAt,
  }).seq;
}
