import { describe, it, expect } from 'vitest';
import type { ErrorCode } from '../../../agent/errors/codes.ts';
import { openBinding, originOf } from '../../../agent/trust/binding.ts';
import {
  contentState,
  isListed,
  openContentList,
  rulesetDigest,
  runbookClass,
} from '../../../agent/trust/content-list.ts';
import { activeWaivers, openPolicy } from '../../../agent/trust/policy.ts';
import { openRevocations, revokedKeyids } from '../../../agent/trust/revocations.ts';
import { ed25519SpkiFromRaw } from '../../../agent/wire/keys.ts';
import type { ContentList, StandingGrant } from '../../../agent/wire/schemas/content.ts';
import type { Binding } from '../../../agent/wire/schemas/enrolment.ts';
import type { Revocations } from '../../../agent/wire/schemas/root.ts';
import type { SitePolicy, Waiver } from '../../../agent/wire/schemas/site-policy.ts';
import { expectCode } from '../../support/expect-code.ts';
import {
  APPLIANCE,
  BASELINE_SHA256,
  DISRUPTIVE_RUNBOOK,
  LOG_DOMAIN,
  makeTrust,
  NOW,
  PARTNER,
  RUNBOOK,
  SITE,
} from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const { root } = trust.root;
const DAY = 86_400;

describe('a binding', () => {
  const open = (partial: Partial<Binding> = {}) => openBinding(root, trust.sign('binding', trust.binding(partial)));
  it('is opened when the registrar signed it and its origin follows from domain, appliance and epoch', () => {
    expect(open().value.origin).toBe(originOf(root, APPLIANCE, 1));
    expect(open().persons).toEqual(['central']);
  });
  it('may name the origin before it', () => {
    const previous = { origin: `${LOG_DOMAIN}/${APPLIANCE}/1`, size: 7, root: 'ab'.repeat(32) };
    expect(open({ epoch: 2, origin: `${LOG_DOMAIN}/${APPLIANCE}/2`, previous }).value.previous).toEqual(previous);
  });
  it.each<[string, Partial<Binding>]>([
    ['is of another partner', { partner_id: 'southern-it' }],
    ['names the origin of another appliance', { origin: `${LOG_DOMAIN}/main-street-2/1` }],
    ['names the origin of another epoch', { origin: `${LOG_DOMAIN}/${APPLIANCE}/2` }],
    ['names an origin in another domain', { origin: `logs.southern-it.example/${APPLIANCE}/1` }],
    ['is in mode direct with a reseller', { deployment_mode: 'direct' }],
    [
      'names itself as its predecessor',
      { previous: { origin: `${LOG_DOMAIN}/${APPLIANCE}/1`, size: 1, root: 'ab'.repeat(32) } },
    ],
    ['binds the order key as a device', { device_spki: trust.keys['order']!.spki }],
    ['binds an operator key as a device', { device_spki: trust.keys['operator:alice']!.spki }],
  ])('that %s is refused', (_, partial) => {
    expectCode(() => open(partial), 'binding_invalid');
  });
  it('in mode reseller without a reseller is refused', () => {
    const { reseller_id: _, ...rest } = trust.binding();
    expectCode(() => openBinding(root, trust.sign('binding', rest)), 'binding_invalid');
  });
  it('of a small-order device key is refused', () => {
    expectCode(() => open({ device_spki: ed25519SpkiFromRaw(Buffer.alloc(32)) }), 'key_invalid');
  });
  it.each(['order', 'timestamp', 'device', 'operator:alice'])('signed by the %s key is refused', (name) => {
    const line = trust.sign('binding', trust.binding(), trust.keys[name]!);
    expectCode(() => openBinding(root, line), 'signature_invalid');
  });
});

describe('a site policy', () => {
  const open = (partial: Partial<SitePolicy> = {}, currentVersion: number | null = null, now?: number) =>
    openPolicy(root, trust.sign('sitePolicy', trust.policy(partial)), { siteId: SITE, currentVersion, now });
  const waiver = (partial: Partial<Waiver> = {}): Waiver => ({
    id: 'w-1',
    check: 'disk',
    target: 'appliance',
    reason: 'a larger disk is ordered',
    approver: 'alice',
    issued_at: NOW,
    expires_at: NOW + 30 * DAY,
    ...partial,
  });
  it('is opened when two operators signed it for this site', () => {
    expect(open({ version: 4 }, 3).persons).toEqual(['alice', 'bob']);
  });
  it.each([4, 5])('of version 4 is refused while version %i is in force', (current) => {
    expectCode(() => open({ version: 4 }, current), 'policy_version');
  });
  it('for another site or partner is refused', () => {
    expectCode(() => open({ site_id: 'side-street' }), 'policy_other_site');
    expectCode(() => open({ partner_id: 'southern-it' }), 'policy_other_site');
  });
  it('signed by one operator, or by Central Command, is refused', () => {
    const by =
      (...names: string[]) =>
      () =>
        openPolicy(root, trust.sign('sitePolicy', trust.policy(), ...names.map((name) => trust.keys[name]!)), {
          siteId: SITE,
          currentVersion: null,
        });
    expectCode(by('operator:alice'), 'threshold_not_met');
    expectCode(by('order', 'timestamp', 'registrar'), 'signature_invalid');
  });
  it('is refused under an expired root when it is new, and read back when it was in force already', () => {
    expectCode(() => open({}, null, root.expires_at), 'root_expired');
    expect(open({}, null, root.expires_at - 1).value.version).toBe(1);
    expect(open({}, null).value.version).toBe(1);
  });
  const llm = { provider: 'remote' as const, host: 'llm.example', port: 443, model: 'm', money_per_day_cents: 0 };
  const besides = { host: '10.20.0.9', port: 443, model: 'm' };
  const output = { id: 'siem', kind: 'syslog' as const, host: 'siem.example', port: 6514, events: [] };
  it.each<[string, Partial<SitePolicy>]>([
    ['names a time zone that does not exist', { time_zone: 'Europe/Atlantis' }],
    ['waives for more than 90 days', { waivers: [waiver({ expires_at: NOW + 90 * DAY + 1 })] }],
    ['waives until before it began', { waivers: [waiver({ expires_at: NOW })] }],
    ['names a waiver twice', { waivers: [waiver(), waiver({ check: 'clock' })] }],
    [
      'gives one runbook two modes',
      {
        healing: {
          mode: 'on',
          runbooks: [
            { id: 'RB', mode: 'off' },
            { id: 'RB', mode: 'on' },
          ],
        },
      },
    ],
    ['names an output twice', { outputs: [output, { ...output, host: 'other.example' }] }],
    ['names a remote model without a BAA', { llm }],
    ['names a remote model behind one in the building without a BAA', { llm: { ...llm, provider: 'hybrid' } }],
    ['names a second model for one alone', { llm: { ...llm, provider: 'local', local: besides } }],
  ])('that %s is refused', (_, partial) => {
    expectCode(() => open(partial), 'policy_invalid');
  });
  it('that names a remote model with its BAA, or a local one without, is opened', () => {
    expect(open({ llm: { ...llm, baa_id: 'BAA-7' } }).value.llm?.baa_id).toBe('BAA-7');
    expect(open({ llm: { ...llm, provider: 'local' } }).value.llm?.provider).toBe('local');
  });
  it('waives from the second of issue until before the second of expiry', () => {
    const policy = trust.policy({ waivers: [waiver()] });
    const active = [NOW - 1, NOW, NOW + 30 * DAY - 1, NOW + 30 * DAY].map((now) => activeWaivers(policy, now).length);
    expect(active).toEqual([0, 1, 1, 0]);
    expect(activeWaivers(null, NOW)).toEqual([]);
  });
});

describe('a content list', () => {
  const open = (partial: Partial<ContentList> = {}, currentVersion: number | null = null, now?: number) =>
    openContentList(root, trust.sign('contentList', trust.contentList(partial)), { currentVersion, now });
  const grant = (partial: Partial<StandingGrant> = {}): StandingGrant => ({
    schema: 'compliance-agent/standing-grant/v1',
    grant_id: 'g-1',
    rule: { id: 'av-off', sha256: 'c1'.repeat(32) },
    runbook: RUNBOOK,
    baseline_sha256: BASELINE_SHA256,
    class: 'routine',
    scope: 'targets',
    limits: {},
    not_after: NOW + DAY,
    ...partial,
  });
  const [first, ...others] = trust.contentList().files as [ContentList['files'][0], ...ContentList['files']];
  const { class: _, ...unclassed } = first;

  it('is opened when two content holders signed it', () => {
    expect(open({ version: 9, grants: [grant()] }, 8).persons).toEqual(['alice', 'bob']);
  });
  it.each([9, 10])('of version 9 is refused while version %i is in force', (current) => {
    expectCode(() => open({ version: 9 }, current), 'content_version');
  });
  it('signed by operators, or by one content holder, is refused', () => {
    const list = trust.contentList();
    const signed = (role: 'operator' | 'content', count: number) => () =>
      openContentList(root, trust.sign('contentList', list, ...trust.signersOf(role).slice(0, count)), {
        currentVersion: null,
      });
    expectCode(signed('operator', 2), 'signature_invalid');
    expectCode(signed('content', 1), 'threshold_not_met');
  });
  it('is refused under an expired root when it is new', () => {
    expectCode(() => open({}, null, root.expires_at), 'root_expired');
  });
  it('that is expired is opened, since it is still the newest word on what may run', () => {
    expect(open({ expires_at: NOW - 1 }, null, NOW).value.expires_at).toBe(NOW - 1);
  });
  it.each<[string, Partial<ContentList>]>([
    ['is of another partner', { partner_id: 'southern-it' }],
    ['expires when it is issued', { expires_at: NOW - DAY }],
    ['is valid for more than 90 days', { expires_at: NOW + 89 * DAY + 1 }],
    ['names a path twice', { files: [first, { ...others[0]!, path: first.path }] }],
    ['names a runbook version twice', { files: [first, { ...first, path: 'x', sha256: 'ff'.repeat(32) }] }],
    [
      'gives one runbook digest two classes',
      {
        files: [first, { ...first, path: 'x', id: 'RB-OTHER', class: 'read' }],
      },
    ],
    ['names a runbook without a class', { files: [unclassed] }],
    ['gives a baseline a class', { files: [{ ...others[2]!, class: 'read' }] }],
    ['grants twice under one id', { grants: [grant(), grant({ scope: 'appliance' })] }],
    ['grants a rule that it does not list', { grants: [grant({ rule: { id: 'av-off', sha256: 'ff'.repeat(32) } })] }],
    ['grants a runbook that it does not list', { grants: [grant({ runbook: { ...RUNBOOK, version: 2 } })] }],
    ['grants by a baseline that it does not list', { grants: [grant({ baseline_sha256: 'ff'.repeat(32) })] }],
    ['grants a disruptive runbook as routine', { grants: [grant({ runbook: DISRUPTIVE_RUNBOOK })] }],
  ])('that %s is refused', (_, partial) => {
    expectCode(() => open(partial), 'content_invalid');
  });
  it('gives a runbook its class only where id, version and digest all fit', () => {
    const list = trust.contentList();
    expect(runbookClass(list, DISRUPTIVE_RUNBOOK)).toBe('disruptive');
    expect(runbookClass(list, { ...DISRUPTIVE_RUNBOOK, id: RUNBOOK.id })).toBeNull();
    expect(runbookClass(list, { ...DISRUPTIVE_RUNBOOK, version: 2 })).toBeNull();
    expect(runbookClass(list, { ...DISRUPTIVE_RUNBOOK, sha256: RUNBOOK.sha256 })).toBeNull();
    expect(runbookClass(null, RUNBOOK)).toBeNull();
  });
  it('lists a digest under its kind only', () => {
    expect(isListed(trust.contentList(), 'baseline', BASELINE_SHA256)).toBe(true);
    expect(isListed(trust.contentList(), 'rule', BASELINE_SHA256)).toBe(false);
  });
  it('has one digest of rules and baselines, whatever their order, which runbooks do not change', () => {
    const list = trust.contentList();
    const digest = rulesetDigest(list);
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(rulesetDigest({ ...list, files: list.files.toReversed() })).toBe(digest);
    expect(rulesetDigest({ ...list, files: others })).toBe(digest);
    const changed = list.files.map((file) => (file.kind === 'rule' ? { ...file, sha256: 'ff'.repeat(32) } : file));
    expect(rulesetDigest({ ...list, files: changed })).not.toBe(digest);
    expect(rulesetDigest(null)).toBeNull();
  });
  it('is valid, then expired for 30 days, then lapsed', () => {
    const list = trust.contentList({ expires_at: NOW });
    const states = [NOW - 1, NOW, NOW + 30 * DAY - 1, NOW + 30 * DAY].map((now) => contentState(list, now));
    expect(states).toEqual(['valid', 'expired', 'expired', 'lapsed']);
    expect(contentState(null, NOW)).toBe('absent');
  });
});

describe('a list of revocations', () => {
  const list = (partial: Partial<Revocations> = {}): Revocations => ({
    schema: 'compliance-agent/revocations/v1',
    partner_id: PARTNER,
    version: 3,
    issued_at: NOW,
    keys: [{ keyid: trust.keys['order']!.keyid, revoked_at: NOW, reason: 'the server was stolen' }],
    origins: [],
    ...partial,
  });
  const open = (partial: Partial<Revocations>, currentVersion: number | null = 2) =>
    openRevocations(root, trust.sign('revocations', list(partial)), { currentVersion });
  it('names the keys that count no more', () => {
    expect(revokedKeyids(open({}).value)).toEqual(new Set([trust.keys['order']!.keyid]));
    expect(revokedKeyids(null).size).toBe(0);
  });
  it.each<[string, Partial<Revocations>, ErrorCode]>([
    ['does not rise', { version: 2 }, 'revocations_version'],
    ['is of another partner', { partner_id: 'southern-it' }, 'revocations_invalid'],
    ['names a key twice', { keys: [...list().keys, ...list().keys] }, 'revocations_invalid'],
  ])('that %s is refused', (_, partial, code) => {
    expectCode(() => open(partial), code);
  });
  it('signed by operators is refused', () => {
    const line = trust.sign('revocations', list(), ...trust.signersOf('operator'));
    expectCode(() => openRevocations(root, line, { currentVersion: null }), 'signature_invalid');
  });
});
