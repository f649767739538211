import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { openStoredBinding } from '../../agent/daemon/stored-binding.ts';
import { createEvidenceLog } from '../../agent/evidence/log.ts';
import { loadOrCreateKeys } from '../../agent/identity/keys.ts';
import { openStore } from '../../agent/store/open-store.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { createIds } from '../../agent/system/ids.ts';
import { encodeEnvelope } from '../../agent/wire/dsse.ts';
import { signerFromPrivateKey } from '../../agent/wire/node-signature.ts';
import { readKeyFile } from '../../central/keys/key-files.ts';
import { onlineKeysDir } from '../../central/keys/online-keys.ts';
import { signOwn } from '../../central/service/sign-own.ts';
import { demoSite } from '../support/demo-site.ts';
import { ENTRY_CONTEXT } from '../support/evidence-fixtures.ts';
import { appendFindings, DAY_S, linesHeld } from '../support/prunable-log.ts';
import { until } from '../../tools/demo/process.ts';

const ADDED = 800;
const STORED = 600;
const PRUNED = 512;
const PATIENCE_MS = 60_000;

describe('the daemon of a site whose log is three months old', () => {
  const site = demoSite();
  const backup = `${site.paths.data}.backup`;
  const later = `${site.paths.data}.later`;

  /** What three months leave behind: entries by the device's key, and an old receipt by Central Command's. */
  function age(): void {
    const store = openStore({ dir: site.paths.state, clock: systemClock });
    const identity = store.trust.identity()!;
    const log = createEvidenceLog({
      store,
      clock: systemClock,
      ids: createIds(systemClock),
      signer: loadOrCreateKeys(join(site.paths.state, 'keys')).signer,
      binding: openStoredBinding(store, identity.bindingLine),
      context: () => ENTRY_CONTEXT,
    });
    appendFindings({ store, log }, STORED - log.size());
    const { origin } = identity;
    const [root, storedAt] = [log.root(), Math.floor(Date.now() / 1_000) - 91 * DAY_S];
    const receipt = {
      schema: 'compliance-agent/receipt/v1' as const,
      origin,
      size: STORED,
      root,
      stored_at: storedAt,
      store: 'files',
      object_id: 'old-object',
      retain_until: storedAt + 7 * 365 * DAY_S,
      stored_unverified: [],
    };
    const signer = signerFromPrivateKey(readKeyFile(join(onlineKeysDir(site.paths.data), 'receipt.pem')));
    const line = encodeEnvelope(signOwn('receipt', receipt, signer));
    store.uplink.saveReceipt({ origin, size: STORED, root, line, at: storedAt });
    appendFindings({ store, log }, ADDED - STORED);
    store.close();
  }

  const heldOnDisk = (): number[] => {
    const store = openStore({ dir: site.paths.state, clock: systemClock, readOnly: true });
    try {
      return linesHeld(store);
    } finally {
      store.close();
    }
  };
  const alerts = (): string[] => {
    const store = openStore({ dir: site.paths.state, clock: systemClock, readOnly: true });
    try {
      return store.entries
        .list(1, { kind: 'alert', limit: 1_000 })
        .map(({ line }) => statementOf(line).predicate)
        .flatMap((entry) => (entry.kind === 'alert' ? [`${entry.code} ${entry.state}`] : []));
    } finally {
      store.close();
    }
  };
  const replaceCentral = async (by: string): Promise<void> => {
    await site.endCentral('SIGTERM');
    rmSync(later, { recursive: true, force: true });
    cpSync(site.paths.data, later, { recursive: true });
    rmSync(site.paths.data, { recursive: true });
    cpSync(by, site.paths.data, { recursive: true });
    await site.startCentral();
  };

  it(
    'uploads, has it cosigned, and then prunes what the old receipt covers',
    async () => {
      await site.provision();
      site.startAgent();
      await site.confirm();
      await site.untilStatus('all is stored', (s) => s.stored_size === s.log?.size, PATIENCE_MS);
      await site.endAgent('SIGTERM', 10_000);
      cpSync(site.paths.data, backup, { recursive: true });
      age();
      site.startAgent();
      await site.untilStatus(
        'it pruned, and all is stored',
        (s) => s.pruned_below === PRUNED && s.stored_size === s.log?.size && s.blocking_reason === null,
        PATIENCE_MS,
      );
      const held = heldOnDisk();
      expect(held.filter((seq) => seq < PRUNED).length).toBeLessThan(60);
      expect(held.filter((seq) => seq >= PRUNED).length).toBeGreaterThanOrEqual(ADDED - PRUNED);
      expect((await site.cli('status')).output).toContain(`entries 0 to ${PRUNED - 1}: here as hashes`);
      const verified = await site.cli('evidence', 'verify', '--root-sha256', site.rootDigest(), '--json');
      expect(JSON.parse(verified.output)).toMatchObject({ verdict: 'verified', ok: true });
    },
    3 * PATIENCE_MS,
  );

  it(
    'says what a Central Command that was restored to before that lacks, with one alert and one line in the log',
    async () => {
      await replaceCentral(backup);
      const status = await site.untilStatus(
        'the upload waits for a restore',
        (s) => s.upload_parked?.code === 'evidence_pruned_early',
        PATIENCE_MS,
      );
      expect(status.upload_parked?.sentence).toMatch(/lacks entries [0-9]+ to 511/);
      await until(
        'it is an entry',
        () => (alerts().includes('evidence_pruned_early raised') ? true : null),
        PATIENCE_MS,
      );
      const { last_answer_at: before } = await site.untilStatus('it has answers', (s) => s.last_answer_at !== null);
      await site.untilStatus('more check-ins follow', (s) => (s.last_answer_at ?? 0) > (before ?? 0) + 3, PATIENCE_MS);
      expect(alerts().filter((one) => one.startsWith('evidence_pruned_early'))).toEqual([
        'evidence_pruned_early raised',
      ]);
      expect(
        site
          .agentProcess()!
          .output()
          .match(/upload parked.*evidence_pruned_early/g),
      ).toHaveLength(1);
    },
    3 * PATIENCE_MS,
  );

  it(
    'goes on by itself once Central Command has the entries again',
    async () => {
      const whole = `${site.paths.data}.whole`;
      cpSync(later, whole, { recursive: true });
      await replaceCentral(whole);
      await site.untilStatus(
        'everything is stored again',
        (s) => s.upload_parked === null && s.stored_size === s.log?.size && s.blocking_reason === null,
        PATIENCE_MS,
      );
      await until(
        'the alert ends',
        () => (alerts().includes('evidence_pruned_early cleared') ? true : null),
        PATIENCE_MS,
      );
      expect(await site.endAgent('SIGTERM', 10_000)).toBe(0);
      const { logs } = (await site.central('evidence', 'verify')) as { logs: { ok: boolean; size: number }[] };
      expect(logs).toMatchObject([{ ok: true }]);
      expect(logs[0]!.size).toBeGreaterThan(ADDED);
    },
    3 * PATIENCE_MS,
  );
});
