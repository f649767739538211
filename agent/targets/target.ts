// What the agent knows of a machine that it reaches over the network, and the table that holds it: in memory, for minutes.
import type { Targets } from '../wire/schemas/checkin.ts';

type Wire = Targets['targets'][number];

/** A target without its secret: what may be listed, compared and logged by id. */
export interface TargetInfo {
  /** As orders, findings and entries name it. */
  readonly id: string;
  /** The name that certificates and Kerberos tickets are made out for. */
  readonly hostname: string;
  /** IP address that is connected to; the site policy's `target_networks` is held against it. */
  readonly address: string;
  readonly port: number;
  readonly scheme: Wire['scheme'];
  readonly auth: Wire['auth'];
  /** Account name without its domain. */
  readonly principal: string;
  /** Windows domain or Kerberos realm; null for an account of the machine itself. */
  readonly domain: string | null;
  /** What the lock-out guard counts by, with {@link credentialVersion}. */
  readonly credentialId: string;
  /** Rises when the secret is replaced. */
  readonly credentialVersion: number;
  /** Hosts of the KDC; absent: found by DNS. */
  readonly kdc?: readonly string[] | undefined;
  /** What the server's certificate is held against. */
  readonly tls: Wire['tls'];
  /** Pinned identity of the machine, where one is known. */
  readonly identity?: Wire['identity'];
  /** For example `workstation` or `domain-controller`: what rules and baselines go by. */
  readonly role: string;
  readonly os?: string | undefined;
}

/** A target with its secret. Whoever is handed one releases the lease; the bytes are zeros afterwards. */
export interface Target extends TargetInfo {
  /** Password in UTF-8, or key and chain in PEM for `certificate`; never a string. */
  readonly secret: Buffer;
}

/** A running runbook's own copy of a target. */
export interface TargetLease {
  readonly target: Target;
  /** Zeros the copy's secret. Idempotent; comes by itself after {@link MAX_LEASE_MS}. */
  release(): void;
}

/** No secret in memory is older than this, on the boot clock, unless a running runbook holds a lease. */
export const MAX_TARGET_AGE_MS = 15 * 60_000;
/** No running runbook keeps its copy longer. */
export const MAX_LEASE_MS = 60 * 60_000;

/** The targets in force. In memory only; nothing of it is ever written. */
export interface TargetTable {
  /** Targets in force, by id. Empty when none came, all expired, or all were wiped. */
  list(): readonly TargetInfo[];
  /** Null for an id that is not in force. */
  get(id: string): TargetInfo | null;
  /** A copy with the secret, for one run; null for an id that is not in force. */
  lease(id: string): TargetLease | null;
  /** Takes over a new list as a whole; what it replaces is zeroed. `expiresBootMs` is on the boot clock. */
  replace(targets: readonly Target[], expiresBootMs: number): void;
  /** Zeros every secret in force at once. Leases of running runbooks stay until they are released. */
  wipe(): void;
}
