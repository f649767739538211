import { resolve } from 'node:path';
import { defaultKeysDir, personSigners } from '../keys/person-keys.ts';
import { logAtSize, type LogAtSize } from '../service/log-at-size.ts';
import { revokeOrigin, type RevokedOrigin } from '../service/publish-revocations.ts';
import { print, when, type Common } from './output.ts';
import type { WithData } from './with-records.ts';
import { withSegments } from './with-segments.ts';

interface Options extends Common, WithData {
  readonly keys?: string;
  readonly size?: number;
}

/** Signs with every content key in the folder; the root comes from the stored log, and must be what the witness saw. */
export async function revokeLog(origin: string, o: Options): Promise<void> {
  await withSegments(o, async (records, segments) => {
    const at = await logAtSize(records, segments, origin, o.size ?? null);
    const { root } = records.trust.root();
    const signers = (await personSigners(resolve(o.keys ?? defaultKeysDir()), 'content', root)).map((p) => p.signer);
    const { size: trust_until_size, root: top } = at;
    const { published, revoked } = revokeOrigin(records, { origin, trust_until_size, root: top }, signers);
    const version = published?.value.version ?? records.trust.revocations()?.version ?? null;
    print(o, { ...revoked, version, published: published !== null }, textOf(at, revoked, version, published !== null));
  });
}

function textOf(at: LogAtSize, revoked: RevokedOrigin, version: number | null, isNew: boolean): string {
  const { origin, trust_until_size: size } = revoked;
  const { cosigned, stored } = at;
  return [
    isNew
      ? `revocations ${version} published: of ${origin} the first ${size} entries stay trusted, and nothing after them`
      : `${origin} is revoked already from entry ${size} on, by revocations ${version}: trust is only ever taken away`,
    `root over them: ${revoked.root}`,
    cosigned === null
      ? 'The witness cosigned nothing of this log.'
      : `The witness last cosigned ${cosigned.size} entries, ${when(cosigned.at)}. Was that before the theft? If not, say --size.`,
    ...(stored > size ? [`${stored - size} stored entries after them are kept, and count no more.`] : []),
    'New bundles for auditors carry the list. Send it to those who have an older bundle.',
  ].join('\n');
}
