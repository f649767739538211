import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDocument } from '../../../agent/trust/open-document.ts';
import { buildAnswer } from '../../../central/service/build-answer.ts';
import { signOwn } from '../../../central/service/sign-own.ts';
import { issueOrder } from '../../../central/service/issue-order.ts';
import { expectCode } from '../../support/expect-code.ts';
import { bindDevice, makeInProcessCentral, type InProcessCentral } from '../../support/central-in-process.ts';

let central: InProcessCentral;
beforeEach(async () => {
  central = await makeInProcessCentral();
  await bindDevice(central, 'north-1');
  await bindDevice(central, 'north-2');
});
afterEach(() => central.remove());

const issue = (applianceId = 'north-1', more = {}) =>
  issueOrder(central, { applianceId, kind: 'run_check', issuedBy: 'test', ...more });
const answer = (applianceId: string) => {
  const binding = central.store.appliances.binding(applianceId)!;
  return buildAnswer(central, binding, '0'.repeat(64));
};

describe('issuing orders', () => {
  it('signs with the order key what the audit table keeps', () => {
    const { line, digest, order } = issue('north-1', { ticket: 'T-1', dryRun: true });
    const opened = openDocument(central.trust.root().root, 'order', 'order', line);
    expect(opened.value).toEqual(order);
    expect(opened.digest).toBe(digest);
    expect(order).toMatchObject({ partner_id: 'acme', site_id: 'north', ticket: 'T-1', dry_run: true, seq: 1 });
    expect(central.store.orders.list(10)).toMatchObject([{ digest, line, issued_by: 'test', class: 'read' }]);
  });

  it('numbers orders per appliance without gaps and delivers each only to its own appliance', () => {
    expect([issue(), issue(), issue('north-2')].map(({ order }) => order.seq)).toEqual([1, 2, 1]);
    expect(answer('north-1').orders).toHaveLength(2);
    expect(answer('north-2').orders).toHaveLength(1);
  });

  it('delivers an order until it expires', () => {
    issue('north-1', { lifeS: 60 });
    central.advance(59);
    expect(answer('north-1').orders).toHaveLength(1);
    central.advance(1);
    expect(answer('north-1').orders).toHaveLength(0);
    expect(issue().order.seq).toBe(2);
  });

  it('goes on delivering an order that was deferred, and stops after a refusal', () => {
    const report = (digest: string, state: 'result' | 'refused', outcome: 'deferred' | 'rejected') =>
      central.store.orders.addReport(
        'north-1',
        { order_id: null, payload_sha256: digest, state, outcome, evidence_seq: 0, at: central.now() },
        central.now(),
      );
    const { digest } = issue();
    report(digest, 'result', 'deferred');
    expect(answer('north-1').orders).toHaveLength(1);
    report(digest, 'refused', 'rejected');
    expect(answer('north-1').orders).toHaveLength(0);
  });

  it("is not stopped by another appliance's report about the same payload", () => {
    const { digest } = issue();
    central.store.orders.addReport(
      'north-2',
      { order_id: null, payload_sha256: digest, state: 'refused', evidence_seq: 0, at: central.now() },
      central.now(),
    );
    expect(answer('north-1').orders).toHaveLength(1);
  });

  it('issues no more than an answer can carry', () => {
    for (let i = 0; i < 64; i++) issue();
    expectCode(() => issue(), 'order_backlog_full');
    expect(answer('north-1').orders).toHaveLength(64);
    issue('north-2');
    central.advance(900);
    expect(issue().order.seq).toBe(65);
  });

  it('stops issuing before large orders would not fit into one answer', () => {
    const params = Object.fromEntries(Array.from({ length: 4 }, (_, i) => [`note_${i}`, 'x'.repeat(8_000)]));
    let issued = 0;
    const error = expectCode(() => {
      for (; issued < 64; issued++) issue('north-1', { params });
    }, 'order_backlog_full');
    expect(error.details).toEqual({});
    expect(issued).toBeGreaterThan(20);
    const binding = central.store.appliances.binding('north-1')!;
    expect(() =>
      signOwn('checkinAnswer', buildAnswer(central, binding, '0'.repeat(64)), central.keys.timestamp),
    ).not.toThrow();
  });

  it('signs nothing for an unknown appliance, a longer life than 15 minutes or a disruptive kind', () => {
    expectCode(() => issue('ghost'), 'appliance_unknown');
    for (const lifeS of [0, -1, 901, 1.5]) expectCode(() => issue('north-1', { lifeS }), 'usage');
    for (const kind of ['reboot', 'update_system', 'rotate_device_key', 'new_epoch']) {
      expectCode(() => issue('north-1', { kind }), 'order_needs_authorisation');
    }
    const runbook = { id: 'RB', version: 1, sha256: 'a'.repeat(64) };
    expectCode(() => issue('north-1', { kind: 'run_runbook', runbook }), 'order_needs_authorisation');
    expectCode(() => issue('north-1', { expectedClass: 'routine' }), 'order_class_differs');
    expect(central.store.orders.list(10)).toEqual([]);
  });
});
