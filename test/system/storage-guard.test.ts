import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { startOnFullDisk } from '../../agent/daemon/start-on-full-disk.ts';
import { FREE_LOW } from '../../agent/evidence/storage-pressure.ts';
import { carryOutOrders } from '../../agent/orders/carry-out-orders.ts';
import type { OrderHandler } from '../../agent/orders/order-handler.ts';
import { receiveOrders } from '../../agent/orders/receive-orders.ts';
import { ballastIn, BALLAST_FILE } from '../../agent/system/ballast.ts';
import { createLogVerifier } from '../../agent/verify/log-verifier.ts';
import type { PredicateOf } from '../../agent/wire/schemas/entry.ts';
import { openRecords } from '../../central/service/central.ts';
import { until } from '../../tools/demo/process.ts';
import { acceptanceContext } from '../support/acceptance-fixtures.ts';
import { linesOnDisk } from '../support/crash-runs.ts';
import { demoSite } from '../support/demo-site.ts';
import { openLog, statementsOf, trust } from '../support/evidence-fixtures.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { memoryLog } from '../support/fakes/memory-log.ts';
import { createLoopDisk, whyNoLoopDisk, type LoopDisk } from '../support/loop-disk.ts';
import { appendFindings } from '../support/prunable-log.ts';
import { NOW } from '../support/trust-fixtures.ts';

const DISK_MIB = 48;
const PIECE_BYTES = 4_096;
const PATIENCE_MS = 90_000;
const reason = whyNoLoopDisk();

/** Writes until `free` of the file system is left, or until there is no room at all. */
function fill(disk: string, name: string, free: number): void {
  const file = openSync(join(disk, name), 'a');
  try {
    const isEnough = (): boolean => {
      const { bavail, blocks } = statfsSync(disk);
      return free > 0 && bavail / blocks < free;
    };
    while (!isEnough()) writeSync(file, Buffer.alloc(PIECE_BYTES));
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

describe('a daemon on a real ext4 that fills up', () => {
  const site = demoSite();
  const { state } = site.paths;
  let disk: LoopDisk | null = null;

  beforeAll(() => {
    if (reason !== null) return;
    disk = createLoopDisk(DISK_MIB);
    mkdirSync(state, { recursive: true });
    execFileSync('mount', ['--bind', disk.path, state]);
  });
  afterAll(async () => {
    await site.end();
    if (disk === null) return;
    execFileSync('umount', ['--lazy', state]);
    disk.destroy();
  });

  const entries = () => linesOnDisk(site).map((line) => statementOf(line).predicate);
  const alerts = (code: string): string[] =>
    entries().flatMap((entry) => (entry.kind === 'alert' && entry.code === code ? [entry.state] : []));

  it(
    'says so while room gets short, gives up its ballast when there is none, records what changes, and signs for the rest',
    async (ctx) => {
      if (reason !== null) return ctx.skip(reason);
      const ballast = join(state, BALLAST_FILE);
      await site.provision();
      const agent = site.startAgent();
      await site.confirm();
      await until('the ballast is there', () => (existsSync(ballast) ? true : null), PATIENCE_MS);

      fill(state, 'filler', FREE_LOW - 0.03);
      const warned = await site.untilStatus(
        'it warns of little room and goes on',
        (s) => s.warnings.some((text) => text.includes('of the disk under the state directory')),
        PATIENCE_MS,
      );
      expect(warned.blocking_reason).toBe(null);
      await until('that is an entry', () => (alerts('disk_low').length === 1 ? true : null), PATIENCE_MS);

      fill(state, 'filler', 0);
      await until(
        'it gives up its ballast',
        () => (agent.output().includes('ballast given up') ? true : null),
        PATIENCE_MS,
      );
      expect(existsSync(ballast)).toBe(false);
      await until(
        'it says with an entry that the disk is full',
        () => (alerts('store_full').length === 1 ? true : null),
        PATIENCE_MS,
      );
      await site.untilStatus(
        'it is blocked, and Central Command has the entry that says why',
        (s) => {
          return s.blocking_reason?.code === 'store_full' && s.stored_size === s.log?.size;
        },
        PATIENCE_MS,
      );

      const told = agent.output().length;
      fill(state, 'more', 0);
      await until(
        'nothing at all can be written any more',
        () => (/stage failed.*stage=checks.*code=store_full/.test(agent.output().slice(told)) ? true : null),
        PATIENCE_MS,
      );
      const before = linesOnDisk(site);
      rmSync(join(state, 'more'));
      rmSync(join(state, 'filler'));
      await site.untilStatus(
        'it has room, makes its ballast again and is all well',
        (s) =>
          s.blocking_reason === null &&
          existsSync(ballast) &&
          s.stored_size === s.log?.size &&
          !s.warnings.some((text) => text.includes('of the disk')),
        PATIENCE_MS,
      );
      const gap = await until(
        'it signs for what it could not record',
        () => entries().find((entry): entry is PredicateOf<'gap'> => entry.kind === 'gap') ?? null,
        PATIENCE_MS,
      );
      expect(gap).toMatchObject({ reason: 'store_full' });
      expect(gap.dropped['observation']).toBeGreaterThan(0);
      expect(gap.gap_from).toBeLessThanOrEqual(gap.gap_to);
      await until(
        'both alerts end',
        () => (alerts('store_full').length + alerts('disk_low').length === 4 ? true : null),
        PATIENCE_MS,
      );
      expect(await site.endAgent('SIGTERM', 10_000)).toBe(0);

      const after = linesOnDisk(site);
      expect(after.slice(0, before.length)).toEqual(before);
      const records = openRecords(site.paths.data);
      const verifier = createLogVerifier({ root: records.trust.root().root });
      records.close();
      for (const line of after) verifier.push(line);
      expect(verifier.finish()).toMatchObject({ ok: true, size: after.length });
    },
    8 * PATIENCE_MS,
  );
});

it('a start on a full disk gives up the ballast and opens the store; without ballast it says store_full', (ctx) => {
  if (reason !== null) return ctx.skip(reason);
  const disk = createLoopDisk(16);
  try {
    const dir = join(disk.path, 'state');
    openLog(dir).store.close();
    ballastIn(dir).make(1_048_576);
    fill(disk.path, 'filler', 0);
    const log = memoryLog();
    const start = () => startOnFullDisk(dir, log, () => openLog(dir));
    const { value, full } = start();
    expect([full?.code, existsSync(join(dir, BALLAST_FILE))]).toEqual(['store_full', false]);
    expect(log.phrases()).toEqual(['disk full at the start, ballast given up']);
    appendFindings(value, 20);
    value.store.close();
    fill(disk.path, 'more', 0);
    expectCode(start, 'store_full');
  } finally {
    disk.destroy();
  }
});

it('an order is not begun on a disk that has no room for its start, and is carried out when there is room', async (ctx) => {
  if (reason !== null) return ctx.skip(reason);
  const disk = createLoopDisk(16);
  try {
    const open = openLog(join(disk.path, 'state'));
    const { store, log: evidence, clock } = open;
    const log = memoryLog();
    const acceptance = () => acceptanceContext(trust, { floor: store.orders.floor(1) });
    receiveOrders([trust.sign('order', trust.order())], { store, evidence, log, acceptance, now: () => NOW });
    let acts = 0;
    const handler: OrderHandler = {
      kind: 'run_check',
      does: 'work',
      deadlineMs: 60_000,
      act: () => {
        acts += 1;
        return Promise.resolve({ kind: 'done', sentence: 'It was done.', result: {} });
      },
      verify: () => ({}),
    };
    const deps = {
      store,
      evidence,
      log,
      clock,
      acceptance,
      handlers: new Map([[handler.kind, handler]]),
      instance: 'one',
    };
    const { signal } = new AbortController();
    // What room the log still has within its own files goes first.
    const untilFull = async (): Promise<void> => {
      for (;;) appendFindings(open, 1);
    };
    fill(disk.path, 'filler', 0);
    await expectCodeAsync(untilFull(), 'store_full');
    await expectCodeAsync(carryOutOrders(deps, signal), 'store_full');
    expect([acts, store.orders.inStates(['accepted']).length]).toEqual([0, 1]);
    rmSync(join(disk.path, 'filler'));
    expect(await carryOutOrders(deps, signal)).toBe(1);
    expect(acts).toBe(1);
    const states = statementsOf(store).flatMap(({ predicate }) =>
      predicate.kind === 'order' ? [predicate.state] : [],
    );
    expect(states).toEqual(['accepted', 'started', 'result']);
    store.close();
  } finally {
    disk.destroy();
  }
});
