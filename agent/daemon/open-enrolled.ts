// Puts together what exists only after enrolment: the documents in force, the log, the recorder, the connection.
import { createEvidenceLog } from '../evidence/log.ts';
import { createRecorder } from '../evidence/recorder.ts';
import { swappableClient } from '../https/swappable-client.ts';
import type { EnrolledIdentity } from '../store/open-store.ts';
import { openStoredBinding } from './stored-binding.ts';
import { createUplink } from '../uplink/create-uplink.ts';
import type { Enrolled } from './agent-state.ts';
import { centralClient } from './central-client.ts';
import type { DaemonContext } from './context.ts';
import { entryContext } from './entry-context.ts';
import { ALL_CHECKS, APPLIANCE_TARGET } from './run-checks.ts';
import { loadTrustState } from './trust-state.ts';

/** @throws {AgentError} where the stored identity does not verify any more: without it nothing may be written */
export function openEnrolled(context: DaemonContext, identity: EnrolledIdentity): Enrolled {
  const { store, clock, ids, keys, config, build } = context;
  const trust = loadTrustState(store, identity.siteId);
  for (const problem of trust.problems()) context.log.warn('stored document not in force', { reason: problem });
  const binding = openStoredBinding(store, identity.bindingLine);
  const evidence = createEvidenceLog({
    store,
    clock,
    ids,
    signer: keys.signer,
    binding,
    context: () => entryContext(context, trust),
  });
  const recorder = createRecorder({ store, log: evidence, clock, heartbeatIntervalS: config.heartbeat_interval_s });
  recorder.setScope(
    ALL_CHECKS.map((check) => ({
      target: APPLIANCE_TARGET,
      check: check.id,
      check_version: check.version,
      cadence_s: config.checks_interval_s ?? check.cadenceS,
    })),
  );
  const https = swappableClient(centralClient(context, identity, identity.certificatePem));
  const uplink = createUplink({
    store,
    https,
    clock,
    ids,
    signer: keys.signer,
    identity,
    root: () => trust.root(),
    revokedKeyids: () => trust.revokedKeyids(),
    agentVersion: build.version,
    nixosRevision: build.nixosRevision,
    log: context.log,
  });
  return { identity, trust, evidence, recorder, https, uplink };
}
