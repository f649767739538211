// Where evidence is kept, as it is written behind --evidence-store: `folder`, `folder:immutable`, or `s3://bucket/prefix?…`.
import { AgentError } from '../../agent/errors/agent-error.ts';

export interface FolderAddress {
  readonly kind: 'folder';
  readonly immutable: boolean;
}

export interface S3Address {
  readonly kind: 's3';
  readonly bucket: string;
  /** Empty, or ends with `/`. */
  readonly prefix: string;
  readonly region: string;
  /** Of a store that is not AWS; null for AWS. */
  readonly endpoint: string | null;
  /** `https://endpoint/bucket/key` instead of `https://bucket.endpoint/key`. */
  readonly pathStyle: boolean;
}

export type StoreAddress = FolderAddress | S3Address;

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^[A-Za-z0-9._/-]*$/;
/** Bucket and prefix stand in the object id of each receipt, which has a limit. */
const MAX_PREFIX_CHARS = 40;
const REGION = /^[a-z0-9-]{1,40}$/;
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost']);
const PARAMETERS = new Set(['endpoint', 'region', 'path-style']);

/** @throws usage */
export function parseStoreAddress(text: string): StoreAddress {
  if (text === 'folder' || text === 'folder:immutable') return { kind: 'folder', immutable: text !== 'folder' };
  if (!text.startsWith('s3://')) throw bad('is folder, folder:immutable or s3://bucket/prefix?region=…');
  const url = URL.parse(text);
  if (url === null) throw bad('is no address');
  if (url.username !== '' || url.password !== '')
    throw bad('takes no secrets: put them into the environment or a file');
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.has(name))
      throw bad(`knows no parameter ${JSON.stringify(name)}; it has ${[...PARAMETERS].join(', ')}`);
    if (url.searchParams.getAll(name).length > 1) throw bad(`names ${name} twice`);
  }
  if (url.hash !== '' || url.port !== '') throw bad('has no port and no fragment; a port belongs to endpoint=');
  if (!BUCKET.test(url.hostname)) throw bad('names no bucket');
  const path = url.pathname.replace(/^\/+|\/+$/g, '');
  if (!PREFIX.test(path) || path.includes('//') || path.length >= MAX_PREFIX_CHARS) {
    throw bad(`has a prefix of fewer than ${MAX_PREFIX_CHARS} letters, digits and ._/-`);
  }
  const region = url.searchParams.get('region') ?? 'us-east-1';
  if (!REGION.test(region)) throw bad('names no region');
  const endpoint = url.searchParams.get('endpoint');
  const style = url.searchParams.get('path-style');
  if (style !== null && style !== 'yes' && style !== 'no') throw bad('has path-style=yes or no');
  return {
    kind: 's3',
    bucket: url.hostname,
    prefix: path === '' ? '' : `${path}/`,
    region,
    endpoint: endpoint === null ? null : endpointOf(endpoint),
    pathStyle: style === null ? endpoint !== null : style === 'yes',
  };
}

/** The same address always reads the same. */
export function storeAddressText(address: StoreAddress): string {
  if (address.kind === 'folder') return address.immutable ? 'folder:immutable' : 'folder';
  const { bucket, prefix, region, endpoint, pathStyle } = address;
  const more = endpoint === null ? '' : `&endpoint=${endpoint}`;
  return `s3://${bucket}/${prefix.replace(/\/$/, '')}?region=${region}${more}&path-style=${pathStyle ? 'yes' : 'no'}`;
}

function endpointOf(text: string): string {
  const url = URL.parse(text);
  const plain = url !== null && url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
  if (url === null || !plain || url.password !== '') throw bad('has endpoint=https://host:port');
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && LOOPBACK.has(url.hostname))) {
    throw bad('has an https:// endpoint; http:// only on this machine');
  }
  return url.origin;
}

const bad = (sentence: string) => new AgentError('usage', `--evidence-store ${sentence}`);
