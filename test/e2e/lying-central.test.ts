// Central Command in the hands of somebody who has all of its online keys, against a real daemon.
import { afterEach, describe, expect, it } from 'vitest';
import { MAX_REFUSALS_PER_HOUR } from '../../agent/orders/receive-orders.ts';
import type { PredicateOf } from '../../agent/wire/schemas/entry.ts';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { badOrders } from '../../tools/demo/bad-orders.ts';
import { startLyingCentral, type LyingCentral } from '../../tools/demo/lying-central.ts';
import { until } from '../../tools/demo/process.ts';
import { linesOnDisk } from '../support/crash-runs.ts';
import { demoSite } from '../support/demo-site.ts';

/** An answer holds 64 orders at most; two such batches are more than are recorded in an hour. */
const BATCH = 60;

describe('whoever holds every online key of Central Command', () => {
  const site = demoSite();
  let liar: LyingCentral | null = null;
  afterEach(async () => {
    await liar?.close();
    liar = null;
  });

  const orders = (): PredicateOf<'order'>[] =>
    linesOnDisk(site).flatMap((line) => {
      const { predicate } = statementOf(line);
      return predicate.kind === 'order' ? [predicate] : [];
    });
  const refusedCodes = (): (string | undefined)[] => orders().flatMap((o) => (o.state === 'refused' ? [o.code] : []));
  const alerts = (code: string): string[] =>
    linesOnDisk(site).flatMap((line) => {
      const { predicate } = statementOf(line);
      return predicate.kind === 'alert' && predicate.code === code ? [predicate.state] : [];
    });
  async function lie(): Promise<LyingCentral> {
    const { hostname, port } = new URL(site.url());
    await site.endCentral('SIGTERM');
    liar = await startLyingCentral(site.paths.data, hostname, Number(port));
    return liar;
  }

  it('cannot have six bad orders carried out: each is refused once, with its own code', async () => {
    await site.provision();
    site.startAgent();
    await site.confirm();
    const good = await site.issue('run_check', { checks: ['disk'] });
    await until('the good order is done', () => orders().some((o) => o.state === 'result') || null, 30_000);
    const { central, slipIn } = await lie();
    const bad = badOrders(good.line, central.keys.order, central.now());
    slipIn(bad.map((order) => order.envelope));
    await until('all are refused', () => refusedCodes().length >= bad.length || null, 30_000);
    const answers = site.status()?.last_answer_at ?? 0;
    await site.untilStatus('two more answers came', (s) => (s.last_answer_at ?? 0) > answers + 1);
    expect(refusedCodes().toSorted()).toEqual(bad.map((order) => order.code).toSorted());
    expect(orders().filter((o) => o.state === 'started')).toHaveLength(1);
  });

  it('cannot fill the log with forgeries: beyond a number an hour there is one alert', async () => {
    const { slipIn } = await lie();
    const forgeries = (from: number) => Array.from({ length: BATCH }, (_, n) => ({ forged: from + n }));
    const before = refusedCodes().length;
    slipIn(forgeries(0));
    await until('the first are refused', () => refusedCodes().length === before + BATCH || null, 30_000);
    slipIn(forgeries(BATCH));
    await until('an alert says so', () => alerts('order_refusals_unrecorded').at(-1) === 'raised' || null, 30_000);
    const { last_answer_at: at } = await site.untilStatus('an answer came', (s) => s.last_answer_at !== null);
    await site.untilStatus('two more answers came', (s) => (s.last_answer_at ?? 0) > (at ?? 0) + 1);
    expect(refusedCodes()).toHaveLength(MAX_REFUSALS_PER_HOUR);
    expect(alerts('order_refusals_unrecorded')).toEqual(['raised']);
  });

  it('cannot set the time back unseen: an alert says so', async () => {
    const { central } = await lie();
    const wall = central.now;
    const before = site.status()?.last_answer_at ?? 0;
    await site.untilStatus('answers come', (s) => (s.last_answer_at ?? 0) > before + 1);
    Object.assign(central, { now: () => wall() - 200 });
    await until('an alert says so', () => alerts('signed_time_went_back').includes('raised') || null, 30_000);
    await until('the alert is cleared', () => alerts('signed_time_went_back').at(-1) === 'cleared' || null, 30_000);
  });
});
