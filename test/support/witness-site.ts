// An appliance's log, in a real store, before the witness of a real Central Command; no network between them, so that a test
// decides what gets lost. For tests only.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEvidenceLog, type EvidenceLog } from '../../agent/evidence/log.ts';
import { openStore, type Store } from '../../agent/store/open-store.ts';
import { openBinding } from '../../agent/trust/binding.ts';
import { createWitness, type Witness, type WitnessQuestion } from '../../agent/uplink/witness.ts';
import type { WitnessOutcome } from '../../agent/uplink/judge-witness.ts';
import type { WitnessVerdict } from '../../agent/wire/schemas/checkin.ts';
import { witness } from '../../central/service/witness.ts';
import type { BindingRow } from '../../central/store/appliance-table.ts';
import { bindDevice, makeInProcessCentral, START, type InProcessCentral } from './central-in-process.ts';
import type { Enrolled } from './device.ts';
import { ENTRY_CONTEXT } from './evidence-fixtures.ts';
import { fakeClock } from './fakes/fake-clock.ts';
import { fakeIds } from './fakes/fake-ids.ts';
import { memoryLog, type MemoryLog } from './fakes/memory-log.ts';
import { alertBody } from './sample-log.ts';

export interface WitnessedLog {
  readonly dir: string;
  readonly store: Store;
  readonly log: EvidenceLog;
  readonly witness: Witness;
  readonly messages: MemoryLog;
  append(count: number): void;
  lines(): string[];
  close(): void;
}

export interface WitnessSite {
  central: InProcessCentral;
  readonly me: Enrolled;
  readonly binding: BindingRow;
  /** The appliance's state directory. */
  readonly dir: string;
  open(dir?: string): WitnessedLog;
  /** A copy of a state directory whose store is closed: a disk image. */
  copyOf(dir: string): string;
  /** What Central Command says to a question; it persists what it does even where the answer is lost. */
  ask(question: Pick<WitnessQuestion, 'request' | 'lastCosigned'>): WitnessVerdict | null;
  /** A whole check-in of `log`. */
  checkIn(log: WitnessedLog): WitnessOutcome;
  restartCentral(): Promise<void>;
  /** Saves Central Command's folder, or puts back what was saved. */
  backUpCentral(): Promise<void>;
  restoreCentral(): Promise<void>;
  alarms(): string[];
  remove(): void;
}

export async function makeWitnessSite(applianceId = 'north-1'): Promise<WitnessSite> {
  const root = mkdtempSync(join(tmpdir(), 'witness-'));
  const central = await makeInProcessCentral();
  const me = await bindDevice(central, applianceId);
  const binding = central.store.appliances.binding(applianceId) as BindingRow;
  let copies = 0;
  const site: WitnessSite = {
    central,
    me,
    binding,
    dir: join(root, 'state'),
    open: (dir = site.dir) => openLog(site, dir),
    copyOf: (dir) => {
      const copy = join(root, `copy-${++copies}`);
      cpSync(dir, copy, { recursive: true });
      return copy;
    },
    ask: ({ request, lastCosigned }) =>
      witness(site.central, binding, { witness_request: request, last_cosigned: lastCosigned }),
    checkIn: (log) => {
      const question = log.witness.ask();
      const verdict = site.ask(question);
      return log.store.unit(() => log.witness.take(verdict, question));
    },
    restartCentral: async () => {
      site.central = await site.central.reopen();
    },
    backUpCentral: async () => {
      site.central.close();
      cpSync(site.central.dataDir, join(root, 'backup'), { recursive: true });
      site.central = await site.central.reopen();
    },
    restoreCentral: async () => {
      site.central.close();
      rmSync(site.central.dataDir, { recursive: true });
      cpSync(join(root, 'backup'), site.central.dataDir, { recursive: true });
      site.central = await site.central.reopen();
    },
    alarms: () => site.central.store.alarms.list(100).map((alarm) => alarm.kind),
    remove: () => {
      site.central.remove();
      rmSync(root, { recursive: true, force: true });
    },
  };
  return site;
}

/** No two processes make the same ids, not even two copies of one disk. */
let processes = 0;

function openLog(site: WitnessSite, dir: string): WitnessedLog {
  const clock = fakeClock({ wallMs: START * 1_000 });
  const store = openStore({ dir, clock });
  const root = site.central.trust.root();
  const { signer } = site.me.device;
  const log = createEvidenceLog({
    store,
    clock,
    ids: fakeIds(++processes, clock),
    signer,
    binding: openBinding(root.root, site.me.bindingLine),
    context: () => ENTRY_CONTEXT,
  });
  const messages = memoryLog();
  const { origin, epoch } = site.me;
  const limits = { maxEntries: 1_000_000, maxBytes: Number.MAX_SAFE_INTEGER };
  let appended = 0;
  return {
    dir,
    store,
    log,
    messages,
    witness: createWitness({ store, signer, root: () => root, log: messages, identity: { origin, epoch } }),
    append: (count) => {
      store.unit(() => {
        for (let i = 0; i < count; i += 1) log.append('alert', alertBody(++appended));
      });
    },
    lines: () => store.entries.range(epoch, 0, limits).map(({ line }) => line),
    close: () => store.close(),
  };
}
