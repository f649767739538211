import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../../agent/errors/codes.ts';
import type { CheckinAnswer } from '../../../agent/wire/schemas/checkin.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { NOW, signerFrom } from '../../support/trust-fixtures.ts';
import { central, lab, listOf, serve, served, signal, successor, sync, trustEntries } from './documents-lab.ts';

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
    expect(lab.appliance.store.trust.document('content')).toMatchObject({ version: 1, digest: content.sha256 });
    expect(lab.appliance.store.trust.document('policy')).toMatchObject({ version: 1, digest: policy.sha256 });
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
    expect(lab.appliance.store.trust.roots().map((root) => root.version)).toEqual([1, 2, 3]);
    expect(trustEntries()).toBe(2);
  });

  it('keeps the roots that it reached when a later one is missing', async () => {
    served.set('root/2', successor());
    const { rootChanged, failures } = await sync({ root_version: 3 });
    expect([rootChanged, failures.map((f) => f.code)]).toEqual([true, ['http_refused']]);
    expect(lab.appliance.store.trust.roots()).toHaveLength(2);
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
    expect(lab.appliance.store.trust.document('content')!.version).toBe(5);
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
    const before = lab.appliance.kept();
    const { failures, ...changed } = await sync(prepare());
    expect(failures.map((f) => f.code)).toEqual([code]);
    expect(Object.values(changed)).toEqual([false, false, false, false]);
    expect(lab.appliance.kept()).toEqual(before);
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

describe('catching up with roots after the answer key changed', () => {
  const catchUp = () => lab.appliance.uplink.catchUpRoots(lab.appliance.evidence, signal);

  it('takes the root that follows ours, although no answer could name it', async () => {
    served.set('root/2', successor());
    expect(await catchUp()).toBe(true);
    expect(lab.appliance.store.trust.roots().map((root) => root.version)).toEqual([1, 2]);
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
    expect(lab.appliance.store.trust.roots()).toHaveLength(1);
  });
});
