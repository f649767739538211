import { createServer } from 'node:net';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { listeningSockets } from '../../tools/demo/listening-sockets.ts';
import { APPLIANCE } from '../../tools/demo/site.ts';
import { until } from '../../tools/demo/process.ts';
import { demoSite } from '../support/demo-site.ts';

interface OrderRow {
  readonly order_id: string;
  readonly state: string;
  readonly outcome: string | null;
  readonly code: string | null;
}

describe('the life of the daemon, as real processes', () => {
  const site = demoSite();
  const orderEnd = (orderId: string): Promise<OrderRow> =>
    until(
      `order ${orderId} ends`,
      async () => {
        const { output } = await site.cli('orders', '--json');
        const { orders } = JSON.parse(output) as { orders: OrderRow[] };
        return orders.find((row) => row.order_id === orderId && row.state === 'result') ?? null;
      },
      30_000,
    );

  it('enrols after an operator confirmed, and not before', async () => {
    await site.provision();
    site.startAgent();
    const waiting = await site.untilStatus('waits', (s) => s.state === 'pending');
    expect(waiting.blocking_reason?.code).toBe('enrolment_pending');
    expect(waiting.log).toBeNull();
    await site.confirm();
    expect(site.status()?.blocking_reason).toBeNull();
  });

  it('the one-time token is overwritten on the stick once the appliance is enrolled', () => {
    const text = readFileSync(`${site.paths.provision}/clinic.yaml`, 'utf8');
    expect(text).not.toMatch(/token: ["']?[A-Za-z0-9+/]{43}=/);
  });

  it('the daemon holds no socket that listens, and no UDP socket at rest', () => {
    expect(listeningSockets(site.agentProcess()?.pid ?? -1)).toEqual([]);
  });

  it('carries out an order of each kind that it supports, and Central Command hears of the results', async () => {
    const kinds = [
      ['run_check', { checks: ['disk', 'self'] }],
      [
        'collect_diagnostics',
        { items: ['status', 'versions', 'trust', 'queue', 'clock', 'disk', 'findings', 'orders'] },
      ],
      ['set_healing', { action: 'pause', minutes: 5 }],
    ] as const;
    for (const [kind, params] of kinds) {
      const { order_id } = await site.issue(kind, params);
      expect(await orderEnd(order_id)).toMatchObject({ state: 'result', outcome: 'success' });
    }
    await until(
      'central command has three results',
      async () => {
        const { orders } = (await site.central('order', 'list')) as { orders: { state: string; outcome: string }[] };
        return orders.filter((o) => o.state === 'result' && o.outcome === 'success').length === 3 || null;
      },
      20_000,
    );
  });

  it('an order for a check that does not exist fails, says so, and runs nothing', async () => {
    const { order_id } = await site.issue('run_check', { checks: ['disk', 'no_such_check'] });
    expect(await orderEnd(order_id)).toMatchObject({ outcome: 'failed', code: 'check_unknown' });
  });

  it('a restart that was ordered ends the process with 0, and the next start reports it as done', async () => {
    const before = site.agentProcess();
    const { order_id } = await site.issue('restart_agent');
    expect(await before?.ended).toBe(0);
    site.startAgent();
    expect(await orderEnd(order_id)).toMatchObject({ outcome: 'success' });
  });

  it('SIGTERM ends it with 0 within ten seconds although Central Command accepts connections and never answers', async () => {
    const { port } = new URL(site.url());
    await site.endCentral('SIGKILL');
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket.on('error', () => undefined)));
    silent.listen(Number(port), '127.0.0.1');
    await once(silent, 'listening');
    await until('the agent is connected to the silent server', () => (sockets.length > 0 ? true : null), 20_000);
    // After ten seconds it would be SIGKILL, and the end not 0.
    expect(await site.endAgent('SIGTERM', 10_000)).toBe(0);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
    await site.startCentral();
    site.startAgent();
    await site.untilStatus('it works again', (s) => s.last_answer_at !== null && s.blocking_reason === null);
  });

  it('what the log holds in the end verifies on both sides, and is the same', async () => {
    await site.untilStatus('all is stored', (s) => s.stored_size !== null && s.stored_size === s.log?.size);
    await site.endAgent('SIGTERM');
    const local = await site.cli('evidence', 'verify', '--root-sha256', site.rootDigest(), '--json');
    expect(local.code).toBe(0);
    const stored = (await site.central('evidence', 'verify')) as {
      logs: { ok: boolean; size: number; origin: string }[];
    };
    expect(stored.logs).toHaveLength(1);
    expect(stored.logs[0]).toMatchObject({ ok: true });
    expect(stored.logs[0]?.origin).toContain(APPLIANCE);
    expect((JSON.parse(local.output) as { size: number }).size).toBeGreaterThanOrEqual(
      stored.logs[0]?.size ?? Infinity,
    );
  });
});
