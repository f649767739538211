// Puts together what exists only after enrolment: the documents in force, the log, the recorder, the connection.
import { createEvidenceLog, type EpochOpening } from '../evidence/log.ts';
import { createRecorder } from '../evidence/recorder.ts';
import { swappableClient, type SwappableClient } from '../https/swappable-client.ts';
import type { EnrolledIdentity, Store } from '../store/open-store.ts';
import { openStoredBinding } from './stored-binding.ts';
import { createUplink } from '../uplink/create-uplink.ts';
import type { Binding } from '../wire/schemas/enrolment.ts';
import type { CheckinRequest } from '../wire/schemas/checkin.ts';
import type { Enrolled } from './agent-state.ts';
import { centralClient } from './central-client.ts';
import { judgeContent } from './content-in-force.ts';
import type { DaemonContext } from './context.ts';
import { entryContext } from './entry-context.ts';
import { openedEpoch, openingBody, type OpenedEpoch } from './epoch-state.ts';
import { noteIncident } from './note-incident.ts';
import { listedBooks } from './windows-work.ts';
import { expectedTargets, scopeOf } from './windows-scope.ts';
import { loadTrustState } from './trust-state.ts';

/**
 * @param connection to Central Command that is there already
 * @throws {AgentError} where the stored identity does not verify any more: without it nothing may be written
 */
export function openEnrolled(
  context: DaemonContext,
  identity: EnrolledIdentity,
  connection?: SwappableClient,
): Enrolled {
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
    opening: openingOf(store, identity, binding.value),
    context: () => entryContext(context, trust),
  });
  const recorder = createRecorder({
    ...{ store, log: evidence, clock, heartbeatIntervalS: config.heartbeat_interval_s },
    recorded: (finding, seq) => noteIncident(context, evidence, finding, seq),
  });
  recorder.setScope(scopeOf(expectedTargets(store), listedBooks(context.windows, trust), config.checks_interval_s));
  const connect = () => centralClient(context, identity, trust.root().root, identity.certificatePem);
  const https = connection ?? swappableClient(connect());
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
    epochState: () => epochStateOf(openedEpoch(store), identity.epoch, isUnknownThere(context)),
    log: context.log,
    targets: context.targets,
    judgeContent: (list) => judgeContent(context, list),
  });
  return { identity, trust, evidence, recorder, https, uplink };
}

/** Null where the registrar has bound the epoch: then the binding says it all. */
function openingOf(store: Store, { epoch, origin }: EnrolledIdentity, binding: Binding): EpochOpening | null {
  const opened = openedEpoch(store);
  if (opened === null || opened.epoch !== epoch || opened.status !== 'unbound') return null;
  return { epoch, log: { ...binding, origin }, deviceSpki: opened.deviceSpki, body: openingBody(opened) };
}

/**
 * What a check-in says of the epoch; nothing where people have confirmed it.
 *
 * @param unknownThere Central Command refused this epoch: restored from a backup, it has to be shown the succession again
 */
function epochStateOf(opened: OpenedEpoch | null, epoch: number, unknownThere: boolean): CheckinRequest['epoch_state'] {
  if (opened === null || opened.epoch !== epoch) return undefined;
  const { status, succession, ended } = opened;
  if (status === 'unbound' || unknownThere) return { status: 'unbound', succession, ended };
  return status === 'confirmed' ? undefined : { status };
}

function isUnknownThere({ state }: DaemonContext): boolean {
  const refused = state.checkinError?.code === 'http_refused' ? state.checkinError.details['problem_code'] : null;
  return refused === 'signature_invalid' || refused === 'epoch_unknown';
}
