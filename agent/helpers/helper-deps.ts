// What a run of a helper works with.
import type { KernelClock } from '../system/kernel-clock.ts';
import type { DiskPort } from './seal-disk.ts';
import type { StickPort } from './config-stick.ts';
import type { Clock, Exec } from '../system/ports.ts';
import type { ClockReading } from './judge-time.ts';
import type { UpdatePlaces } from './system-tools.ts';

export interface HelperPlaces {
  /** Root's alone: documents in force and floors. */
  readonly stateDir: string;
  /** Where the daemon leaves files. */
  readonly dropDir: string;
  /** Where results are left, for everybody to read. */
  readonly resultDir: string;
  /** Where systemd looks for encrypted credentials. */
  readonly credentialDir: string;
}

export interface HelperDeps {
  readonly places: HelperPlaces;
  readonly clock: Clock;
  readonly kernel: KernelClock;
  readonly exec: Exec;
  /** TPM to seal with, where it is not the first of the machine. */
  readonly tpm?: string | undefined;
  /** Effective user id. */
  readonly uid: number | undefined;
  /** `root_sha256` of the configuration, where that is root's. */
  readonly firstRootSha256: string | null;
  /** Id of the baseline that the configuration names. @throws baseline_invalid, file_… */
  readonly baselineId: () => string;
  /** For `seal-disk` alone. */
  readonly disk?: DiskPort;
  /** For `config-stick` alone. */
  readonly stick?: StickPort;
  /** 128 random bits in hex. */
  readonly newRun: () => string;
  /** Of the units that switch the system alone. */
  readonly update?: UpdatePlaces;
}

export const clockReading = ({ clock, kernel }: HelperDeps): ClockReading => ({
  wallMs: clock.wallMs(),
  bootMs: clock.bootMs(),
  bootId: clock.bootId(),
  synchronised: kernel.isSynchronised(),
});
