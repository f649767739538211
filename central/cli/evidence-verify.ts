import { AgentError, isAgentError } from '../../agent/errors/agent-error.ts';
import { EXIT } from '../../agent/errors/exit-codes.ts';
import { createLogVerifier, type LogVerdict } from '../../agent/verify/log-verifier.ts';
import { verifyReceipt } from '../../agent/verify/verify-receipt.ts';
import { streamLog } from '../evidence-store/evidence-store.ts';
import type { SegmentStore } from '../evidence-store/segment-store.ts';
import type { Records } from '../service/central.ts';
import { print, type Common } from './output.ts';
import { storedOrigins, withSegments } from './with-segments.ts';
import type { WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly origin?: string;
}

type Verdict = Pick<LogVerdict, 'ok' | 'code' | 'seq' | 'sentence' | 'size' | 'root' | 'status'> & {
  readonly origin: string;
};

/** Exit 4 when any log does not hold. */
export async function verifyEvidence(o: Options): Promise<void> {
  await withSegments(o, async (records, segments) => {
    const stored = await storedOrigins(records, segments);
    const origins = o.origin === undefined ? stored : [o.origin];
    const verdicts: Verdict[] = [];
    for (const origin of origins) {
      if (!stored.includes(origin)) {
        throw new AgentError('origin_not_bound', 'no such log is stored', { place: origin });
      }
      verdicts.push(await verifyOne(records, segments, origin));
    }
    const root = records.trust.root();
    const lines = verdicts.map(
      (v) =>
        `${v.ok ? 'ok ' : 'BAD'}  ${v.origin}  ${v.size} entries${v.status === 'provisional' ? ', provisional' : ''}  ${v.sentence}`,
    );
    print(
      o,
      { root_version: root.root.version, root_sha256: root.digest, logs: verdicts },
      [`trust root ${root.root.version}, ${root.digest}`, ...lines].join('\n'),
    );
    if (verdicts.some((verdict) => !verdict.ok)) process.exitCode = EXIT.verification;
  });
}

async function verifyOne({ store, trust, now }: Records, segments: SegmentStore, origin: string): Promise<Verdict> {
  const root = trust.root().root;
  const receipts = store.evidence.receipts(origin).map((row) => verifyReceipt(root, row.line, { origin }));
  // What was cosigned may be ahead of what was uploaded.
  const stored = store.evidence.latestReceipt(origin)?.size ?? 0;
  const cosigned = store.witness.days(origin).filter(({ size }) => size <= stored);
  const verifier = createLogVerifier({
    root,
    earlierRoots: trust.earlierRoots().map((earlier) => earlier.root),
    receipts,
    checkpoints: cosigned.map(({ note }) => note),
    revocations: trust.revocations()?.value ?? null,
    now: now(),
  });
  try {
    for await (const line of streamLog(segments, origin)) verifier.push(line.toString('utf8'));
  } catch (error) {
    if (!isAgentError(error)) throw error;
    const { size, root: rootHex, status } = verifier.finish();
    return { ok: false, code: error.code, seq: size, sentence: error.message, size, root: rootHex, status, origin };
  }
  const { ok, code, seq, sentence, size, root: rootHex, status } = verifier.finish();
  return { ok, code, seq, sentence, size, root: rootHex, status, origin };
}
