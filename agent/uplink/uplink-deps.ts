// What every part of the uplink is given.
import type { HttpsClient } from '../https/client.ts';
import type { EnrolledIdentity, Store } from '../store/open-store.ts';
import type { Clock, Ids, Log } from '../system/ports.ts';
import type { TargetTable } from '../targets/target.ts';
import type { PinnedRoot } from '../trust/root.ts';
import type { Signer } from '../wire/dsse.ts';
import type { ContentList } from '../wire/schemas/content.ts';
import type { CheckinRequest } from '../wire/schemas/checkin.ts';

export interface UplinkDeps {
  readonly store: Store;
  /** With the appliance's certificate. */
  readonly https: HttpsClient;
  readonly clock: Clock;
  readonly ids: Ids;
  /** The device key. */
  readonly signer: Signer;
  readonly identity: EnrolledIdentity;
  /** The root in force now. */
  readonly root: () => PinnedRoot;
  /** Keys that count no more, as the revocations in force say. */
  readonly revokedKeyids: () => ReadonlySet<string>;
  readonly agentVersion: string;
  readonly nixosRevision: string | null;
  readonly log: Log;
  /** Refuses a content list whose files, all of them here, this appliance could not go by. @throws {AgentError} */
  readonly judgeContent?: ((list: ContentList) => void) | undefined;
  /** Digests of content lists whose files were all seen to be here in this process. */
  readonly completeContent?: Set<string> | undefined;
  /** Where the targets of an answer go; absent: they are left unopened. */
  readonly targets?: Pick<TargetTable, 'replace'> | undefined;
  /** What a check-in says of an epoch that is not confirmed. */
  readonly epochState?: () => CheckinRequest['epoch_state'];
}

export const nowSeconds = (clock: Clock): number => Math.floor(clock.wallMs() / 1000);
