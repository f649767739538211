import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../../agent/errors/codes.ts';
import type { CheckinAnswer } from '../../../agent/wire/schemas/checkin.ts';
import type { Revocations } from '../../../agent/wire/schemas/root.ts';
import { openScriptedAppliance } from '../../support/scripted-central.ts';
import { NOW, PARTNER } from '../../support/trust-fixtures.ts';
import { central, lab, listOf, serve, sync, trustEntries } from './documents-lab.ts';

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
    expect(lab.appliance.store.trust.document('revocations')).toMatchObject({ version: 1, digest: revocations.sha256 });
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
    await lab.appliance.close();
    const bob = central.trust.keys['operator:bob']!.keyid;
    lab.appliance = openScriptedAppliance(central, { revokedKeyids: new Set([bob]) });
    const bad = serve('policy', central.trust.sign('sitePolicy', central.trust.policy()), 1);
    expect((await sync({ policy: bad })).failures.map((f) => f.code)).toEqual(['threshold_not_met']);
    const keys = ['operator:alice', 'operator:carol'].map((name) => central.trust.keys[name]!);
    const good = serve('policy', central.trust.sign('sitePolicy', central.trust.policy(), ...keys), 1);
    expect(await sync({ policy: good })).toMatchObject({ policyChanged: true, failures: [] });
  });

  it('takes no later list from a key that the list in force revokes', async () => {
    await lab.appliance.close();
    const bob = central.trust.keys['content:bob']!.keyid;
    lab.appliance = openScriptedAppliance(central, { revokedKeyids: new Set([bob]) });
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
    const before = lab.appliance.kept();
    const { failures } = await sync(prepare());
    expect(failures.map((f) => f.code)).toEqual([code]);
    expect(lab.appliance.kept()).toEqual(before);
  });

  it('passes over an older list than the one in force', async () => {
    await sync({ revocations: offered(list(5, 'order')) });
    expect(await sync({ revocations: offered(list(4)) })).toMatchObject({ revocationsChanged: false, failures: [] });
    expect(lab.appliance.store.trust.document('revocations')!.version).toBe(5);
  });
});
