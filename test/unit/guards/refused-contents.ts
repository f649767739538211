// Orders that are refused for what they ask: when, in which class, by which runbook, with what authorisation.
import { NIGHT, PATCH_ORDER } from '../../support/acceptance-fixtures.ts';
import { DISRUPTIVE_RUNBOOK, NOW, RUNBOOK, uuidOf } from '../../support/trust-fixtures.ts';
import { trust, keys, pinned, signed, disruptive, runbook, limitedOperators, type Refusal } from './order-rows.ts';

export const REFUSED_CONTENTS: readonly Refusal[] = [
  // time
  ['not_before before issued_at', 'order_times_inconsistent', () => signed({ not_before: NOW - 11 })],
  ['expires_at at not_before', 'order_times_inconsistent', () => signed({ expires_at: NOW - 10 })],
  ['a life of 15 minutes and a second', 'order_lifetime_too_long', () => signed({ expires_at: NOW - 10 + 901 })],
  ['a life beyond the limit of this appliance', 'order_lifetime_too_long', () => signed({}, { maxLifetimeS: 300 })],
  [
    'an expired root',
    'order_root_expired',
    () => {
      const { expires_at } = trust.root.root;
      return signed(
        { issued_at: expires_at, not_before: expires_at, expires_at: expires_at + 60 },
        { nowT: expires_at },
      );
    },
  ],
  ['the second of its expiry', 'order_expired', () => signed({}, { nowT: NOW + 600 })],
  ['a day after its expiry', 'order_expired', () => signed({}, { nowT: NOW + 86_400 })],
  // class
  [
    'a kind without a handler',
    'order_kind_unsupported',
    () => signed({}, { supportedKinds: new Set(['restart_agent']) }),
  ],
  ['a routine kind called read', 'order_class_too_low', () => signed({ kind: 'restart_agent', class: 'read' })],
  ['a reboot called routine', 'order_class_too_low', () => signed({ kind: 'reboot', class: 'routine' })],
  [
    'lifting the pause of healing called routine',
    'order_class_too_low',
    () => signed({ kind: 'set_healing', class: 'routine', params: { action: 'enable' } }),
  ],
  [
    'an unknown action of set_healing called routine',
    'order_class_too_low',
    () => signed({ kind: 'set_healing', class: 'routine', params: { action: 'PAUSE' } }),
  ],
  [
    'giving an incident back to healing called routine',
    'order_class_too_low',
    () => signed({ kind: 'set_healing', class: 'routine', params: { action: 'rearm', incident: uuidOf(1) } }),
  ],
  [
    'closing a breaker called routine',
    'order_class_too_low',
    () => signed({ kind: 'set_healing', class: 'routine', params: { action: 'close_breaker', runbook: RUNBOOK.id } }),
  ],
  [
    'set_healing without an action called routine',
    'order_class_too_low',
    () => signed({ kind: 'set_healing', class: 'routine' }),
  ],
  ['a disruptive runbook called routine', 'order_class_too_low', () => runbook({ runbook: DISRUPTIVE_RUNBOOK })],
  [
    'a window override called routine',
    'order_class_too_low',
    () => runbook({ window: { mode: 'override', reason: 'now' } }),
  ],
  [
    'a dry run of a disruptive runbook called routine',
    'order_class_too_low',
    () => runbook({ runbook: DISRUPTIVE_RUNBOOK, dry_run: true }),
  ],
  ['a read kind called routine', 'order_class_too_high', () => signed({ class: 'routine' })],
  ['a read kind called disruptive', 'order_class_too_high', () => signed({ class: 'disruptive' })],
  // content
  ['run_runbook without a runbook', 'order_runbook_missing', () => signed({ kind: 'run_runbook', class: 'routine' })],
  [
    'a runbook whose digest is not listed',
    'order_runbook_not_listed',
    () => runbook({ runbook: { ...RUNBOOK, sha256: 'ff'.repeat(32) } }),
  ],
  [
    'a listed digest under another runbook id',
    'order_runbook_not_listed',
    () => runbook({ runbook: { ...RUNBOOK, id: 'RB-WIN-LOGGING-001' } }),
  ],
  [
    'a listed digest under another version',
    'order_runbook_not_listed',
    () => runbook({ runbook: { ...RUNBOOK, version: 2 } }),
  ],
  [
    'the digest of a baseline as a runbook',
    'order_runbook_not_listed',
    () => runbook({ runbook: { id: 'site', version: 1, sha256: 'b1'.repeat(32) } }),
  ],
  ['a runbook before the first content list', 'order_runbook_not_listed', () => runbook({}, { content: null })],
  [
    'a listed runbook on a kind that runs none',
    'order_runbook_unexpected',
    () => signed({ kind: 'restart_agent', class: 'routine', runbook: RUNBOOK }),
  ],
  [
    'a routine runbook more than 30 days after the content list expired',
    'order_content_expired',
    () => runbook({}, { content: trust.contentList({ expires_at: NOW - 30 * 86_400 }) }),
  ],
  [
    'a disruptive order as soon as the content list is expired',
    'order_content_expired',
    () => disruptive({}, { content: trust.contentList({ expires_at: NIGHT }) }),
  ],
  // params
  ['params that the kind does not have', 'order_params_invalid', () => signed({ params: { shell: 'id' } })],
  ['a check that stands twice', 'order_params_invalid', () => signed({ params: { checks: ['disk', 'disk'] } })],
  ['an empty list of checks', 'order_params_invalid', () => signed({ params: { checks: [] } })],
  [
    'a diagnostic item that is not in the closed list',
    'order_params_invalid',
    () => signed({ kind: 'collect_diagnostics', params: { items: ['/etc/shadow'] } }),
  ],
  ['collect_diagnostics without items', 'order_params_invalid', () => signed({ kind: 'collect_diagnostics' })],
  [
    'restart_agent with params',
    'order_params_invalid',
    () => signed({ kind: 'restart_agent', class: 'routine', params: { unit: 'sshd' } }),
  ],
  [
    'a pause of a negative length',
    'order_params_invalid',
    () => signed({ kind: 'set_healing', class: 'routine', params: { action: 'pause', minutes: -5 } }),
  ],
  [
    'a pause of more than a week',
    'order_params_invalid',
    () => signed({ kind: 'set_healing', class: 'routine', params: { action: 'pause', minutes: 10_081 } }),
  ],
  [
    'an incident given back without its id',
    'order_params_invalid',
    () => signed({ kind: 'set_healing', class: 'disruptive', params: { action: 'rearm', incident: 'all' } }),
  ],
  [
    'targets on a kind that acts on the appliance',
    'order_targets_invalid',
    () => signed({ kind: 'restart_agent', class: 'routine', targets: [{ id: 'dc-1' }] }),
  ],
  ['the same target twice', 'order_targets_invalid', () => runbook({ targets: [pinned('dc-1'), { id: 'dc-1' }] })],
  [
    'a dry run of a kind that has none',
    'order_dry_run_unsupported',
    () => signed({ kind: 'restart_agent', class: 'routine', dry_run: true }),
  ],
  // authorisation
  [
    'an authorisation on an order that needs none',
    'order_authorisation_unexpected',
    () => signed({ authorisation: trust.embed('authorisation', trust.authorisation({ kind: 'run_check' })) }),
  ],
  [
    'a reboot without an authorisation',
    'order_authorisation_missing',
    () => signed({ kind: 'reboot', class: 'disruptive' }),
  ],
  [
    'lifting the pause of healing without an authorisation',
    'order_authorisation_missing',
    () => signed({ kind: 'set_healing', class: 'disruptive', params: { action: 'enable' } }),
  ],
  [
    'giving an incident back to healing without an authorisation',
    'order_authorisation_missing',
    () => signed({ kind: 'set_healing', class: 'disruptive', params: { action: 'rearm', incident: uuidOf(1) } }),
  ],
  [
    'closing one breaker with the authorisation of another',
    'order_authorisation_mismatch',
    () =>
      disruptive({
        order: { kind: 'set_healing', params: { action: 'close_breaker', runbook: RUNBOOK.id } },
        authorisation: { params: { action: 'close_breaker', runbook: DISRUPTIVE_RUNBOOK.id } },
      }),
  ],
  [
    'a window override without an authorisation',
    'order_authorisation_missing',
    () => runbook({ class: 'disruptive', window: { mode: 'override', reason: 'now' } }),
  ],
  [
    'a site policy embedded as authorisation',
    'order_authorisation_invalid',
    () => signed({ kind: 'reboot', class: 'disruptive', authorisation: trust.embed('sitePolicy', trust.policy()) }),
  ],
  [
    'an authorisation with an unknown field',
    'order_authorisation_invalid',
    () => {
      const line = trust.signUnchecked('authorisation', { ...trust.authorisation(), also: 'update_system' });
      return signed({ kind: 'reboot', class: 'disruptive', authorisation: JSON.parse(line) as never });
    },
  ],
  [
    'an authorisation by one person alone',
    'order_authorisation_signatures',
    () => disruptive({ signers: [keys['operator:alice']!] }),
  ],
  [
    'an authorisation by the order key',
    'order_authorisation_signatures',
    () => disruptive({ signers: [keys['order']!] }),
  ],
  [
    'an authorisation by content keys',
    'order_authorisation_signatures',
    () => disruptive({ signers: [keys['content:alice']!, keys['content:bob']!] }),
  ],
  [
    'an authorisation where one of two operators is revoked',
    'order_authorisation_signatures',
    () => disruptive({}, { revokedKeyids: new Set([keys['operator:bob']!.keyid]) }),
  ],
  [
    'an authorisation by operators of another site',
    'order_authorisation_signatures',
    () => disruptive({}, { root: limitedOperators }),
  ],
  [
    'an authorisation for another partner',
    'order_authorisation_mismatch',
    () => disruptive({ authorisation: { partner_id: 'southern-it' } }),
  ],
  [
    'an authorisation for another site',
    'order_authorisation_mismatch',
    () => disruptive({ authorisation: { site_id: 'side-street' } }),
  ],
  [
    'an authorisation for another appliance',
    'order_authorisation_mismatch',
    () => disruptive({ authorisation: { appliance_id: 'main-street-2' } }),
  ],
  [
    'an authorisation for another kind',
    'order_authorisation_mismatch',
    () => disruptive({ authorisation: { kind: 'update_system' } }),
  ],
  [
    'an authorisation for another runbook',
    'order_authorisation_mismatch',
    () => disruptive({ order: PATCH_ORDER, authorisation: { runbook: RUNBOOK } }),
  ],
  [
    'an authorisation for other params',
    'order_authorisation_mismatch',
    () => disruptive({ order: { ...PATCH_ORDER, params: { reboot: true } }, authorisation: { params: {} } }),
  ],
  [
    'an authorisation for another target',
    'order_authorisation_mismatch',
    () => disruptive({ order: PATCH_ORDER, authorisation: { targets: [pinned('dc-2')] } }),
  ],
  [
    'an authorisation of one target for an order on two',
    'order_authorisation_mismatch',
    () =>
      disruptive({
        order: { ...PATCH_ORDER, targets: [pinned('dc-1'), pinned('dc-2')] },
        authorisation: { targets: [pinned('dc-1')] },
      }),
  ],
  [
    'an authorisation of the same target under another identity',
    'order_authorisation_mismatch',
    () =>
      disruptive({
        order: PATCH_ORDER,
        authorisation: { targets: [{ id: 'dc-1', pinned_identity: 'S-1-5-21-9-9-9' }] },
      }),
  ],
  [
    'an authorisation for the window where the order overrides it',
    'order_authorisation_mismatch',
    () =>
      disruptive({
        order: { window: { mode: 'override', reason: 'now' } },
        authorisation: { window: { mode: 'require' } },
      }),
  ],
  [
    'an authorisation of a target without its identity',
    'order_authorisation_unpinned',
    () => disruptive({ order: { ...PATCH_ORDER, targets: [{ id: 'dc-1' }] } }),
  ],
  [
    'an authorisation for 7 days and a second',
    'order_authorisation_lifetime',
    () => disruptive({ authorisation: { issued_at: NOW, not_after: NOW + 7 * 86_400 + 1 } }),
  ],
  [
    'an authorisation that ends before it begins',
    'order_authorisation_lifetime',
    () => disruptive({ authorisation: { issued_at: NOW, not_after: NOW } }),
  ],
  [
    'an authorisation past its date',
    'order_authorisation_expired',
    () => disruptive({ authorisation: { not_after: NIGHT } }),
  ],
  [
    'an authorisation that another order used',
    'order_authorisation_used',
    () => disruptive({}, { usedAuthorisations: new Set([uuidOf(0xa1)]) }),
  ],
  // healing switch and window
  ['a runbook while healing is paused', 'order_healing_paused', () => runbook({}, { healingPaused: true })],
  ['a reboot while healing is paused', 'order_healing_paused', () => disruptive({}, { healingPaused: true })],
  [
    'an override that site policy does not allow',
    'order_override_not_allowed',
    () => disruptive({ order: { window: { mode: 'override', reason: 'now' } } }),
  ],
  [
    'an override before the first site policy',
    'order_override_not_allowed',
    () =>
      disruptive(
        { order: { window: { mode: 'override', reason: 'now' } } },
        { policy: null, localWindow: { timeZone: 'UTC', windows: trust.policy().windows } },
      ),
  ],
];
