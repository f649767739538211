// An appliance without a daemon: real keys, store, log and uplink, enrolled at a real Central Command. For tests and
// benchmarks only.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEvidenceLog, type EvidenceLog } from '../../agent/evidence/log.ts';
import { createHttpsClient, type HttpsClient } from '../../agent/https/client.ts';
import { enrolOnce, type EnrolResult } from '../../agent/identity/enrol.ts';
import { loadOrCreateKeys, type DeviceKeys } from '../../agent/identity/keys.ts';
import { readProvisionFiles, type Provision } from '../../agent/identity/provision-files.ts';
import { openStore, type EnrolledIdentity, type Store } from '../../agent/store/open-store.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { createIds } from '../../agent/system/ids.ts';
import type { Clock, Ids } from '../../agent/system/ports.ts';
import { openBinding } from '../../agent/trust/binding.ts';
import { parseRoot } from '../../agent/trust/root.ts';
import { createUplink, type Uplink } from '../../agent/uplink/create-uplink.ts';
import { fingerprint } from '../../agent/wire/fingerprint.ts';
import type { CheckinInput } from '../../agent/uplink/check-in.ts';
import { memoryLog, type MemoryLog } from './fakes/memory-log.ts';
import type { RealCentral } from './real-central.ts';

export const AGENT_VERSION = '0.1.0';

export interface EnrolledAppliance {
  readonly dir: string;
  readonly store: Store;
  readonly evidence: EvidenceLog;
  readonly uplink: Uplink;
  readonly identity: EnrolledIdentity;
  readonly keys: DeviceKeys;
  readonly log: MemoryLog;
  readonly ids: Ids;
  /** Appends small valid entries. */
  append(count: number): void;
  /** A check-in with plausible health. */
  checkIn(): ReturnType<Uplink['checkIn']>;
  /** Uploads until nothing is left or nothing moves. @returns batches */
  drain(): Promise<number>;
  close(): Promise<void>;
}

export const checkinInput = (queue: { entries: number; bytes: number; oldest_at: number | null }): CheckinInput => ({
  health: {
    results: [],
    queue,
    targets: [],
    disk: { free_bytes: 1, total_bytes: 2 },
    memory: { rss_bytes: process.memoryUsage.rss() },
    clock: { source: 'central', synchronized: true, skew_ms: 0 },
  },
  results: [],
  orderFloor: 0,
  contentVersion: null,
  policyVersion: null,
  revocationsVersion: null,
});

/** One claim as a device sends it. */
export async function claimOnce(
  provision: Provision,
  keys: DeviceKeys,
  clock: Clock = systemClock,
): Promise<EnrolResult> {
  const https = createHttpsClient({ baseUrl: provision.centralUrl, caPem: provision.caPem, caPins: provision.caPins });
  try {
    const deps = { https, clock, ids: createIds(clock), keys, agentVersion: AGENT_VERSION };
    const source = { source: 'usb', token: provision.token ?? '' } as const;
    return await enrolOnce(deps, provision, new AbortController().signal, source);
  } finally {
    await https.close();
  }
}

/** Enrols with a fresh stick: claim, confirmation by an operator, claim again. */
export async function enrolAppliance(
  central: RealCentral,
  o: {
    applianceId?: string;
    clock?: Clock;
    /** In front of Central Command: a proxy that loses things. */
    wrap?: (https: HttpsClient) => HttpsClient;
    baseUrl?: string;
  } = {},
): Promise<EnrolledAppliance> {
  const clock = o.clock ?? systemClock;
  const ids = createIds(clock);
  const dir = mkdtempSync(join(tmpdir(), 'appliance-'));
  const keys = loadOrCreateKeys(join(dir, 'keys'));
  const provision = readProvisionFiles(await central.stick());
  await claimOnce(provision, keys, clock);
  await central.confirm(fingerprint(keys.signer.spki, provision.root.digest), o.applianceId ?? 'north-1');
  const answer = await claimOnce(provision, keys, clock);
  if (answer.status !== 'confirmed') throw new Error('not confirmed');
  const { identity } = answer;

  const store = openStore({ dir, clock });
  const { root, digest, line } = provision.root;
  store.unit(() => {
    store.trust.addRoot({ version: root.version, digest, line });
    store.trust.saveIdentity(identity);
  });
  const log = memoryLog();
  const currentRoot = () => {
    const row = store.trust.roots().at(-1)!;
    return parseRoot(row.line, { expectedDigest: row.digest });
  };
  const evidence = createEvidenceLog({
    store,
    clock,
    ids,
    signer: keys.signer,
    binding: openBinding(root, identity.bindingLine),
    context: () => ({
      agent_version: AGENT_VERSION,
      nixos_revision: null,
      derivation_digest: null,
      clock: { source: 'central', synchronized: true, skew_ms: 0, boot_id: clock.bootId() },
      root_version: root.version,
      policy_version: store.trust.document('policy')?.version ?? null,
      ruleset_digest: null,
    }),
  });
  const plain = createHttpsClient({
    baseUrl: o.baseUrl ?? identity.centralUrl,
    caPem: identity.caPem,
    caPins: identity.caPins,
    clientCert: { certPem: identity.certificatePem, keyPem: keys.tlsKeyPem },
  });
  const https = o.wrap === undefined ? plain : o.wrap(plain);
  const uplink = createUplink({
    store,
    https,
    clock,
    ids,
    signer: keys.signer,
    identity,
    root: currentRoot,
    revokedKeyids: () => new Set(),
    agentVersion: AGENT_VERSION,
    nixosRevision: null,
    log,
  });
  const signal = new AbortController().signal;
  return {
    dir,
    store,
    evidence,
    uplink,
    identity,
    keys,
    log,
    ids,
    append(count) {
      for (let i = 0; i < count; i++) {
        evidence.append('alert', {
          code: 'disk_low',
          state: i % 2 === 0 ? 'raised' : 'cleared',
          severity: 'low',
          sentence: `Volume ${i} has little space left.`,
          remedy: 'Free some space.',
          details: {},
        });
      }
    },
    checkIn: () => uplink.checkIn(checkinInput(uplink.queue()), signal),
    async drain() {
      let batches = 0;
      for (;;) {
        const { uploaded, remaining } = await uplink.uploadOnce(signal);
        if (uploaded > 0) batches += 1;
        if (remaining === 0 || uploaded === 0) return batches;
      }
    },
    async close() {
      await https.close();
      store.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
