// What a witness's verdict means for our log. A rewind or a fork is believed only on a checkpoint that our own key signed.
// Pure.
import { isAgentError, type AgentError } from '../errors/agent-error.ts';
import { openCosigned, type CosignedCheckpoint } from '../trust/cosigned-checkpoint.ts';
import { encodeNote, parseNote, parseSignatureLine } from '../wire/note.ts';
import type { WitnessVerdict } from '../wire/schemas/checkin.ts';
import type { Root } from '../wire/schemas/root.ts';

export interface OwnLog {
  readonly root: Root;
  readonly origin: string;
  readonly deviceSpki: string;
  /** Entries that it has now. */
  readonly size: number;
  /** Hex root at any size up to that. */
  readonly rootAt: (size: number) => string;
}

export type WitnessOutcome =
  /** Nothing was asked, or Central Command is no witness. */
  | { readonly kind: 'none' }
  | { readonly kind: 'cosigned'; readonly cosigned: CosignedCheckpoint }
  /** An answer was lost: the next request starts from `latest`. No event. */
  | { readonly kind: 'resubmit'; readonly latest: CosignedCheckpoint }
  | {
      readonly kind: 'conflict';
      readonly code: 'log_rewound' | 'log_forked';
      readonly sentence: string;
      readonly latest: CosignedCheckpoint;
    }
  /** Not cosigned, for a reason that shows nothing of ours. `latest`: from where to try next, where that is known. */
  | {
      readonly kind: 'refused';
      readonly code: 'witness_refused' | 'cosignature_invalid';
      readonly sentence: string;
      readonly latest: CosignedCheckpoint | 'none' | null;
    };

/** @param sent the checkpoint that the request carried; null where it carried none */
export function judgeWitness(verdict: WitnessVerdict | null, sent: string | null, own: OwnLog): WitnessOutcome {
  if (verdict === null || sent === null) return { kind: 'none' };
  switch (verdict.verdict) {
    case 'cosigned':
      return judgeCosignature(verdict.cosignature, sent, own);
    case 'stale':
      return judgeLatest(verdict.latest, own, (latest) => ({ kind: 'resubmit', latest }));
    case 'refused': {
      const sentence = `The witness refused our checkpoint: ${verdict.code}.`;
      if (verdict.latest === null) return { kind: 'refused', code: 'witness_refused', sentence, latest: 'none' };
      return judgeLatest(verdict.latest, own, (latest) => ({
        kind: 'refused',
        code: 'witness_refused',
        sentence,
        latest,
      }));
    }
  }
}

function judgeCosignature(line: string, sent: string, own: OwnLog): WitnessOutcome {
  const place = 'cosignature';
  const opened = attempt(() => {
    const note = parseNote(sent, place);
    const lines = line.replace(/\n$/, '').split('\n');
    const signatures = [...note.signatures, ...lines.map((one) => parseSignatureLine(one, place))];
    return openCosigned(own.root, encodeNote({ text: note.text, signatures }), logOf(own), place);
  });
  if (!isAgentError(opened) && opened.witnessedAt !== null) return { kind: 'cosigned', cosigned: opened };
  const why = isAgentError(opened) ? opened.message : 'it is by another key';
  const sentence = `The cosignature of our checkpoint does not hold: ${why}.`;
  return { kind: 'refused', code: 'cosignature_invalid', sentence, latest: null };
}

/** Compares what the witness cosigned last with what we have; `agreed` says what it means where both are the same. */
function judgeLatest(
  source: string,
  own: OwnLog,
  agreed: (latest: CosignedCheckpoint) => WitnessOutcome,
): WitnessOutcome {
  const latest = attempt(() => openCosigned(own.root, source, logOf(own), 'latest checkpoint of the witness'));
  if (isAgentError(latest)) {
    const sentence = `The witness names a latest checkpoint that is not ours: ${latest.message}.`;
    return { kind: 'refused', code: 'witness_refused', sentence, latest: null };
  }
  const { size, root } = latest.checkpoint;
  if (size > own.size) {
    const sentence = `We signed a checkpoint of ${size} entries, and the log has ${own.size}: it was set back to an older state.`;
    return { kind: 'conflict', code: 'log_rewound', sentence, latest };
  }
  if (own.rootAt(size) !== root.toString('hex')) {
    const sentence = `We signed a checkpoint of ${size} entries with another root than the log has: there are two histories.`;
    return { kind: 'conflict', code: 'log_forked', sentence, latest };
  }
  return agreed(latest);
}

const logOf = (own: OwnLog) => ({ origin: own.origin, spki: own.deviceSpki });

function attempt(open: () => CosignedCheckpoint): CosignedCheckpoint | AgentError {
  try {
    return open();
  } catch (error) {
    if (isAgentError(error) && error.code !== 'internal') return error;
    throw error;
  }
}
