// Alerts and tickets of certificates that end, over a real store and log; the contact is made up here, and real in test/e2e.
import { describe, expect, it } from 'vitest';
import type { DaemonContext } from '../../../agent/daemon/context.ts';
import { evidenceStage } from '../../../agent/daemon/stages/evidence-stage.ts';
import { ticketsStage } from '../../../agent/daemon/stages/tickets-stage.ts';
import { certificateWarnings, noteTargetCertificate } from '../../../agent/daemon/target-certificates.ts';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import { createRecorder, type Recorder } from '../../../agent/evidence/recorder.ts';
import type { Ticket } from '../../../agent/outputs/ticket.ts';
import { openLog, statementsOf, verdictOn, withDir, type OpenLog } from '../../support/evidence-fixtures.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const DAY = 86_400;
const CODE = 'target_certificate_ends';
const signal = new AbortController().signal;
const CA = { trust: 'ca', pem: 'not read here' } as const;
const PIN = { trust: 'spki', sha256: 'ab'.repeat(32) } as const;

interface Site {
  /** A contact at signed time `at`, with a certificate that ends then. */
  meet(id: string, ends: number, at: number, tls?: typeof CA | typeof PIN): void;
  /** Both stages run at signed time `at`; null: nobody knows the time. */
  runAt(at: number | null): Promise<void>;
  /** A list of targets came. */
  list(ids: readonly string[]): void;
  /** The process ends and another one begins; no list of targets came to it yet. */
  restart(): void;
  alerts(): string[];
  warnings(): string[];
  tickets(): Ticket[];
  readonly open: () => OpenLog;
}

async function withSite(fn: (site: Site) => Promise<void>): Promise<void> {
  await withDir(async (dir) => {
    let open = openLog(dir);
    let recorder: Recorder = createRecorder(open);
    let named: readonly string[] | null = null;
    const contextNow = (): DaemonContext =>
      ({
        ...{ store: open.store, clock: open.clock, log: memoryLog(), trigger: () => undefined },
        config: { state_dir: dir },
        targets: { namedOverTls: () => named },
        state: {
          enrolled: {
            recorder,
            evidence: open.log,
            identity: { applianceId: 'north-1', siteId: 'north' },
            trust: { policy: () => null },
          },
          findings: new Map(),
        },
      }) as unknown as DaemonContext;
    const site: Site = {
      meet: (id, ends, at, tls = CA) =>
        noteTargetCertificate({ store: open.store, log: memoryLog() }, { id, tls }, ends, at),
      async runAt(at) {
        const { store, clock } = open;
        if (at !== null) {
          clock.setWall(at * 1_000);
          store.trust.saveSignedTime({ serverTime: at, bootMs: clock.bootMs(), bootId: clock.bootId() });
        }
        const context = contextNow();
        await evidenceStage(context).run(signal, 'run');
        await ticketsStage(context).run(signal, 'run');
      },
      list: (ids) => void (named = ids),
      restart() {
        open.store.close();
        open = openLog(dir, open.clock);
        recorder = createRecorder(open);
        named = null;
      },
      alerts: () =>
        recorder.alerts().flatMap(({ code, target, severity }) => (code === CODE ? [`${target} ${severity}`] : [])),
      warnings: () => certificateWarnings(open.store, recorder),
      tickets: () => open.store.tickets.all().map((json) => JSON.parse(json) as Ticket),
      open: () => open,
    };
    try {
      await fn(site);
    } finally {
      open.store.close();
    }
  });
}

const entries = (open: OpenLog): unknown[] =>
  statementsOf(open.store).flatMap(({ predicate: p }) =>
    p.kind === 'alert' && p.code === CODE ? [[p.state, p.severity, p.details]] : [],
  );

describe('a target whose certificate ends', () => {
  it('has one alert and one ticket of its own from 30 days on, urgent from 7 days on, also once it has ended', () =>
    withSite(async (site) => {
      const ends = NOW + 40 * DAY;
      site.meet('srv-1', ends, NOW);
      site.meet('srv-2', NOW + 300 * DAY, NOW);
      await site.runAt(NOW);
      expect([site.alerts(), site.warnings(), site.tickets()]).toEqual([[], [], []]);
      const seen: string[][] = [];
      for (const left of [30, 29, 8, 7, 6, 1, -1]) {
        // Contacts go on until the end.
        if (left > 0) site.meet('srv-1', ends, ends - left * DAY);
        site.meet('srv-2', NOW + 300 * DAY, ends - left * DAY);
        await site.runAt(ends - left * DAY);
        seen.push(site.alerts());
      }
      const [low, high] = [['srv-1 low'], ['srv-1 high']];
      expect(seen).toEqual([[], low, low, low, high, high, high]);
      const details = { ends_at: ends, target: 'srv-1' };
      expect(entries(site.open())).toEqual([
        ['raised', 'low', details],
        ['raised', 'high', details],
      ]);
      const day = new Date(ends * 1_000).toISOString().slice(0, 10);
      expect(site.warnings()).toEqual([
        `Target srv-1: the certificate that it shows over TLS ends on ${day}: from then on there is no contact.`,
      ]);
      expect(
        site.tickets().map(({ key, target, severity, state, revision }) => [key, target, severity, state, revision]),
      ).toEqual([[`alert/${CODE}/srv-1`, 'srv-1', 'high', 'open', 2]]);
      expect(site.tickets()[0]?.seen).toContain(day);
      expect(verdictOn(site.open().store).ok).toBe(true);
    }));

  it('is well again once it was met with another one; its ticket closes a day later', () =>
    withSite(async (site) => {
      site.meet('srv-1', NOW + 5 * DAY, NOW);
      await site.runAt(NOW);
      site.meet('srv-1', NOW + 20 * DAY, NOW + 60);
      await site.runAt(NOW + 60);
      expect(site.alerts()).toEqual(['srv-1 low']);
      site.meet('srv-1', NOW + 365 * DAY, NOW + 120);
      await site.runAt(NOW + 120);
      expect([site.alerts(), site.warnings()]).toEqual([[], []]);
      await site.runAt(NOW + 120 + DAY - 1);
      expect(site.tickets()[0]?.state).toBe('settling');
      await site.runAt(NOW + 120 + DAY);
      expect(site.tickets().map(({ state }) => state)).toEqual(['closed']);
      expect(entries(site.open()).at(-1)).toEqual(['cleared', 'low', { target: 'srv-1' }]);
    }));

  it('is still named after a restart, before any list came and with nothing met again', () =>
    withSite(async (site) => {
      site.meet('srv-1', NOW + 10 * DAY, NOW);
      await site.runAt(NOW);
      site.restart();
      await site.runAt(NOW + 11 * DAY);
      expect(site.alerts()).toEqual(['srv-1 high']);
      expect(site.warnings()).toHaveLength(1);
    }));

  it('takes its alert with it when a list comes that does not name it, an empty one too, and leaves those of others', () =>
    withSite(async (site) => {
      for (const id of ['srv-1', 'srv-2', 'srv-3']) site.meet(id, NOW + 10 * DAY, NOW);
      site.list(['srv-1', 'srv-2', 'srv-3']);
      await site.runAt(NOW);
      expect(site.alerts()).toEqual(['srv-1 low', 'srv-2 low', 'srv-3 low']);
      site.list(['srv-1', 'srv-3']);
      await site.runAt(NOW + 60);
      expect(site.alerts()).toEqual(['srv-1 low', 'srv-3 low']);
      site.list([]);
      await site.runAt(NOW + 120);
      expect(site.alerts()).toEqual([]);
      await site.runAt(NOW + 120 + DAY);
      expect(site.tickets().map(({ state }) => state)).toEqual(['closed', 'closed', 'closed']);
    }));

  it('goes by signed time, whatever the clock of the machine says, and changes nothing while that is not known', () =>
    withSite(async (site) => {
      site.meet('srv-1', NOW + 10 * DAY, NOW);
      site.open().clock.setWall((NOW + 5 * DAY) * 1_000);
      await site.runAt(null);
      expect(site.alerts()).toEqual([]);
      await site.runAt(NOW);
      expect(site.alerts()).toEqual(['srv-1 low']);
      // A year back and a year ahead.
      for (const years of [-1, 1]) {
        site.open().clock.setWall((NOW + years * 365 * DAY) * 1_000);
        await site.runAt(null);
        expect(site.alerts()).toEqual(['srv-1 low']);
      }
      // Another boot: nobody knows the time until Central Command answers.
      site.open().clock.reboot();
      site.list([]);
      await site.runAt(null);
      expect(site.alerts()).toEqual(['srv-1 low']);
      await site.runAt(NOW);
      expect(site.alerts()).toEqual([]);
    }));

  it('stays a small matter where its key is pinned: the ticket says that contact goes on', () =>
    withSite(async (site) => {
      site.meet('srv-1', NOW - DAY, NOW, PIN);
      await site.runAt(NOW);
      expect(site.alerts()).toEqual(['srv-1 low']);
      expect(site.tickets()[0]?.seen).toContain('contact goes on');
    }));

  it('is met all the same where the store takes nothing', () =>
    withSite(async (site) => {
      const log = memoryLog();
      const full = {
        get: () => null,
        set: () => {
          throw new AgentError('store_full', 'no room');
        },
      };
      const store = { settings: full } as unknown as OpenLog['store'];
      noteTargetCertificate({ store, log }, { id: 'srv-1', tls: CA }, NOW, NOW);
      expect(log.records.map(({ fields }) => fields)).toEqual([{ code: 'store_full', target: 'srv-1' }]);
      await site.runAt(NOW);
      expect(site.alerts()).toEqual([]);
    }));
});
