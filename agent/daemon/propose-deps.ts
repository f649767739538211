// What the planner is given by the daemon: policy and list in force, the runbooks that are held, secrets by name, and dry runs.
import { existsSync } from 'node:fs';
import type { RunResult } from '../execution/run-request.ts';
import { runRunbook } from '../execution/run-runbook.ts';
import { subjectOf } from '../healing/incident-book.ts';
import type { Incident } from '../healing/incident.ts';
import type { HealDeps, HealingRunner, RunWatch } from '../healing/heal-incident.ts';
import { proposeHealing } from '../healing/planner/propose.ts';
import type { EndpointSecrets, Plan } from '../healing/planner/planner-types.ts';
import { readFileLimited, readSecretFile } from '../system/files.ts';
import type { Enrolled } from './agent-state.ts';
import type { DaemonContext } from './context.ts';
import { credentialPath } from './credential-path.ts';
import { signedNow } from './note-incident.ts';
import { executorDeps } from './windows.ts';
import { bookOf } from './windows-work.ts';

const MAX_KEY_BYTES = 4_096;
const MAX_CA_BYTES = 1_048_576;

interface TryOut {
  readonly enrolled: Enrolled;
  readonly context: DaemonContext;
  readonly runner: HealingRunner;
  readonly runId: string;
}

/**
 * A dry run changes nothing, so no step of the incident follows from it. Nor does a finding of a Windows machine: params are what its
 * facts are judged by, and those that a model chose must not make a machine pass or fail.
 */
async function dryRunOf(
  plan: Plan,
  incident: Incident,
  { enrolled, context, runner, runId }: TryOut,
  signal: AbortSignal,
): Promise<RunResult | null> {
  const { targetId } = incident;
  const loaded = runner.held(plan.runbook.id);
  if (loaded === null || loaded.sha256 !== plan.runbook.sha256) return null;
  if (runner.whyNotNow(loaded, targetId) !== null) return null;
  const run = { params: plan.params, dryRun: true, link: { incident_id: incident.id } } as const;
  const book = bookOf(context.windows, loaded.sha256);
  // On the appliance checks judge by its own baseline, whatever the params are.
  if (book === null) return runner.run({ ...run, loaded, targetId, watch: UNWATCHED }, signal);
  const deps = { ...executorDeps(enrolled, context, runId, 'healing'), recordFindings: () => undefined };
  const request = {
    ...book,
    ...run,
    targetId,
    action: 'remediate',
    pinnedIdentity: null,
    windowOverridden: false,
  } as const;
  return runRunbook(request, deps, signal);
}

const UNWATCHED: RunWatch = { begins: () => undefined, wrote: () => undefined, looked: () => undefined };

function secretsOf(context: DaemonContext, name: string): EndpointSecrets {
  const key = credentialPath(context, name);
  const ca = credentialPath(context, `${name}.ca`);
  return {
    key: existsSync(key) ? readSecretFile(key, MAX_KEY_BYTES).toString('utf8') : null,
    caPem: existsSync(ca) ? readFileLimited(ca, MAX_CA_BYTES).toString('utf8') : null,
  };
}

/** Asks the planner about drift that no rule fits. */
export function proposing(
  enrolled: Enrolled,
  context: DaemonContext,
  runner: HealingRunner,
  runId: string,
): NonNullable<HealDeps['propose']> {
  const { store, ids, windows, appliance, config } = context;
  const runbooks = [...windows.books, ...appliance.books].map(({ loaded }) => loaded);
  return async (incident, finding, signal) => {
    const tryOut = (plan: Plan, within: AbortSignal): Promise<RunResult | null> =>
      dryRunOf(plan, incident, { enrolled, context, runner, runId }, within);
    const failingSince = incident.seenAt[0] ?? incident.openedAt;
    const subject = {
      platform: subjectOf(finding, failingSince).platform,
      ...{ finding, incidentId: incident.id, condition: incident.condition, failingSince },
      recurrences: incident.recurredAt.length,
      runs: earlierRuns(context, incident.id),
    };
    return proposeHealing(
      subject,
      {
        ...{ store, ids, runbooks, tryOut, evidence: enrolled.evidence },
        now: () => signedNow(context),
        policy: enrolled.trust.policy()?.value ?? null,
        content: enrolled.trust.content()?.value ?? null,
        secrets: (name) => secretsOf(context, name),
        localMode: config.healing_mode,
      },
      signal,
    );
  };
}

function earlierRuns(
  { store }: DaemonContext,
  incidentId: string,
): { runbookId: string; outcome: string; code: null }[] {
  const last = store.runs.lastOfIncident(incidentId);
  return last === null ? [] : [{ runbookId: last.runbookId, outcome: last.outcome ?? 'other', code: null }];
}
