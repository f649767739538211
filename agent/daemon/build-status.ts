// The status file's content, from what the daemon knows. Pure but for its inputs' getters.
import { contentWarnings } from '../trust/content-warnings.ts';
import { rootWarnings } from '../trust/root-warnings.ts';
import type { AgentStatus, StageStatus } from '../system/status-file.ts';
import { blockingReason } from './blocking-reason.ts';
import type { Pressure } from '../evidence/storage-pressure.ts';
import type { AgentState } from './agent-state.ts';
import type { DaemonContext } from './context.ts';
import { nowSeconds } from './context.ts';
import { openedEpoch } from './epoch-state.ts';
import { healingPausedUntil } from './healing-pause.ts';
import { healingStanding } from './healing-standing.ts';
import { kept } from './self-care.ts';
import { certificateWarnings } from './target-certificates.ts';
import { knowledgeOf, targetStates } from './target-health.ts';
import { unknownTooLong } from './unknown-since.ts';

/** As long as the alert lasts. */
const DEAD_SAID_FOR_S = 7 * 86_400;

export function buildStatus(context: DaemonContext, stages: readonly StageStatus[]): AgentStatus {
  const { state, store, config, clock } = context;
  const { enrolled } = state;
  const now = nowSeconds(clock);
  const parked = enrolled === null ? null : store.uplink.parked(enrolled.identity.origin);
  const cosigned = enrolled?.uplink.cosigned() ?? null;
  return {
    schema: 'compliance-agent/status/v1',
    written_at: now,
    started_at: context.startedAt,
    pid: process.pid,
    agent_version: context.build.version,
    state: state.lifecycle,
    blocking_reason: blockingReason(state),
    last_blocking_reason: kept(store, 'last_blocking'),
    mode: config.mode,
    partner_id: enrolled?.identity.partnerId ?? null,
    site_id: enrolled?.identity.siteId ?? null,
    appliance_id: enrolled?.identity.applianceId ?? null,
    fingerprint: state.fingerprint,
    central_url: enrolled === null ? state.centralUrl : (config.central_url ?? enrolled.identity.centralUrl),
    last_answer_at: state.lastAnswerAt,
    clock_offset_s: state.clockOffsetMs === null ? null : Math.round(state.clockOffsetMs / 1_000),
    bytes: store.uplink.bytes(),
    log:
      enrolled === null
        ? null
        : { origin: enrolled.identity.origin, size: enrolled.evidence.size(), root: enrolled.evidence.root() },
    epoch: epochOf(context),
    stored_size: enrolled === null ? null : enrolled.uplink.storedSize(),
    pruned_below: enrolled === null ? null : (store.prunes.get(enrolled.identity.epoch)?.size ?? 0),
    witnessed: cosigned === null ? null : { size: cosigned.size, at: cosigned.at },
    timestamped: timestampedOf(state),
    queue: enrolled === null ? null : queueOf(enrolled.uplink.queue()),
    upload_parked: parked === null ? null : { code: parked.code, sentence: parked.sentence, until: parked.until },
    root_version: enrolled?.trust.root().root.version ?? null,
    content_version: enrolled?.trust.content()?.value.version ?? null,
    policy_version: enrolled?.trust.policy()?.value.version ?? null,
    healing_paused_until: healingPausedUntil(store),
    healing: enrolled === null ? null : healingStanding(enrolled, context),
    findings: [...state.findings.values()].map((finding) => ({
      check: finding.check.id,
      target: finding.target.id,
      result: finding.result,
      sentence: finding.sentence,
      read_at: finding.facts_read_at,
    })),
    targets: targetStates(context.targets, knowledgeOf(context)),
    stages,
    warnings: warnings(context, now),
    device_key: context.keys.atRest,
  };
}

function timestampedOf({ enrolled, timestamped }: AgentState): AgentStatus['timestamped'] {
  if (timestamped === null || timestamped.origin !== enrolled?.identity.origin) return null;
  return { size: timestamped.size, at: timestamped.at };
}

const queueOf = (queue: { readonly entries: number; readonly bytes: number }) => ({
  entries: queue.entries,
  bytes: queue.bytes,
});

function storageWarnings(storage: AgentState['storage']): string[] {
  const said: string[] = [];
  if (storage === null) return said;
  const { pressure, facts } = storage;
  const mib = (bytes: number): number => Math.floor(bytes / 1_048_576);
  const less = (level: Pressure): string =>
    level === 'critical' ? 'digests are left out and heartbeats come less often' : 'digests are left out';
  if (pressure.disk !== 'none') {
    const room = `${mib(facts.freeBytes)} of ${mib(facts.totalBytes)} MiB`;
    said.push(`Only ${room} of the disk under the state directory are free: ${less(pressure.disk)}.`);
  }
  if (pressure.cap !== 'none') {
    const room = `${mib(facts.evidenceBytes)} of ${mib(facts.capBytes)} MiB`;
    said.push(`Evidence takes ${room} that it may have here: ${less(pressure.cap)}.`);
  }
  return said;
}

function epochOf({ store, state }: DaemonContext): AgentStatus['epoch'] {
  const opened = openedEpoch(store);
  if (opened === null || opened.epoch !== state.enrolled?.identity.epoch) return null;
  const { epoch, status, openedAt, ended } = opened;
  const { cause, old_origin, own_size, witnessed_size } = ended;
  return { number: epoch, status, since: openedAt, cause, old_origin, own_size, witnessed_size };
}

function warnings(context: DaemonContext, now: number): string[] {
  const { atRest } = context.keys;
  const said = [
    atRest === 'file'
      ? "The agent's keys lie in files that only it can read; no hardware or service manager protects them."
      : `The device key is sealed (${atRest}); the key of the TLS client lies in a file that only the agent can read.`,
  ];
  if (context.state.diskWarning !== null) said.push(context.state.diskWarning);
  for (const { key, forS } of unknownTooLong(kept(context.store, 'unknown_since'), now))
    said.push(`The check ${key} has been unknown for ${Math.floor(forS / 3_600)} h.`);
  said.push(...storageWarnings(context.state.storage));
  const { dead } = context.store.tickets.counts(now - DEAD_SAID_FOR_S);
  if (dead > 0) said.push(`Messages about tickets that reached nobody: ${dead} (compliance-agent tickets list).`);
  const { enrolled } = context.state;
  if (enrolled !== null) said.push(...certificateWarnings(context.store, enrolled.recorder));
  const trust = enrolled?.trust;
  if (trust !== undefined) {
    said.push(...trust.problems());
    const { root } = trust.root();
    said.push(...rootWarnings(root, now).map((warning) => warning.sentence));
    said.push(...contentWarnings(trust.content()?.value ?? null, now));
  }
  return said;
}
