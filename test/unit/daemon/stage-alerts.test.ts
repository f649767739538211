// Alerts that stages of the daemon raise and take back by themselves, over a real store and log.
import { describe, expect, it } from 'vitest';
import type { DaemonContext } from '../../../agent/daemon/context.ts';
import { storageStage } from '../../../agent/daemon/stages/storage-stage.ts';
import { ticketsStage } from '../../../agent/daemon/stages/tickets-stage.ts';
import { createRecorder, type Recorder } from '../../../agent/evidence/recorder.ts';
import { withDir, finding, openLog, type OpenLog } from '../../support/evidence-fixtures.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const HOUR_S = 3_600;
const MIB = 1_048_576;
const signal = new AbortController().signal;
const OUTPUT = { id: 'people', kind: 'webhook', host: 'localhost', port: 1, events: ['ticket'] };

/** A daemon's context with a recorder, a policy with outputs, and folders below `dir`. */
async function withContext(
  change: { readonly capMib?: number; readonly outputs?: readonly object[] },
  fn: (context: DaemonContext, recorder: Recorder, open: OpenLog) => Promise<void>,
): Promise<void> {
  await withDir(async (dir) => {
    const open = openLog(dir);
    const recorder = createRecorder(open);
    const policy = { value: { outputs: change.outputs ?? [] } };
    const enrolled = {
      recorder,
      evidence: open.log,
      identity: { applianceId: 'north-1', siteId: 'north' },
      trust: { policy: () => policy },
    };
    const context = {
      ...{ store: open.store, clock: open.clock, log: memoryLog(), trigger: () => undefined },
      config: { state_dir: dir, evidence_cap_mib: change.capMib ?? 1_000 },
      state: { enrolled, storage: null, storeError: null, findings: new Map() },
    } as unknown as DaemonContext;
    try {
      await fn(context, recorder, open);
    } finally {
      open.store.close();
    }
  });
}

const raised = (recorder: Recorder): string[] => recorder.alerts().map(({ code }) => code);

describe('the alert', () => {
  it('evidence_cap is there while the log takes more than it may, and no longer', () =>
    withContext({ capMib: 1 }, async (context, recorder, { store }) => {
      const stage = storageStage(context);
      await stage.run(signal, 'run');
      expect(raised(recorder)).not.toContain('evidence_cap');
      // A cap just below what is there.
      const { bytes } = store.entries.state(1);
      recorder.recordFindings([finding()]);
      Object.assign(context.config, { evidence_cap_mib: bytes / MIB });
      await stage.run(signal, 'run');
      expect(raised(recorder)).toContain('evidence_cap');
      Object.assign(context.config, { evidence_cap_mib: 1_000 });
      await stage.run(signal, 'run');
      expect(raised(recorder)).not.toContain('evidence_cap');
    }));

  it('ticket_undelivered is there once a message waited for an hour, makes no ticket of its own, and goes after a week', () =>
    withContext({ outputs: [OUTPUT] }, async (context, recorder, { store, clock }) => {
      const stage = ticketsStage(context);
      const runAt = async (seconds: number): Promise<string[]> => {
        clock.setWall((NOW + seconds) * 1_000);
        await stage.run(signal, 'run');
        return raised(recorder);
      };
      recorder.raise('disk_low', { severity: 'high' });
      // There is no credential: it waits.
      expect(await runAt(0)).toEqual(['disk_low']);
      expect(await runAt(HOUR_S - 1)).toEqual(['disk_low']);
      expect(await runAt(HOUR_S)).toContain('ticket_undelivered');
      recorder.clear('disk_low');
      // After three days it is a dead letter, and after seven nobody is told of it any more.
      expect(await runAt(80 * HOUR_S)).toContain('ticket_undelivered');
      expect(store.tickets.counts(0)).toMatchObject({ dead: 1 });
      expect(store.tickets.all()).toHaveLength(1);
    }));
});
