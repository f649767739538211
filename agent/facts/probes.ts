// All probes by name.
import { avEdrProbe, type AvEdrFacts } from './av-edr.ts';
import { backupProbe, type BackupFacts } from './backup.ts';
import { clockProbe, type ClockFacts } from './clock.ts';
import { diskProbe, type DiskFacts } from './disk.ts';
import { encryptionProbe, type EncryptionFacts } from './encryption.ts';
import { firewallProbe, type FirewallFacts } from './firewall.ts';
import { listenersProbe, type ListenerFacts } from './listeners.ts';
import { loggingProbe, type LoggingFacts } from './logging.ts';
import { patchingProbe, type PatchingFacts } from './patching.ts';
import type { Fact, Probe } from './probe.ts';
import { selfProbe, type SelfFacts } from './self.ts';

export interface FactValues {
  readonly clock: ClockFacts;
  readonly disk: DiskFacts;
  readonly firewall: FirewallFacts;
  readonly listeners: ListenerFacts;
  readonly self: SelfFacts;
  readonly av_edr: AvEdrFacts;
  readonly backup: BackupFacts;
  readonly encryption: EncryptionFacts;
  readonly logging: LoggingFacts;
  readonly patching: PatchingFacts;
}
export type ProbeName = keyof FactValues;

/** What was read, by probe; absent where nobody asked. */
export type FactSet = { readonly [N in ProbeName]?: Fact<FactValues[N]> };

export const PROBES: { readonly [N in ProbeName]: Probe<FactValues[N]> } = {
  clock: clockProbe,
  disk: diskProbe,
  firewall: firewallProbe,
  listeners: listenersProbe,
  self: selfProbe,
  av_edr: avEdrProbe,
  backup: backupProbe,
  encryption: encryptionProbe,
  logging: loggingProbe,
  patching: patchingProbe,
};

export const PROBE_NAMES = Object.keys(PROBES) as readonly ProbeName[];
