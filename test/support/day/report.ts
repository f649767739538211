// What a simulated day came to.
import type { Ending } from './daemon-handle.ts';

export interface FaultReport {
  readonly name: string;
  /** Simulated seconds since the enrolment, and how long it lasted. */
  readonly atS: number;
  readonly lasts: number;
  /** The reasons that were given for it. */
  readonly named: readonly string[];
  /** Of the process, some time after it. */
  readonly rssMib: number;
  readonly realS: number;
}

export interface DayReport {
  readonly seed: number;
  /** Simulated. */
  readonly hours: number;
  readonly realS: number;
  readonly faults: readonly FaultReport[];
  /** Log lines that speak of a defect. */
  readonly defects: number;
  readonly endings: readonly Ending[];
  /** What the process printed that is no line of its log. */
  readonly otherOutput: readonly string[];
  /** No reason stood in its way at the end, and all evidence was uploaded. */
  readonly quiet: boolean;
  readonly size: number | null;
  readonly storedSize: number | null;
  readonly own: { readonly ok: boolean; readonly size: number; readonly root: string };
  readonly central: { readonly ok: boolean; readonly size: number; readonly root: string } | null;
  /** How often the log says that the check of the packet filter passed; how often of these its tool had not been read. */
  readonly passes: number;
  readonly passesWithoutRead: number;
  /** Passes in `status` after it was seen that the tool could not be read. */
  readonly passesWhileBlind: number;
  readonly alerts: Readonly<Record<string, number>>;
  readonly lastLife: { readonly fromS: number; readonly samples: number };
  /** Medians over a quarter of an hour. */
  readonly rssMib: { readonly afterWarmUp: number; readonly end: number };
}
