// A scripted Central Command that serves documents and content files, and a fresh appliance for each test that takes them over.
import { afterAll, afterEach, beforeEach } from 'vitest';
import { sha256Hex } from '../../../agent/wire/digest.ts';
import { payloadDigest } from '../../../agent/wire/document.ts';
import { parseEnvelope } from '../../../agent/wire/dsse.ts';
import type { CheckinAnswer } from '../../../agent/wire/schemas/checkin.ts';
import type { ContentList } from '../../../agent/wire/schemas/content.ts';
import type { Root } from '../../../agent/wire/schemas/root.ts';
import {
  openScriptedAppliance,
  problem,
  reply,
  startScriptedCentral,
  type ScriptedAppliance,
} from '../../support/scripted-central.ts';

export const central = await startScriptedCentral();
/** The appliance of this test; a test that puts another in its place closes the first. */
export const lab = { appliance: null as unknown as ScriptedAppliance };
/** Documents by `kind/ref`, as Central Command serves them. */
export const served = new Map<string, string>();
/** Content files by digest. */
export const blobs = new Map<string, Buffer>();
export const signal = new AbortController().signal;

central.documents = (request, response) => {
  const file = blobs.get(request.path.split('/').at(-1) ?? '');
  if (request.path.includes('/content/') && !request.path.includes('/documents/')) {
    if (file === undefined) problem(response, 404, 'document_unknown');
    else response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(file);
    return;
  }
  const line = served.get(request.path.split('/').slice(-2).join('/'));
  if (line === undefined) problem(response, 404, 'document_unknown');
  else reply(response, line);
};
beforeEach(() => {
  served.clear();
  blobs.clear();
  central.requests.length = 0;
  lab.appliance = openScriptedAppliance(central);
});
afterEach(() => lab.appliance.close());
afterAll(() => central.server.close());

const digestOf = (line: string): string => payloadDigest(parseEnvelope(line, { maxBytes: 1_000_000 }));
/** An honest answer, with changes. */
export const named = (change: Partial<CheckinAnswer>): CheckinAnswer => ({
  ...central.answer({ method: '', path: '', headers: {}, body: Buffer.alloc(0), payloadSha256: '0'.repeat(64) }),
  ...change,
});
/** Takes over what such an answer names. */
export const sync = (change: Partial<CheckinAnswer>) =>
  lab.appliance.uplink.syncTrust(named(change), lab.appliance.evidence, signal);
/** Serves a line under its own digest and gives how an answer names it. */
export function serve(
  kind: 'content' | 'policy' | 'revocations',
  line: string,
  version: number,
): { version: number; sha256: string } {
  const sha256 = digestOf(line);
  served.set(`${kind}/${sha256}`, line);
  return { version, sha256 };
}
/** A file of a content list, served under its digest. */
export function fileOf(text: string, change: Partial<ContentList['files'][number]> = {}): ContentList['files'][number] {
  const bytes = Buffer.from(text);
  const sha256 = sha256Hex(bytes);
  blobs.set(sha256, bytes);
  const id = `file-${sha256.slice(0, 8)}`;
  return { path: `baselines/${id}.yaml`, kind: 'baseline', id, version: 1, sha256, size: bytes.length, ...change };
}
/** A content list of two files, with changes. */
export const listOf = (change: Partial<ContentList> = {}): ContentList =>
  central.trust.contentList({ files: [fileOf('one'), fileOf('two')], ...change });
/** How many entries of the log say that a document came into force. */
export const trustEntries = (): number => lab.appliance.store.entries.list(1, { kind: 'trust', limit: 100 }).length;

/** Root 2, with changes. */
export function successor(change: (root: Root) => void = () => undefined): string {
  const root = structuredClone(central.trust.root.root);
  root.version = 2;
  change(root);
  return central.trust.sign('root', root);
}
