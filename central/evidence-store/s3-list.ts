import {
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type ObjectVersion,
} from '@aws-sdk/client-s3';
import type { S3Connection } from './s3-client.ts';

interface Marker {
  readonly KeyMarker?: string;
  readonly VersionIdMarker?: string;
}

/** Listings of all versions and delete markers under a prefix, page after page. Of one key the newest comes first. */
export async function* listVersions(
  s3: S3Connection,
  o: { bucket: string; prefix: string; delimiter?: string; after?: string },
): AsyncGenerator<ListObjectVersionsCommandOutput> {
  let marker: Marker | null = o.after === undefined ? {} : { KeyMarker: o.after };
  while (marker !== null) {
    const input: { Bucket: string; Prefix: string; Delimiter?: string } & Marker = {
      Bucket: o.bucket,
      Prefix: o.prefix,
      ...(o.delimiter === undefined ? {} : { Delimiter: o.delimiter }),
      ...marker,
    };
    const page: ListObjectVersionsCommandOutput = await s3.call(o.prefix, (call) =>
      s3.client.send(new ListObjectVersionsCommand(input), call),
    );
    yield page;
    marker = nextMarker(page);
  }
}

function nextMarker({
  IsTruncated,
  NextKeyMarker,
  NextVersionIdMarker,
}: ListObjectVersionsCommandOutput): Marker | null {
  if (IsTruncated !== true || NextKeyMarker === undefined) return null;
  return {
    KeyMarker: NextKeyMarker,
    ...(NextVersionIdMarker === undefined ? {} : { VersionIdMarker: NextVersionIdMarker }),
  };
}

/** All versions of one key, oldest first. */
export async function versionsOf(s3: S3Connection, bucket: string, key: string): Promise<ObjectVersion[]> {
  const versions: ObjectVersion[] = [];
  for await (const page of listVersions(s3, { bucket, prefix: key })) {
    versions.push(...(page.Versions ?? []).filter(({ Key }) => Key === key));
  }
  return versions.reverse();
}
