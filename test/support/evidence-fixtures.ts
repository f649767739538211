// A real store and a real log in a temporary directory, under the trust fixtures. For tests only.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEvidenceLog, type EntryContext, type EvidenceLog } from '../../agent/evidence/log.ts';
import { openStore, type Store } from '../../agent/store/open-store.ts';
import { openBinding } from '../../agent/trust/binding.ts';
import { createLogVerifier, type LogVerdict } from '../../agent/verify/log-verifier.ts';
import { jcsDigest } from '../../agent/wire/jcs.ts';
import { parseEnvelope } from '../../agent/wire/dsse.ts';
import { parseDocument } from '../../agent/wire/document.ts';
import { MAX_ENTRY_BYTES, type Statement } from '../../agent/wire/schemas/entry.ts';
import type { Finding } from '../../agent/wire/schemas/finding.ts';
import { fakeClock, type FakeClock } from './fakes/fake-clock.ts';
import { fakeIds } from './fakes/fake-ids.ts';
import { makeTrust, NOW } from './trust-fixtures.ts';

export const trust = makeTrust();

export const ENTRY_CONTEXT: EntryContext = {
  agent_version: '0.1.0',
  nixos_revision: null,
  derivation_digest: null,
  clock: {
    source: 'central',
    synchronized: true,
    skew_ms: 12,
    boot_id: '00000000-0000-4000-8000-000000000001',
  },
  root_version: 1,
  policy_version: null,
  ruleset_digest: null,
};

/** Makes a temporary directory, gives its path to `fn`, removes it. */
export function withDir<T>(fn: (dir: string) => T): T {
  const dir = mkdtempSync(join(tmpdir(), 'evidence-'));
  const remove = (): void => rmSync(dir, { recursive: true, force: true });
  let result: T;
  try {
    result = fn(dir);
  } catch (error) {
    remove();
    throw error;
  }
  if (result instanceof Promise) return result.finally(remove) as T;
  remove();
  return result;
}

export interface OpenLog {
  readonly store: Store;
  readonly log: EvidenceLog;
  readonly clock: FakeClock;
}

/** Opens (or reopens) the store in `dir` and the log in it. */
export function openLog(dir: string, clock: FakeClock = fakeClock({ wallMs: NOW * 1_000 })): OpenLog {
  const store = openStore({ dir, clock });
  try {
    return { store, log: logIn(store, clock), clock };
  } catch (error) {
    store.close();
    throw error;
  }
}

export function logIn(store: Store, clock: FakeClock): EvidenceLog {
  return createEvidenceLog({
    store,
    clock,
    ids: fakeIds(1, clock),
    signer: trust.keys['device']!,
    binding: openBinding(trust.root.root, bindingLine()),
    context: () => ENTRY_CONTEXT,
  });
}

/** Opens a log, runs `fn` (to its end where it is asynchronous), closes the store, removes the directory. */
export function withLog<T>(fn: (open: OpenLog, dir: string) => T): T {
  return withDir((dir) => {
    const open = openLog(dir);
    let result: T;
    try {
      result = fn(open, dir);
    } catch (error) {
      open.store.close();
      throw error;
    }
    if (result instanceof Promise) return result.finally(() => open.store.close()) as T;
    open.store.close();
    return result;
  });
}

export function linesOf(store: Store, epoch = 1): string[] {
  const limits = { maxEntries: 1_000_000, maxBytes: Number.MAX_SAFE_INTEGER };
  return store.entries.range(epoch, 0, limits).map(({ line }) => line);
}

export function statementsOf(store: Store, epoch = 1): Statement[] {
  return linesOf(store, epoch).map(statementIn);
}

export function statementIn(line: string): Statement {
  return parseDocument('entry', parseEnvelope(line, { maxBytes: MAX_ENTRY_BYTES }).payload);
}

/** The independent verifier's word on the whole log. */
export function verdictOn(store: Store, epoch = 1): LogVerdict {
  const verifier = createLogVerifier({ root: trust.root.root });
  for (const line of linesOf(store, epoch)) verifier.push(line);
  return verifier.finish();
}

/** A finding of the check `disk`; `facts` decide its digest. */
export function finding(partial: Partial<Finding> = {}): Finding {
  const facts = partial.facts ?? { state_used_percent: 61 };
  return {
    target: { id: 'appliance', role: 'appliance', os_build: null },
    check: { id: 'disk', version: 1 },
    baseline: { id: 'appliance', version: 1, sha256: 'b1'.repeat(32) },
    controls: [{ map: 'hipaa-2013', cite: '164.308(a)(1)(ii)(D)' }],
    severity: 'info',
    result: 'pass',
    sentence: 'Every volume has at least 15 % free.',
    facts,
    facts_digest: jcsDigest(facts),
    facts_read_at: NOW,
    observed_from: NOW,
    observed_to: NOW,
    ...partial,
  };
}

/** The line of the binding under which the fixtures' log stands. */
export function bindingLine(): string {
  return trust.sign('binding', trust.binding());
}
