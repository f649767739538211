// What a compromised daemon may ask of the helpers that heal, and what comes of it: everything between the files that it left and the
// act. Each case changes one thing in what the first tests show accepted.
import { describe, expect, it } from 'vitest';
import { isAgentError } from '../../../agent/errors/agent-error.ts';
import { encodeHealRequest, parseHealRequest, type HealRequest } from '../../../agent/helpers/heal-request.ts';
import { judgeAct } from '../../../agent/helpers/judge-act.ts';
import { OPEN_WINDOW, type Asked, type HealAttack } from '../../attacks/heal-asked.ts';
import { GRANT_ATTACKS } from '../../attacks/heal-attacks.ts';
import { ORDERED_ATTACKS } from '../../attacks/heal-order-attacks.ts';
import { expectCode } from '../../support/expect-code.ts';
import { healSite } from '../../support/heal-fixtures.ts';
import { uuidOf } from '../../support/trust-fixtures.ts';

const site = healSite();
const { av, logging, firewall, backup, restore } = site.runbooks;
const restart = { verb: 'restart-unit', what: 'av_edr' } as const;
const asked: Asked = { act: site.request(av, restart), files: site.files(av), context: site.context };
const disruptive = {
  ...site.context,
  lines: { ...site.lines, content: site.content({}, 'disruptive', []), policy: site.policy(OPEN_WINDOW) },
};

/** The request as it is read from the file, and what is judged of it: a code, or the ledger of an act. */
function judge({ act, files, context }: Asked): { readonly code: string } | ReturnType<typeof judgeAct> {
  try {
    const read = parseHealRequest(encodeHealRequest(act), act.verb);
    const verdict = judgeAct(read as typeof act, files, context);
    return verdict.stop === null ? verdict : { code: verdict.stop.code };
  } catch (error) {
    if (isAgentError(error) && error.code !== 'internal') return { code: error.code };
    throw error;
  }
}
/** Whole names: what stands in an object is cut short. */
const named = (attacks: readonly HealAttack[]) => attacks.map((one) => [one.what, one.code, one] as const);
const ledgerOf = (one: Asked) => {
  const verdict = judge(one);
  if ('code' in verdict) throw new Error(verdict.code);
  return verdict.ledger;
};

describe('a helper acts', () => {
  it.each([
    ['restart-unit for the service against malware', av, restart],
    ['restart-unit for the log forwarder', logging, { verb: 'restart-unit', what: 'log_forwarder' }],
    ['restore-firewall', firewall, { verb: 'restore-firewall', step: 'restore' }],
    ['run-backup', backup, { verb: 'run-backup' }],
    ['restore-test', restore, { verb: 'restore-test' }],
  ] as const)('by a standing grant for the rule: %s', (_name, runbook, what) => {
    const verdict = judge({ ...asked, act: site.request(runbook, what), files: site.files(runbook) });
    expect(verdict).toMatchObject({ stop: null, ledger: { runs: [{ runbook: runbook.ref.id, at: site.now }] } });
  });

  it('by a routine order for the appliance, which is the floor from then on', () => {
    const act = site.request(av, restart, site.byOrder(site.order(av)));
    const ledger = ledgerOf({ ...asked, act });
    expect(ledger.orders).toEqual({ epoch: 1, began: site.now - 3_600, floor: 7 });
    expect(judge({ ...asked, act, context: { ...site.context, ledger } })).toEqual({ code: 'order_replayed' });
    const next = site.request(av, restart, site.byOrder(site.order(av, { seq: 200_000 })));
    expect(ledgerOf({ ...asked, act: next, context: { ...site.context, ledger } }).orders?.floor).toBe(200_000);
  });

  it('by a disruptive order that two operators authorised, once', () => {
    const act = site.request(av, restart, site.byOrder(site.disruptiveOrder(av)));
    const ledger = ledgerOf({ ...asked, act, context: disruptive });
    expect(ledger.used).toMatchObject([{ id: uuidOf(0xa1), at: site.now }]);
    const again = site.request(av, restart, site.byOrder(site.disruptiveOrder(av, { order: { seq: 8 } })));
    expect(judge({ ...asked, act: again, context: { ...disruptive, ledger } })).toEqual({
      code: 'order_authorisation_used',
    });
  });

  it('by a grant that names disruptive, inside the window', () => {
    const content = site.content({}, 'disruptive', [site.grant(av, { class: 'disruptive' })]);
    const context = { ...disruptive, lines: { ...disruptive.lines, content } };
    expect(judge({ ...asked, context })).toMatchObject({ stop: null });
  });

  it('as often as the grant says in 24 hours, and again after them', () => {
    const content = site.content({}, 'routine', [site.grant(av, { limits: { per_day: 1 } })]);
    const context = { ...site.context, lines: { ...site.lines, content } };
    const ledger = ledgerOf({ ...asked, context });
    expect(judge({ ...asked, context: { ...context, ledger } })).toEqual({ code: 'helper_not_now' });
    const later = {
      ...context.clock,
      bootMs: context.clock.bootMs + 86_400_000,
      wallMs: context.clock.wallMs + 86_400_000,
    };
    expect(judge({ ...asked, context: { ...context, ledger, clock: later } })).toMatchObject({ stop: null });
  });

  it('with a floor of its own in each epoch', () => {
    const ledger = { ...site.context.ledger, orders: { epoch: 1, began: 1, floor: 9_000 } };
    const binding = site.binding({ epoch: 2, origin: `${site.trust.root.root.log_domain}/main-street-1/2` });
    const act = site.request(av, restart, site.byOrder(site.order(av, { epoch: 2, seq: 1 })));
    const context = { ...site.context, ledger, lines: { ...site.lines, binding } };
    expect(ledgerOf({ ...asked, act, context }).orders).toEqual({ epoch: 2, began: site.now - 3_600, floor: 1 });
  });
});

describe('a helper that heals refuses', () => {
  it.each(named(GRANT_ATTACKS))('%s: %s', (_what, code, { ask }) => {
    expect(judge({ ...asked, ...ask(site, asked) })).toEqual({ code });
  });

  it.each(named(ORDERED_ATTACKS))('%s: %s', (_what, code, { ask }) => {
    expect(judge({ ...asked, ...ask(site, asked) })).toEqual({ code });
  });

  it('and remembers an authorisation of one person alone, whose delay counts from when the helper first saw it', () => {
    const { root } = site.trust.root;
    const alone = { ...site.firstRoot, single_approver: { delay_s: 3_600 } };
    alone.roles = { ...root.roles, operator: { ...root.roles.operator, threshold: 1 } };
    const lines = { ...disruptive.lines, root: site.signRoot(alone, 'alice', 'bob') };
    const context = { ...disruptive, lines };
    const act = site.request(av, restart, site.byOrder(site.disruptiveOrder(av, { people: ['alice'] })));
    const first = judgeAct(act, asked.files, context);
    expect(first.stop?.code).toBe('order_authorisation_delay');
    const later = {
      ...context.clock,
      bootMs: context.clock.bootMs + 3_600_000,
      wallMs: context.clock.wallMs + 3_600_000,
    };
    const times = { issued_at: site.now + 3_600, not_before: site.now + 3_600, expires_at: site.now + 4_000 };
    const again = site.request(
      av,
      restart,
      site.byOrder(site.disruptiveOrder(av, { people: ['alice'], order: { ...times, seq: 8 } })),
    );
    // Somebody who never saw it waits from now on.
    const windows = site.policy({ windows: [{ days: ['mon'], start: '11:00', end: '15:00' }] });
    const open = { ...context, clock: later, lines: { ...lines, policy: windows } };
    expect(judgeAct(again, asked.files, open).stop?.code).toBe('order_authorisation_delay');
    expect(judgeAct(again, asked.files, { ...open, ledger: first.ledger }).stop).toBeNull();
  });
});

describe('a request', () => {
  const good: HealRequest = site.request(av, restart);
  const asText = (value: object): Buffer => Buffer.from(JSON.stringify(value));

  it('comes back as it was written', () => {
    expect(parseHealRequest(encodeHealRequest(good), 'restart-unit')).toEqual(good);
    const confirm: HealRequest = {
      schema: 'compliance-agent/heal-request/v1',
      request_id: uuidOf(2),
      verb: 'restore-firewall',
      run: 'ab'.repeat(16),
      step: 'confirm',
    };
    expect(parseHealRequest(encodeHealRequest(confirm), 'restore-firewall')).toEqual(confirm);
  });

  it.each([
    ['that names a unit', { ...good, unit: 'ssh.service' }],
    ['that names a unit in the place of a word', { ...good, what: 'ssh.service' }],
    ['with a path', { ...good, binary: '/tmp/x' }],
    ['without grounds', { ...good, grounds: undefined }],
    ['with grounds of another kind', { ...good, grounds: { kind: 'trust me' } }],
    ['with a ruleset of its own', { ...good, verb: 'restore-firewall', step: 'restore', ruleset: 'flush ruleset' }],
    ['of another schema', { ...good, schema: 'compliance-agent/heal-request/v2' }],
    ['that restores without grounds', { ...good, verb: 'restore-firewall', step: 'restore', grounds: undefined }],
  ])('%s is refused', (_name, value) => {
    expectCode(() => parseHealRequest(asText(value), 'restart-unit'), 'helper_request_invalid');
  });

  it('for another helper is refused, and so is JSON that is not strict', () => {
    expectCode(() => parseHealRequest(encodeHealRequest(good), 'run-backup'), 'helper_request_invalid');
    expectCode(() => parseHealRequest(Buffer.from(`${JSON.stringify(good)}\n`), 'restart-unit'), 'json_not_strict');
    const twice = JSON.stringify(good).replace('{', '{"what":"log_forwarder",');
    expectCode(() => parseHealRequest(Buffer.from(twice), 'restart-unit'), 'json_not_strict');
  });
});
