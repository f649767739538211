// Our side of the witness: what a check-in asks to have cosigned, what is kept of the verdict. Each check-in asks again, so
// that a cosignature also says when our log was last seen.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { logTree } from '../evidence/log-tree.ts';
import type { CheckpointRow, EnrolledIdentity } from '../store/open-store.ts';
import type { CosignedCheckpoint } from '../trust/cosigned-checkpoint.ts';
import { encodeAddCheckpoint } from '../wire/add-checkpoint.ts';
import { signCheckpoint } from '../wire/checkpoint.ts';
import { verifyConsistency } from '../wire/merkle.ts';
import type { WitnessVerdict } from '../wire/schemas/checkin.ts';
import { judgeWitness, type WitnessOutcome } from './judge-witness.ts';
import type { UplinkDeps } from './uplink-deps.ts';

/** Our own signed checkpoint that the log contradicts. Kept until the epoch ends: nothing that comes later can undo it. */
export interface WitnessConflict {
  readonly code: 'log_rewound' | 'log_forked';
  readonly sentence: string;
  /** The checkpoint as the witness showed it. */
  readonly note: string;
  /** Of that checkpoint. */
  readonly size: number;
  readonly root: string;
  /** Entries that the log had when this was found. */
  readonly ownSize: number;
}

/** What one check-in carries. */
export interface WitnessQuestion {
  /** Body of add-checkpoint; null while there is a conflict, or where the tree is damaged. */
  readonly request: string | null;
  readonly lastCosigned: string | null;
  /** The checkpoint in `request`. */
  readonly checkpoint: string | null;
  /** Why nothing is asked although there is no conflict. */
  readonly damage: string | null;
}

export interface Witness {
  ask(): WitnessQuestion;
  /** Within the caller's unit. */
  take(verdict: WitnessVerdict | null, question: WitnessQuestion): WitnessOutcome;
  /** The last checkpoint that was cosigned. */
  latest(): CheckpointRow | null;
  conflict(): WitnessConflict | null;
}

type Deps = Pick<UplinkDeps, 'store' | 'signer' | 'root' | 'log'> & {
  readonly identity: Pick<EnrolledIdentity, 'origin' | 'epoch'>;
};

export function createWitness(d: Deps): Witness {
  const { store, signer, log } = d;
  const { origin, epoch } = d.identity;
  const tree = logTree(store, epoch);
  const conflictKey = `witness_conflict:${origin}`;
  /** Where the witness says that it stands; what it said last counts more than what we keep. */
  let told: { size: number; root: Buffer } | null = null;

  const latest = (): CheckpointRow | null => store.checkpoints.latest(origin);
  const conflict = (): WitnessConflict | null => {
    const text = store.settings.get(conflictKey);
    return text === null ? null : (JSON.parse(text) as WitnessConflict);
  };
  const save = ({ checkpoint, source, witnessedAt }: CosignedCheckpoint): void => {
    // A witness that knows less than we keep takes nothing away.
    if (witnessedAt === null || checkpoint.size < (latest()?.size ?? 0)) return;
    const root = checkpoint.root.toString('hex');
    store.checkpoints.save({ origin, size: checkpoint.size, root, note: source, at: witnessedAt });
  };
  const start = (): { size: number; root: Buffer } => {
    const kept = latest();
    return told ?? { size: kept?.size ?? 0, root: Buffer.from(kept?.root ?? '', 'hex') };
  };

  const request = (): { body: string; checkpoint: string } => {
    const size = tree.size();
    const root = Buffer.from(tree.rootAt(), 'hex');
    const checkpoint = signCheckpoint({ origin, size, root, extensions: [] }, signer);
    const old = start();
    const proof = tree.consistencyProof(old.size, size);
    // A damaged tile must look like damage, not like a rewritten log.
    if (old.size > 0 && !verifyConsistency(old.size, Buffer.from(tree.rootAt(old.size), 'hex'), size, root, proof)) {
      throw new AgentError('store_corrupt', 'the tree of the evidence log does not prove its own growth');
    }
    return { body: encodeAddCheckpoint({ oldSize: old.size, proof, checkpoint }), checkpoint };
  };

  return {
    latest,
    conflict,
    ask() {
      const lastCosigned = latest()?.note ?? null;
      if (conflict() !== null) return { request: null, lastCosigned, checkpoint: null, damage: null };
      try {
        const { body, checkpoint } = request();
        return { request: body, lastCosigned, checkpoint, damage: null };
      } catch (error) {
        if (!isAgentError(error) || error.code !== 'store_corrupt') throw error;
        log.error('no checkpoint can be made', { reason: error.message });
        return { request: null, lastCosigned, checkpoint: null, damage: error.message };
      }
    },
    take(verdict, question) {
      const own = {
        root: d.root().root,
        origin,
        deviceSpki: signer.spki,
        size: tree.size(),
        rootAt: (size: number) => tree.rootAt(size),
      };
      const outcome = judged(() => judgeWitness(verdict, question.checkpoint, own));
      switch (outcome.kind) {
        case 'none':
          break;
        case 'cosigned':
          save(outcome.cosigned);
          told = null;
          break;
        case 'resubmit':
          save(outcome.latest);
          told = outcome.latest.checkpoint;
          break;
        case 'refused':
          if (outcome.latest !== null) told = outcome.latest === 'none' ? NOTHING : outcome.latest.checkpoint;
          break;
        case 'conflict': {
          const { code, sentence } = outcome;
          const { checkpoint, source } = outcome.latest;
          const root = checkpoint.root.toString('hex');
          const found: WitnessConflict = {
            code,
            sentence,
            note: source,
            size: checkpoint.size,
            root,
            ownSize: own.size,
          };
          store.settings.set(conflictKey, JSON.stringify(found));
          break;
        }
      }
      return outcome;
    },
  };
}

/** A damaged tree can neither confirm nor contradict a checkpoint. */
function judged(judge: () => WitnessOutcome): WitnessOutcome {
  try {
    return judge();
  } catch (error) {
    if (!isAgentError(error) || error.code !== 'store_corrupt') throw error;
    return {
      kind: 'refused',
      code: 'witness_refused',
      sentence: `Our own tree is damaged: ${error.message}.`,
      latest: null,
    };
  }
}

const NOTHING = { size: 0, root: Buffer.alloc(0) };
