// Order kind `sync_content`: what the last verified answer names is brought now, all of it, without waiting for check-ins to bring
// the rest; files of the content list in force that are gone from the disk come again.
import type { OrderHandler } from '../../orders/order-handler.ts';
import { parseDocument, maxLineBytes } from '../../wire/document.ts';
import { parseEnvelope } from '../../wire/dsse.ts';
import type { CheckinAnswer } from '../../wire/schemas/checkin.ts';
import type { Enrolled } from '../agent-state.ts';
import { bringDocuments } from '../bring-documents.ts';
import type { DaemonContext } from '../context.ts';

/** Other orders wait as long. One go brings files for 25 s (uplink/fetch-content.ts); what came is kept. */
const DEADLINE_MS = 4 * 60_000;
const MOST_GOES = 12;
/** How often is looked for the first answer after a start. */
const LOOK_MS = 500;

export function syncContentHandler(enrolled: Enrolled, context: DaemonContext): OrderHandler {
  const { store } = context;
  const held = () => {
    const files = enrolled.trust.content()?.value.files ?? [];
    return {
      root_version: enrolled.trust.root().root.version,
      content_version: enrolled.trust.content()?.value.version ?? null,
      policy_version: enrolled.trust.policy()?.value.version ?? null,
      revocations_version: enrolled.trust.revocationsVersion(),
      files: files.length,
      files_missing: files.filter((file) => !store.content.has(file.sha256)).length,
    };
  };
  return {
    kind: 'sync_content',
    does: 'work',
    deadlineMs: DEADLINE_MS,
    async act(_, signal, { digest }) {
      const answer = await lastAnswer(context, signal);
      enrolled.uplink.lookAtContentAgain();
      for (let go = 0; go < MOST_GOES; go++) {
        const { failures } = await bringDocuments(enrolled, context, answer, signal, digest.slice(0, 16));
        const [failure] = failures;
        if (failure !== undefined) {
          const sentence = 'A document or a file of it could not be taken over; what was in force before stays.';
          return { kind: 'failed', code: failure.code, sentence, result: held() };
        }
        const has = held();
        if (has.files_missing === 0 && isAsNew(has, answer)) {
          const sentence = 'What the last answer names is in force, with all files of the content list.';
          return { kind: 'done', sentence, result: has };
        }
      }
      const sentence = 'Not everything that the last answer names came in time; what came is kept.';
      return { kind: 'failed', code: 'order_deadline', sentence, result: held() };
    },
    verify: held,
  };
}

interface Versions {
  readonly root_version: number;
  readonly content_version: number | null;
  readonly policy_version: number | null;
  readonly revocations_version: number | null;
}

/** A restored Central Command may name older ones than are here. Pure. */
function isAsNew(has: Versions, answer: CheckinAnswer): boolean {
  return (
    has.root_version >= answer.root_version &&
    (has.content_version ?? 0) >= (answer.content?.version ?? 0) &&
    (has.policy_version ?? 0) >= (answer.policy?.version ?? 0) &&
    (has.revocations_version ?? 0) >= (answer.revocations?.version ?? 0)
  );
}

/** It was verified when it came. After a start none is held yet: the order came with one of the process before. */
async function lastAnswer({ state, clock, trigger }: DaemonContext, signal: AbortSignal): Promise<CheckinAnswer> {
  while (state.answerHeld === null) {
    trigger('checkin');
    await clock.sleep(LOOK_MS, signal);
  }
  const { payload } = parseEnvelope(state.answerHeld.line, { maxBytes: maxLineBytes('checkinAnswer') });
  return parseDocument('checkinAnswer', payload);
}
