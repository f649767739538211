// What a run of a runbook on the appliance itself is given by the daemon: the real checks, the real helpers.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { ApplianceDeps, ApplianceLoaded } from '../execution/appliance/appliance-run.ts';
import { PROBES } from '../facts/probes.ts';
import { runJob } from '../facts/jobs.ts';
import { ROLLBACK, SWITCH_UNIT } from '../helpers/system-tools.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { Enrolled } from './agent-state.ts';
import { askHelper } from './ask-helper.ts';
import { updateEnd } from './update-end.ts';
import { centralClient } from './central-client.ts';
import type { DaemonContext } from './context.ts';
import { signedNow } from './note-incident.ts';
import { daemonProbeContext } from './probe-context.ts';
import { ALL_CHECKS, APPLIANCE_TARGET, runChecks } from './run-checks.ts';
import { isAnyAtWork, runAnew } from './units-at-work.ts';
import { circumstances } from './windows.ts';

/** Read with root what the daemon may not (nix/facts.nix, nix/backup.nix). */
const FACTS_UNIT = 'compliance-agent-facts.service';
const BACKUP_FACTS_UNIT = 'compliance-agent-facts-backup.service';
/** Its unit is given up after a minute. */
const FACTS_MS = 70_000;
/** An answer, whatever it says, over a connection of its own. */
const ANSWER_MS = 20_000;
const MAX_ANSWER_BYTES = 65_536;

export function applianceDeps(enrolled: Enrolled, context: DaemonContext, runId: string, stage: string): ApplianceDeps {
  const { store, clock, ids, windows } = context;
  const log = context.log.child({ run_id: runId, stage });
  return {
    store,
    evidence: enrolled.evidence,
    locks: windows.locks,
    clock,
    ids,
    log,
    circumstances: (loaded) => circumstances(enrolled, context, loaded),
    nowT: () => signedNow(context),
    lastFinding: (checkId) => context.state.findings.get(`${APPLIANCE_TARGET}/${checkId}`) ?? null,
    underWay: (loaded, signal) => isUnderWay(loaded, context, signal),
    look: (checkId, signal) => freshLook(checkId, context, signal),
    helper: (verb, request, signal) => {
      const { baseline, baselineBytes } = context.checks;
      const { folders, exec } = context;
      return askHelper(
        verb,
        request,
        { folders, exec, ids, log, baseline: { sha256: baseline.sha256, bytes: baselineBytes } },
        signal,
      );
    },
    watchConnection: () => {
      const wasThere = context.state.checkinError === null && context.state.lastAnswerAt !== null;
      return async (signal) => !wasThere || answers(enrolled, context, signal);
    },
  };
}

/** The switch, and the timer that goes back where it was cut off. */
const UPDATE_UNITS = [SWITCH_UNIT, `${ROLLBACK}.timer`, `${ROLLBACK}.service`] as const;
/** Results are dated by the wall clock, runs by signed time. */
const CLOCKS_APART_S = 120;

/** Backups and updates go on by themselves. */
async function isUnderWay(
  { runbook: { remediate } }: ApplianceLoaded,
  { exec, checks }: DaemonContext,
  signal: AbortSignal,
): Promise<boolean | null> {
  const declared = checks.baseline.checks.backup;
  const unit = declared?.expected === 'declared' ? declared.unit : undefined;
  if (remediate.by !== 'verb') return null;
  if (remediate.verb === 'apply-update') return isAnyAtWork(UPDATE_UNITS, exec, signal);
  return remediate.verb === 'run-backup' && unit !== undefined ? isAnyAtWork([unit], exec, signal) : null;
}

/** Whether an update went back since this T, as root's switch says. */
export function updateWentBack(
  { runbook: { remediate } }: ApplianceLoaded,
  sinceT: number,
  { folders }: Pick<DaemonContext, 'folders'>,
): boolean {
  if (folders === null || remediate.by !== 'verb' || remediate.verb !== 'apply-update') return false;
  const end = updateEnd(folders, null);
  return end?.update === 'reverted' && end.at >= sinceT - CLOCKS_APART_S;
}

/** Everything that the check rests on is read anew, with root where that is needed. */
async function freshLook(checkId: string, context: DaemonContext, signal: AbortSignal): Promise<Finding> {
  const check = ALL_CHECKS.find(({ id }) => id === checkId);
  if (check === undefined) throw new AgentError('internal', `there is no check ${checkId}`);
  if (check.id === 'logging') await runJob('logging-canary', daemonProbeContext(context, signal));
  if (context.folders !== null && check.probes.some((name) => PROBES[name].asRoot !== undefined)) {
    // Where it may not be started its timer does it in its own time: a run does not decide by what that read before.
    const unit = check.id === 'backup' ? BACKUP_FACTS_UNIT : FACTS_UNIT;
    await runAnew(unit, FACTS_MS, context.exec, signal);
  }
  const { findings } = await runChecks([check], context, signal, { every: true });
  const [finding] = findings;
  if (finding === undefined) throw new AgentError('internal', `the check ${checkId} came to no finding`);
  return finding;
}

/** Over a new connection: one that was there before may be let through where no other is. */
async function answers({ trust }: Enrolled, context: DaemonContext, signal: AbortSignal): Promise<boolean> {
  const identity = context.store.trust.identity();
  if (identity === null) return false;
  const https = centralClient(context, identity, trust.root().root, identity.certificatePem);
  try {
    await https.request({
      method: 'GET',
      path: '/',
      deadlineMs: ANSWER_MS,
      maxResponseBytes: MAX_ANSWER_BYTES,
      signal,
    });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (!isAgentError(error) || error.code === 'internal') throw error;
    return false;
  } finally {
    await https.close();
  }
}
