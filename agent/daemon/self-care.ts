// What the daemon remembers of its own well-being: probes that were set aside, checks that are unknown, the last blocking
// reason, its last restart. What must survive a restart lies in the store's settings.
import type { Store } from '../store/open-store.ts';
import type { LastBlocking } from '../system/status-file.ts';
import type { KnownCertificates } from '../targets/certificate-ends.ts';
import type { ProbeCare } from './probe-care.ts';
import type { UnknownSince } from './unknown-since.ts';

export interface SelfCare {
  /** How often somebody asked for all checks at once, due or not; the stage `checks` compares it with what it has done. */
  checksAsked: number;
  /** By name of the probe. In memory only: a restart tries every probe again. */
  readonly probes: Map<string, ProbeCare>;
}

export const newSelfCare = (): SelfCare => ({ checksAsked: 0, probes: new Map() });

export interface LastRestart {
  /** Unix seconds. */
  readonly at: number;
  readonly code: string;
}

interface Kept {
  readonly unknown_since: UnknownSince;
  readonly last_blocking: LastBlocking | null;
  readonly last_restart: LastRestart | null;
  readonly target_certificates: KnownCertificates;
}

const EMPTY: Kept = { unknown_since: {}, last_blocking: null, last_restart: null, target_certificates: {} };

type SettingsOnly = Pick<Store, 'settings'>;

export function kept<K extends keyof Kept>(store: SettingsOnly, name: K): Kept[K] {
  const text = store.settings.get(`self_care.${name}`);
  return text === null ? EMPTY[name] : (JSON.parse(text) as Kept[K]);
}

/** Writes only what differs: this is asked every few seconds. */
export function keep<K extends keyof Kept>(store: SettingsOnly, name: K, value: Kept[K]): void {
  const text = JSON.stringify(value);
  if (store.settings.get(`self_care.${name}`) !== text) store.settings.set(`self_care.${name}`, text);
}
