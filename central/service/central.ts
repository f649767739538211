// What the services of Central Command work on. Each service function takes only the parts that it uses, so that tests and
// the command line can call it without a server.
import { FIRST_GENERATION, loadAuthority, type CertificateAuthority } from '../ca/certificate-authority.ts';
import { openEvidenceStore, type EvidenceStore } from '../evidence-store/evidence-store.ts';
import { openSegmentStore } from '../evidence-store/open-segment-store.ts';
import type { SegmentStore } from '../evidence-store/segment-store.ts';
import { createChallenges, type Challenges } from './challenges.ts';
import { isAgentError } from '../../agent/errors/agent-error.ts';
import { refusePlainKeys, unsealKeys } from '../keys/unsealed-keys.ts';
import { loadOnlineKeys, onlineKeysDir, type OnlineKeys } from '../keys/online-keys.ts';
import { openTargetVault, type TargetVault } from '../keys/target-vault.ts';
import { lockDataDir } from '../store/lock-data-dir.ts';
import { openCentralStore, type CentralStore } from '../store/open-central-store.ts';
import { chooseStore, installationId } from './choose-store.ts';
import { DEFAULT_RETENTION_YEARS, RETENTION_YEAR_S } from './retention.ts';
import { createSentTargets, type SentTargets } from './sent-targets.ts';
import { trustState, type TrustState } from './trust-state.ts';

/** All that an answer may steer, and how often a pending device asks again. Seconds. */
export interface Intervals {
  readonly checkinS: number;
  readonly claimS: number;
}

export interface Central {
  readonly store: CentralStore;
  readonly trust: TrustState;
  readonly keys: OnlineKeys;
  readonly authority: CertificateAuthority;
  readonly evidence: EvidenceStore;
  /** For lapsed certificates. */
  readonly challenges: Challenges;
  /** Secrets of targets: opened with a key that lies beside the online keys, not in the database. */
  readonly targetVault: TargetVault;
  /** Which targets an appliance was sent last. */
  readonly sentTargets: SentTargets;
  readonly intervals: Intervals;
  /** Wall clock, Unix seconds. */
  readonly now: () => number;
}

/** What the command line needs: no evidence, no lock. It may run beside the server. */
export type Records = Pick<Central, 'store' | 'trust' | 'now'>;

export const wallClock = (): number => Math.floor(Date.now() / 1_000);

/** @throws central_missing, central_damaged */
export function openRecords(dataDir: string, now: () => number = wallClock): Records & { close(): void } {
  const store = openCentralStore(dataDir);
  return { store, trust: trustState(store), now, close: () => store.close() };
}

/**
 * Opens everything for serving and keeps every other server out of the folder until `close`.
 *
 * @param onFinding told of each stored log that does not keep what its receipts promise
 * @throws central_missing, central_damaged, central_locked, key_unreadable, key_permissions, key_malformed,
 *   evidence_store_changed and what the store of evidence refuses (openSegmentStore)
 */
export async function openCentral(
  dataDir: string,
  o: {
    intervals?: Partial<Intervals>;
    now?: () => number;
    /** Where evidence is kept (store-address.ts); as it was last time when absent. */
    evidenceStore?: string | undefined;
    onFinding?: (kind: string, origin: string, sentence: string) => void;
    /** Refuses to start while keys of the server lie in plain files. */
    sealedOnly?: boolean;
  } = {},
): Promise<Central & { close(): void }> {
  const now = o.now ?? wallClock;
  const store = openCentralStore(dataDir);
  let unlock = () => {};
  let segments: SegmentStore | null = null;
  try {
    unlock = lockDataDir(dataDir);
    const retainFound = () => now() + DEFAULT_RETENTION_YEARS * RETENTION_YEAR_S;
    const address = chooseStore(store, o.evidenceStore);
    const owner = { id: installationId(store), retainUntil: retainFound() };
    segments = await openSegmentStore({ dataDir, address, now, owner });
    store.setSetting('evidence_protection', segments.protection);
    const evidence = await openEvidenceStore({
      segments,
      index: store.objects,
      promisesOf: (origin) => store.evidence.promises(origin),
      onFinding: (kind, origin, sentence) => {
        store.alarms.raise(kind, origin, sentence, now());
        o.onFinding?.(kind, origin, sentence);
      },
      knownOrigins: store.evidence.origins(),
      now,
      retainFound,
    });
    const keyDir = onlineKeysDir(dataDir);
    if (o.sealedOnly === true) refusePlainKeys(keyDir);
    await unsealKeys(keyDir);
    const trust = trustState(store);
    const keys = keysInForce(dataDir, trust);
    keys();
    return {
      store,
      trust,
      // A root that replaces a key of the server counts at once, also where another process published it.
      get keys() {
        return keys();
      },
      authority: await authorityInUse(dataDir, store),
      evidence,
      challenges: createChallenges(now),
      targetVault: openTargetVault(dataDir),
      sentTargets: createSentTargets(),
      intervals: { checkinS: 60, claimS: 10, ...o.intervals },
      now,
      close: () => {
        evidence.segments.close();
        store.close();
        unlock();
      },
    };
  } catch (error) {
    segments?.close();
    store.close();
    unlock();
    throw error;
  }
}

/** @throws what loadAuthority throws */
export function authorityInUse(dataDir: string, store: Pick<CentralStore, 'setting'>): Promise<CertificateAuthority> {
  return loadAuthority(onlineKeysDir(dataDir), caGeneration(store), store.setting('former_ca_pem') ?? '');
}

export const caGeneration = (store: Pick<CentralStore, 'setting'>): number =>
  Number(store.setting('ca_generation') ?? FIRST_GENERATION);

/** How often a server looks for keys that were sealed beside it. */
const LOOK_FOR_KEYS_MS = 5_000;

function keysInForce(dataDir: string, trust: TrustState): () => OnlineKeys {
  let loaded: { readonly version: number; readonly keys: OnlineKeys } | null = null;
  let opening: Promise<unknown> | null = null;
  let lookedAt = performance.now();
  return () => {
    const { root } = trust.root();
    const isNew = loaded?.version !== root.version;
    // What the command line sealed beside a server that runs: a key of a new root, or the first one for secrets of targets.
    if (loaded !== null && (isNew || performance.now() - lookedAt >= LOOK_FOR_KEYS_MS)) {
      lookedAt = performance.now();
      opening ??= unsealKeys(onlineKeysDir(dataDir)).finally(() => (opening = null));
      opening.catch(() => undefined);
    }
    if (loaded !== null && !isNew) return loaded.keys;
    try {
      loaded = { version: root.version, keys: loadOnlineKeys(dataDir, root) };
    } catch (error) {
      // It goes on with the keys before until the new one is open.
      if (loaded === null || !isAgentError(error) || error.code !== 'key_unreadable') throw error;
    }
    return loaded.keys;
  };
}
