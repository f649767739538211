// A real daemon at a real Central Command: back after a month off, with a revoked order key, and revoked itself.
import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../agent/store/open-store.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { APPLIANCE } from '../../tools/demo/site.ts';
import { until } from '../../tools/demo/process.ts';
import { demoSite } from '../support/demo-site.ts';
import { heldCertificate, lapseCertificate } from '../support/lapse-certificate.ts';

const DAYS_OFF = 40;
const DEADLINE_MS = 60_000;

interface ListedOrder {
  readonly digest: string;
  readonly reports: readonly { readonly state: string; readonly code: string }[];
}
interface ListedKey {
  readonly keyid: string;
  readonly roles: readonly string[];
  readonly revoked_at: number | null;
}

describe('a daemon and its certificate', () => {
  const site = demoSite();
  const keys = () => ['--keys', site.paths.keys];
  const openBoxStore = () => openStore({ dir: site.paths.state, clock: systemClock });
  const answered = (after: number) =>
    site.untilStatus('it was answered', (s) => (s.last_answer_at ?? 0) >= after && s.blocking_reason === null);

  beforeAll(async () => {
    await site.provision();
    site.startAgent();
    await site.confirm();
    await site.endAgent('SIGTERM');
  }, 120_000);

  it(
    'that was off for 40 days comes back by itself',
    async () => {
      const lapsed = await lapseCertificate(site, DAYS_OFF);
      const startedAt = Math.floor(Date.now() / 1_000);
      site.startAgent();
      await answered(startedAt);
      await site.endAgent('SIGTERM');
      const held = heldCertificate(site);
      expect(held).not.toBe(lapsed);
      expect(new X509Certificate(held).validToDate.getTime()).toBeGreaterThan(Date.now());
    },
    DEADLINE_MS,
  );

  it(
    'refuses an order that a key signed which has been revoked since, and writes that down',
    async () => {
      const { digest } = await site.issue('run_check', { checks: ['disk'] });
      const { keys: listed } = (await site.central('revoke', 'list')) as { keys: ListedKey[] };
      const orderKey = listed.find((key) => key.roles.includes('order'))!;
      await site.central('revoke', 'key', orderKey.keyid.slice(0, 12), '--reason', 'server was broken into', ...keys());
      const again = await site.central('revoke', 'key', orderKey.keyid, '--reason', 'once more', ...keys());
      expect(again).toMatchObject({ version: 1, published: false, roles_left_short: ['order'] });
      site.startAgent();
      const reports = await until(
        'the order was refused',
        async () => {
          const { orders } = (await site.central('order', 'list')) as { orders: ListedOrder[] };
          const found = orders.find((order) => order.digest === digest)?.reports ?? [];
          return found.length === 0 ? null : found;
        },
        DEADLINE_MS,
        () => site.agentProcess()?.output() ?? '',
      );
      expect(reports).toMatchObject([{ state: 'refused', code: 'order_key_revoked' }]);
      await expect(site.issue('run_check', { checks: ['disk'] })).rejects.toThrow('order_key_revoked');
      await site.endAgent('SIGTERM');
      const store = openBoxStore();
      expect(store.trust.document('revocations')).toMatchObject({ version: 1 });
      expect(store.entries.list(1, { kind: 'trust', limit: 10 })).toHaveLength(1);
      store.close();
    },
    DEADLINE_MS,
  );

  it(
    'that is revoked says why, goes on observing, and Central Command keeps its evidence',
    async () => {
      await site.central('appliance', 'revoke', APPLIANCE, '--reason', 'clinic closed', ...keys());
      site.startAgent();
      const status = await site.untilStatus(
        'it says that it is revoked',
        (s) => s.blocking_reason?.code === 'appliance_revoked' && s.findings.length > 0,
      );
      expect(status.blocking_reason?.sentence).toBe('Central Command has revoked this appliance: clinic closed.');
      const { logs } = (await site.central('evidence', 'verify')) as { logs: { ok: boolean; size: number }[] };
      expect(logs).toMatchObject([{ ok: true }]);
      expect(logs[0]!.size).toBeGreaterThan(0);
      await site.endAgent('SIGTERM');
    },
    DEADLINE_MS,
  );
});
