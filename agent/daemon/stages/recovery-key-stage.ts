// Hands the sealed recovery key of the disk to Central Command, until that says that it has it. Nothing waits for it.
import { AgentError } from '../../errors/agent-error.ts';
import type { Fact, Probe } from '../../facts/probe.ts';
import { readFact } from '../../facts/read-facts.ts';
import { recoveryKeyProbe, type RecoveryKeyFacts } from '../../facts/recovery-key.ts';
import { ROOT_FACTS_DIR } from '../../facts/root-facts.ts';
import { handOverRecoveryKey } from '../../uplink/hand-over-recovery-key.ts';
import { isAgeFile } from '../../wire/age-file.ts';
import { sha256Hex } from '../../wire/digest.ts';
import { nowSeconds, type DaemonContext } from '../context.ts';
import { openedEpoch } from '../epoch-state.ts';
import { acknowledgedRecoveryKey, isRecoveryKeyDue, noteAcknowledgedRecoveryKey } from '../recovery-key-sent.ts';
import type { Stage } from '../stage.ts';

/** Root reads it every ten minutes, the first time soon after the start. */
const LOOK_MS = 30_000;
const LONGEST_PAUSE_MS = 6 * 3_600_000;
/** The request itself has 30 s. */
const DEADLINE_MS = 60_000;
const READ_DEADLINE_MS = 10_000;

export function recoveryKeyStage(
  context: DaemonContext,
  probe: Probe<RecoveryKeyFacts> = recoveryKeyProbe(isAgeFile),
): Stage {
  const { state, store, clock, config } = context;
  return {
    name: 'recovery_key',
    // Central Command does not know the key of an epoch yet that the registrar has not bound.
    wanted: () => state.enrolled !== null && openedEpoch(store)?.status !== 'unbound',
    intervalMs: () => Math.min(LOOK_MS, config.poll_interval_s * 1_000),
    jittered: true,
    deadlineMs: DEADLINE_MS,
    longestPauseMs: () => LONGEST_PAUSE_MS,
    async run(signal, runId) {
      const { enrolled } = state;
      if (enrolled === null) return;
      const key = keyIn(await readFact(probe, readingContext(context, signal)));
      if (key === null) return;
      const { applianceId } = enrolled.identity;
      const sha256 = sha256Hex(Buffer.from(key.sealed, 'base64'));
      const now = { appliance_id: applianceId, sha256, at: nowSeconds(clock) };
      if (!isRecoveryKeyDue(acknowledgedRecoveryKey(store), now)) return;
      const { https, identity } = enrolled;
      await handOverRecoveryKey({ https, signer: context.keys.signer, identity }, key, signal, runId);
      noteAcknowledgedRecoveryKey(store, { ...now, at: nowSeconds(clock) });
      const log = context.log.child({ run_id: runId, stage: 'recovery_key' });
      log.info('central command keeps the sealed recovery key', { sha256, volume: key.luksUuid });
    },
  };
}

const readingContext = (context: DaemonContext, signal: AbortSignal): Parameters<typeof readFact>[1] => ({
  exec: context.exec,
  clock: context.clock,
  stateDir: context.config.state_dir,
  keyFiles: [],
  pid: process.pid,
  deadlineMs: READ_DEADLINE_MS,
  signal,
  rootFacts: { dir: ROOT_FACTS_DIR, agentVersion: context.build.version },
});

/** Null where there is none, or where root has not read it yet. @throws recovery_key_unusable */
function keyIn(fact: Fact<RecoveryKeyFacts>): RecoveryKeyFacts['key'] {
  if (fact.status === 'read') return fact.value.key;
  if (fact.reason === 'denied' || fact.reason === 'stale') return null;
  throw new AgentError('recovery_key_unusable', `the sealed recovery key is not handed over: ${fact.detail}`);
}
