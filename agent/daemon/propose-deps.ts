// What the planner is given by the daemon: policy and list in force, the runbooks that are held, secrets by name, and dry runs.
import { existsSync } from 'node:fs';
import type { RunResult } from '../execution/run-request.ts';
import { subjectOf } from '../healing/incident-book.ts';
import type { HealDeps, HealingRunner, RunWatch } from '../healing/heal-incident.ts';
import { proposeHealing } from '../healing/planner/propose.ts';
import type { EndpointSecrets, Plan } from '../healing/planner/planner-types.ts';
import { readFileLimited, readSecretFile } from '../system/files.ts';
import type { Enrolled } from './agent-state.ts';
import type { DaemonContext } from './context.ts';
import { credentialPath } from './credential-path.ts';
import { signedNow } from './note-incident.ts';

const MAX_KEY_BYTES = 4_096;
const MAX_CA_BYTES = 1_048_576;

/** A dry run changes nothing, so no step of the incident follows from it. */
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
): NonNullable<HealDeps['propose']> {
  const { store, ids, windows, appliance, config } = context;
  const runbooks = [...windows.books, ...appliance.books].map(({ loaded }) => loaded);
  return async (incident, finding, signal) => {
    const tryOut = (plan: Plan, within: AbortSignal): Promise<RunResult | null> => {
      const loaded = runner.held(plan.runbook.id);
      if (loaded === null || loaded.sha256 !== plan.runbook.sha256) return Promise.resolve(null);
      const { targetId } = incident;
      if (runner.whyNotNow(loaded, targetId) !== null) return Promise.resolve(null);
      const link = { incident_id: incident.id };
      const run = { loaded, targetId, params: plan.params, dryRun: true, link, watch: UNWATCHED };
      return runner.run(run, within);
    };
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
