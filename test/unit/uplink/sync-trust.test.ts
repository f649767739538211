import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import type { ErrorCode } from '../../../agent/errors/codes.ts';
import type { CheckinAnswer } from '../../../agent/wire/schemas/checkin.ts';
import type { ContentList } from '../../../agent/wire/schemas/content.ts';
import { sha256Hex } from '../../../agent/wire/digest.ts';
import type { Revocations, Root } from '../../../agent/wire/schemas/root.ts';
import { parseEnvelope } from '../../../agent/wire/dsse.ts';
import { payloadDigest } from '../../../agent/wire/document.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import {
  openScriptedAppliance,
  problem,
  reply,
  startScriptedCentral,
  type ScriptedAppliance,
  type ScriptedCentral,
} from '../../support/scripted-central.ts';
import { NOW, PARTNER, signerFrom } from '../../support/trust-fixtures.ts';

let central: ScriptedCentral;
let appliance: ScriptedAppliance;
/** Documents by `kind/ref`, as Central Command serves them. */
const served = new Map<string, string>();
/** Content files by digest. */
const blobs = new Map<string, Buffer>();
const signal = new AbortController().signal;

beforeAll(async () => {
  central = await startScriptedCentral();
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
});
beforeEach(() => {
  served.clear();
  blobs.clear();
  central.requests.length = 0;
  appliance = openScriptedAppliance(central);
});
afterEach(() => appliance.close());
afterAll(() => central.server.close());

const digestOf = (line: string): string => payloadDigest(parseEnvelope(line, { maxBytes: 1_000_000 }));
const named = (change: Partial<CheckinAnswer>): CheckinAnswer => ({
  ...central.answer({ method: '', path: '', headers: {}, body: Buffer.alloc(0), payloadSha256: '0'.repeat(64) }),
  ...change,
});
const sync = (change: Partial<CheckinAnswer>) => appliance.uplink.syncTrust(named(change), appliance.evidence, signal);
/** Serves a line under its own digest and gives how an answer names it. */
function serve(
  kind: 'content' | 'policy' | 'revocations',
  line: string,
  version: number,
): { version: number; sha256: string } {
  const sha256 = digestOf(line);
  served.set(`${kind}/${sha256}`, line);
  return { version, sha256 };
}
/** A file of a content list, served under its digest. */
function fileOf(text: string, change: Partial<ContentList['files'][number]> = {}): ContentList['files'][number] {
  const bytes = Buffer.from(text);
  const sha256 = sha256Hex(bytes);
  blobs.set(sha256, bytes);
  const id = `file-${sha256.slice(0, 8)}`;
  return { path: `baselines/${id}.yaml`, kind: 'baseline', id, version: 1, sha256, size: bytes.length, ...change };
}
const listOf = (change: Partial<ContentList> = {}): ContentList =>
  central.trust.contentList({ files: [fileOf('one'), fileOf('two')], ...change });
const trustEntries = (): number => appliance.store.entries.list(1, { kind: 'trust', limit: 100 }).length;

function successor(change: (root: Root) => void = () => undefined): string {
  const root = structuredClone(central.trust.root.root);
  root.version = 2;
  change(root);
  return central.trust.sign('root', root);
}

describe('taking over documents that an answer names', () => {
  it('takes content list and site policy, each with an entry in the log', async () => {
    const content = serve('content', central.trust.sign('contentList', listOf()), 1);
    const policy = serve('policy', central.trust.sign('sitePolicy', central.trust.policy()), 1);
    expect(await sync({ content, policy })).toEqual({
      rootChanged: false,
      contentChanged: true,
      policyChanged: true,
      revocationsChanged: false,
      failures: [],
    });
    expect(appliance.store.trust.document('content')).toMatchObject({ version: 1, digest: content.sha256 });
    expect(appliance.store.trust.document('policy')).toMatchObject({ version: 1, digest: policy.sha256 });
    expect(trustEntries()).toBe(2);
    central.requests.length = 0;
    expect(await sync({ content, policy })).toMatchObject({ contentChanged: false, policyChanged: false });
    expect(central.requests).toHaveLength(0);
  });

  it('walks through every root up to the one that is named', async () => {
    served.set('root/2', successor());
    const third = structuredClone(central.trust.root.root);
    third.version = 3;
    served.set('root/3', central.trust.sign('root', third));
    expect(await sync({ root_version: 3 })).toMatchObject({ rootChanged: true, failures: [] });
    expect(appliance.store.trust.roots().map((root) => root.version)).toEqual([1, 2, 3]);
    expect(trustEntries()).toBe(2);
  });

  it('keeps the roots that it reached when a later one is missing', async () => {
    served.set('root/2', successor());
    const { rootChanged, failures } = await sync({ root_version: 3 });
    expect([rootChanged, failures.map((f) => f.code)]).toEqual([true, ['http_refused']]);
    expect(appliance.store.trust.roots()).toHaveLength(2);
  });

  it('takes over what it can when another document fails', async () => {
    const policy = serve('policy', central.trust.sign('sitePolicy', central.trust.policy()), 1);
    const { contentChanged, policyChanged, failures } = await sync({
      content: { version: 1, sha256: 'ab'.repeat(32) },
      policy,
    });
    expect([contentChanged, policyChanged, failures.map((f) => f.code)]).toEqual([false, true, ['http_refused']]);
  });

  it('passes over older versions than those in force', async () => {
    const content = serve('content', central.trust.sign('contentList', listOf({ version: 5 })), 5);
    await sync({ content });
    const older = serve('content', central.trust.sign('contentList', listOf({ version: 4 })), 4);
    expect(await sync({ content: older })).toMatchObject({ contentChanged: false, failures: [] });
    expect(appliance.store.trust.document('content')!.version).toBe(5);
  });
});

describe('documents that are not taken over', () => {
  const keys = () => central.trust.keys;
  const cases: [string, ErrorCode, () => Partial<CheckinAnswer>][] = [
    [
      'a content list that one person alone signed',
      'threshold_not_met',
      () => ({
        content: serve('content', central.trust.sign('contentList', listOf(), keys()['content:alice']!), 1),
      }),
    ],
    [
      'a content list that the answer key signed',
      'signature_invalid',
      () => ({
        content: serve('content', central.trust.sign('contentList', listOf(), keys()['timestamp']!), 1),
      }),
    ],
    [
      'a policy that content signers signed',
      'signature_invalid',
      () => ({
        policy: serve(
          'policy',
          central.trust.sign('sitePolicy', central.trust.policy(), keys()['content:alice']!, keys()['content:bob']!),
          1,
        ),
      }),
    ],
    [
      'a policy of another site',
      'policy_other_site',
      () => ({
        policy: serve('policy', central.trust.sign('sitePolicy', central.trust.policy({ site_id: 'elsewhere' })), 1),
      }),
    ],
    [
      'a content list of another version than named',
      'document_mismatch',
      () => ({
        content: serve('content', central.trust.sign('contentList', listOf({ version: 3 })), 2),
      }),
    ],
    [
      'another content list than the one named',
      'document_mismatch',
      () => {
        const sha256 = 'cd'.repeat(32);
        served.set(`content/${sha256}`, central.trust.sign('contentList', listOf()));
        return { content: { version: 1, sha256 } };
      },
    ],
    [
      'a root that strangers signed',
      'signature_invalid',
      () => {
        const root = structuredClone(central.trust.root.root);
        root.version = 2;
        served.set('root/2', central.trust.sign('root', root, signerFrom('a'), signerFrom('b')));
        return { root_version: 2 };
      },
    ],
    [
      'a root of another partner',
      'root_invalid',
      () => {
        served.set(
          'root/2',
          successor((root) => (root.partner_id = 'other-partner')),
        );
        return { root_version: 2 };
      },
    ],
    [
      'a root that skips a version',
      'root_version',
      () => {
        served.set(
          'root/2',
          successor((root) => (root.version = 3)),
        );
        return { root_version: 2 };
      },
    ],
    [
      'a web page in the place of a root',
      'response_not_expected',
      () => {
        central.requests.length = 0;
        served.set('root/2', '<!doctype html><html>');
        return { root_version: 2 };
      },
    ],
  ];

  it.each(cases)('leaves all as it was at %s (%s)', async (_name, code, prepare) => {
    const before = appliance.kept();
    const { failures, ...changed } = await sync(prepare());
    expect(failures.map((f) => f.code)).toEqual([code]);
    expect(Object.values(changed)).toEqual([false, false, false, false]);
    expect(appliance.kept()).toEqual(before);
  });

  it('says so when another document is named under the version that is in force', async () => {
    const content = serve('content', central.trust.sign('contentList', listOf()), 1);
    await sync({ content });
    const { failures } = await sync({ content: { version: 1, sha256: 'ef'.repeat(32) } });
    expect(failures.map((f) => f.code)).toEqual(['document_mismatch']);
  });

  it('takes no new content list under an expired root', async () => {
    const content = serve('content', central.trust.sign('contentList', listOf()), 1);
    const { failures } = await sync({ content, server_time: NOW + 400 * 86_400 });
    expect(failures.map((f) => f.code)).toEqual(['root_expired']);
  });
});

describe('taking over revocations', () => {
  const list = (version: number, ...revoked: string[]): Revocations => ({
    schema: 'compliance-agent/revocations/v1',
    partner_id: PARTNER,
    version,
    issued_at: NOW,
    keys: revoked.map((name) => ({ keyid: central.trust.keys[name]!.keyid, revoked_at: NOW, reason: 'laptop lost' })),
    origins: [],
  });
  const offered = (value: Revocations, ...signers: string[]) =>
    serve(
      'revocations',
      central.trust.sign('revocations', value, ...signers.map((name) => central.trust.keys[name]!)),
      value.version,
    );

  it('takes them with an entry in the log, each version once', async () => {
    const revocations = offered(list(1, 'order'));
    expect(await sync({ revocations })).toMatchObject({ revocationsChanged: true, failures: [] });
    expect(appliance.store.trust.document('revocations')).toMatchObject({ version: 1, digest: revocations.sha256 });
    expect(trustEntries()).toBe(1);
    expect(await sync({ revocations })).toMatchObject({ revocationsChanged: false });
  });

  it('takes no content list in the same answer that a key signed which they revoke', async () => {
    const content = serve('content', central.trust.sign('contentList', listOf()), 1);
    const revocations = offered(list(1, 'content:bob'), 'content:alice', 'content:carol');
    const { contentChanged, revocationsChanged, failures } = await sync({ content, revocations });
    expect([contentChanged, revocationsChanged, failures.map((f) => f.code)]).toEqual([
      false,
      true,
      ['threshold_not_met'],
    ]);
  });

  it('takes no policy that a revoked key signed, and one that enough others signed', async () => {
    await appliance.close();
    const bob = central.trust.keys['operator:bob']!.keyid;
    appliance = openScriptedAppliance(central, { revokedKeyids: new Set([bob]) });
    const bad = serve('policy', central.trust.sign('sitePolicy', central.trust.policy()), 1);
    expect((await sync({ policy: bad })).failures.map((f) => f.code)).toEqual(['threshold_not_met']);
    const keys = ['operator:alice', 'operator:carol'].map((name) => central.trust.keys[name]!);
    const good = serve('policy', central.trust.sign('sitePolicy', central.trust.policy(), ...keys), 1);
    expect(await sync({ policy: good })).toMatchObject({ policyChanged: true, failures: [] });
  });

  it('takes no later list from a key that the list in force revokes', async () => {
    await appliance.close();
    const bob = central.trust.keys['content:bob']!.keyid;
    appliance = openScriptedAppliance(central, { revokedKeyids: new Set([bob]) });
    const revocations = offered(list(2), 'content:alice', 'content:bob');
    expect((await sync({ revocations })).failures.map((f) => f.code)).toEqual(['threshold_not_met']);
  });

  it.each<[string, ErrorCode, () => Partial<CheckinAnswer>]>([
    ['signed by one person', 'threshold_not_met', () => ({ revocations: offered(list(1), 'content:alice') })],
    [
      'signed by operators',
      'signature_invalid',
      () => ({ revocations: offered(list(1), 'operator:alice', 'operator:bob') }),
    ],
    [
      'of another partner',
      'revocations_invalid',
      () => ({ revocations: offered({ ...list(1), partner_id: 'other' }) }),
    ],
    [
      'of another version than named',
      'document_mismatch',
      () => ({ revocations: { ...offered(list(3)), version: 2 } }),
    ],
    [
      'under an expired root',
      'root_expired',
      () => ({ revocations: offered(list(1)), server_time: NOW + 400 * 86_400 }),
    ],
  ])('leaves all as it was at revocations %s (%s)', async (_name, code, prepare) => {
    const before = appliance.kept();
    const { failures } = await sync(prepare());
    expect(failures.map((f) => f.code)).toEqual([code]);
    expect(appliance.kept()).toEqual(before);
  });

  it('passes over an older list than the one in force', async () => {
    await sync({ revocations: offered(list(5, 'order')) });
    expect(await sync({ revocations: offered(list(4)) })).toMatchObject({ revocationsChanged: false, failures: [] });
    expect(appliance.store.trust.document('revocations')!.version).toBe(5);
  });
});

describe('catching up with roots after the answer key changed', () => {
  const catchUp = () => appliance.uplink.catchUpRoots(appliance.evidence, signal);

  it('takes the root that follows ours, although no answer could name it', async () => {
    served.set('root/2', successor());
    expect(await catchUp()).toBe(true);
    expect(appliance.store.trust.roots().map((root) => root.version)).toEqual([1, 2]);
    expect(trustEntries()).toBe(1);
  });

  it('says that there is none', async () => {
    expect(await catchUp()).toBe(false);
  });

  it('takes no root that the holders of ours did not sign', async () => {
    const root = structuredClone(central.trust.root.root);
    root.version = 2;
    served.set('root/2', central.trust.sign('root', root, signerFrom('a'), signerFrom('b')));
    await expectCodeAsync(catchUp(), 'signature_invalid');
    expect(appliance.store.trust.roots()).toHaveLength(1);
  });
});

describe('the files that a content list names', () => {
  const has = (file: { sha256: string }): boolean => appliance.store.content.has(file.sha256);
  const inForce = () => appliance.store.trust.document('content')?.version ?? null;
  const offer = (version: number, files: ContentList['files']) =>
    serve('content', central.trust.sign('contentList', central.trust.contentList({ version, files })), version);
  const asked = (): number =>
    central.requests.filter(({ path }) => path.startsWith('/api/v1/appliances/content/')).length;

  it('come before the list does, each once, and those of the list before stay', async () => {
    const [one, two, three] = [fileOf('one'), fileOf('two'), fileOf('three')];
    expect((await sync({ content: offer(1, [one, two]) })).contentChanged).toBe(true);
    expect([has(one), has(two), asked()]).toEqual([true, true, 2]);
    await sync({ content: offer(2, [two, three]) });
    expect([has(one), has(two), has(three), asked()]).toEqual([true, true, true, 3]);
    await sync({ content: offer(3, [three]) });
    expect([has(one), has(two), has(three)]).toEqual([false, true, true]);
  });

  it('all come or the list before stays in force: one that is missing holds up the whole, and comes later', async () => {
    const [one, two, three] = [fileOf('one'), fileOf('two'), fileOf('three')];
    await sync({ content: offer(1, [one]) });
    blobs.delete(three.sha256);
    const second = offer(2, [two, three]);
    const { contentChanged, failures } = await sync({ content: second });
    expect([contentChanged, failures.map((f) => f.code), inForce()]).toEqual([false, ['http_refused'], 1]);
    expect([has(one), has(two)]).toEqual([true, true]);
    fileOf('three');
    expect((await sync({ content: second })).contentChanged).toBe(true);
    expect([inForce(), asked()]).toEqual([2, 4]);
  });

  it('are refused when they are other bytes than the digest says, or of another size', async () => {
    const one = fileOf('one');
    blobs.set(one.sha256, Buffer.from('two'));
    expect((await sync({ content: offer(1, [one]) })).failures.map((f) => f.code)).toEqual(['content_mismatch']);
    blobs.set(one.sha256, Buffer.from('on'));
    expect((await sync({ content: offer(1, [one]) })).failures.map((f) => f.code)).toEqual(['content_mismatch']);
    blobs.set(one.sha256, Buffer.alloc(10_000));
    expect((await sync({ content: offer(1, [one]) })).failures.map((f) => f.code)).toEqual(['response_too_large']);
    expect([inForce(), has(one)]).toEqual([null, false]);
  });

  it('are refused when they are more than 64 MiB together, before any is fetched', async () => {
    const files = Array.from({ length: 17 }, (_, i) => ({ ...fileOf(`file ${i}`), size: 4_194_304 }));
    expect((await sync({ content: offer(1, files) })).failures.map((f) => f.code)).toEqual(['content_too_large']);
    expect(asked()).toBe(0);
  });

  it('come again where one is gone from the disk', async () => {
    const [one, two] = [fileOf('one'), fileOf('two')];
    const list = offer(1, [one, two]);
    await sync({ content: list });
    rmSync(join(appliance.dir, 'content', two.sha256));
    expect([has(one), has(two)]).toEqual([true, false]);
    const later = appliance.restarted();
    expect(await later.syncTrust(named({ content: list }), appliance.evidence, signal)).toMatchObject({
      contentChanged: true,
      failures: [],
    });
    expect([has(two), asked()]).toEqual([true, 3]);
    // What was said of the disk is kept in one process: no file is read with each check-in.
    expect(await later.syncTrust(named({ content: list }), appliance.evidence, signal)).toMatchObject({
      contentChanged: false,
    });
  });

  it('are held against what the appliance can go by before the list comes into force', async () => {
    const judged: number[] = [];
    const strict = openScriptedAppliance(central, {
      judgeContent: (list) => {
        judged.push(list.files.filter((file) => strict.store.content.has(file.sha256)).length);
        throw new AgentError('baseline_invalid', 'line 1: not for this version');
      },
    });
    const content = offer(1, [fileOf('one'), fileOf('two')]);
    const { contentChanged, failures } = await strict.uplink.syncTrust(named({ content }), strict.evidence, signal);
    expect([contentChanged, failures.map((f) => f.code), judged]).toEqual([false, ['baseline_invalid'], [2]]);
    expect(strict.store.trust.document('content')).toBe(null);
    await strict.close();
  });
});
