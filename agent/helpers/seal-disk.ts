// `seal-disk`: gives the encrypted volume a key that only the TPM of this machine knows, and takes away the installer's key, which lies
// beside the volume until then. Where no TPM works that key stays, and it is said. Run at each start until it is done.
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import type { Exec, ExecResult } from '../system/ports.ts';
import { fileError, overwriteAndRemove } from '../system/files.ts';
import type { HelperResult } from './helper-result.ts';
import { INSTALLER_SLOT, nextDiskStep, readDiskKeys, RECOVERY_SLOT, type DiskKeys } from './judge-disk.ts';

export interface DiskPort {
  /** The volume. */
  readonly device: string;
  /** The installer's key. */
  readonly keyFile: string;
  /** Root's alone, in memory: for the proof. */
  readonly scratchDir: string;
  /** `systemd-cryptsetup`, which opens the volume at a start. */
  readonly opener: string;
  /** TPM, where it is not the first of the machine. */
  readonly tpm: string | undefined;
}

export interface SealDone {
  readonly outcome: 'done' | 'unchanged';
  readonly sentence: string;
  readonly details: HelperResult['details'];
}

const DEADLINE_MS = 90_000;
/** Drop, enrol, prove, remove, and as many again after runs that were cut off. */
const MOST_STEPS = 16;
/** State of Secure Boot. Without that, it binds to the chip alone; it does not change when the system is updated. */
const PCRS = '--tpm2-pcrs=7';
const PROOF = 'compliance-agent-proof';
/** A file without content: more than the 16 MiB at which the data of a LUKS2 volume begins. */
const PROOF_BYTES = 33_554_432;
const MAX_SAID = 300;

/** @throws disk_not_ours, disk_key_failed, file_… */
export async function sealDisk(port: DiskPort, exec: Exec): Promise<SealDone> {
  const run = (...argv: [string, ...string[]]): Promise<ExecResult> =>
    exec.run(argv, { deadlineMs: DEADLINE_MS, env: port.tpm === undefined ? {} : { SYSTEMD_TPM2_DEVICE: port.tpm } });
  let changed = false;
  for (let left = MOST_STEPS; left > 0; left -= 1) {
    const keys = await readKeys(port, run);
    const next = nextDiskStep(keys, existsSync(port.keyFile));
    switch (next.step) {
      case 'drop_slot':
        await must(run('cryptsetup', 'luksKillSlot', '--batch-mode', port.device, next.slot));
        break;
      case 'enrol_tpm': {
        const said = await run(
          'systemd-cryptenroll',
          `--unlock-key-file=${port.keyFile}`,
          `--tpm2-device=${port.tpm ?? 'auto'}`,
          PCRS,
          port.device,
        );
        if (!isGood(said)) return keptKey(said, keys, changed);
        break;
      }
      case 'prove_and_retire': {
        const proof = await proveTpm(port, run);
        if (!isGood(proof)) {
          // A new one is made at the next start; this one opens nothing.
          for (const slot of keys.tpm) await must(run('systemd-cryptenroll', `--wipe-slot=${slot}`, port.device));
          return keptKey(proof, keys, true);
        }
        await must(run('cryptsetup', 'luksKillSlot', '--batch-mode', port.device, INSTALLER_SLOT));
        break;
      }
      case 'remove_file':
        removeKey(port.keyFile);
        break;
      case 'none': {
        const sentence =
          next.opensWith === 'tpm2'
            ? 'The disk opens by the TPM of this machine, and by the recovery key of its owner.'
            : 'The disk opens by the recovery key of its owner alone: somebody has to type it at each start.';
        return { outcome: changed ? 'done' : 'unchanged', sentence, details: detailsOf(next.opensWith, keys) };
      }
    }
    changed = true;
  }
  throw new AgentError('disk_key_failed', `the keys of the disk are not settled after ${MOST_STEPS} steps`, {
    place: port.device,
  });
}

const detailsOf = (opensWith: string, { slots }: DiskKeys): HelperResult['details'] => ({
  opens_with: opensWith,
  recovery_key: slots.includes(RECOVERY_SLOT) ? 'yes' : 'no',
});

/** Not a failure: the machine works. What it means is said wherever people look. */
function keptKey(why: ExecResult, keys: DiskKeys, changed: boolean): SealDone {
  return {
    outcome: changed ? 'done' : 'unchanged',
    sentence:
      'No TPM opens the disk: the key that lies beside it on the same disk does. Who takes the disk along can read it.',
    details: { ...detailsOf('key_file', keys), reason: saidBy(why) },
  };
}

async function readKeys(
  { device }: DiskPort,
  run: (...argv: [string, ...string[]]) => Promise<ExecResult>,
): Promise<DiskKeys> {
  const dump = await run('cryptsetup', 'luksDump', '--dump-json-metadata', device);
  const keys = isGood(dump) ? readDiskKeys(dump.stdout.toString('utf8')) : null;
  if (keys !== null) return keys;
  throw new AgentError('disk_not_ours', `the header of the encrypted volume cannot be read: ${saidBy(dump)}`, {
    place: device,
  });
}

/**
 * The program that opens the volume at a start opens a copy of its header, by the TPM and by nothing else; behind it lies an empty file,
 * since the volume itself is in use.
 */
async function proveTpm(
  port: DiskPort,
  run: (...argv: [string, ...string[]]) => Promise<ExecResult>,
): Promise<ExecResult> {
  const dir = mkdtempSync(join(port.scratchDir, 'proof-'));
  try {
    const [header, data] = [join(dir, 'header'), join(dir, 'data')];
    await must(run('cryptsetup', 'luksHeaderBackup', '--batch-mode', port.device, '--header-backup-file', header));
    writeFileSync(data, '');
    truncateSync(data, PROOF_BYTES);
    const options = `header=${header},tpm2-device=${port.tpm ?? 'auto'},headless=true,tries=1`;
    const opened = await run(port.opener, 'attach', PROOF, data, '-', options);
    if (isGood(opened)) await must(run(port.opener, 'detach', PROOF));
    return opened;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What the disk keeps of its blocks opens nothing any more: the slot is gone before. */
function removeKey(path: string): void {
  try {
    overwriteAndRemove(path);
  } catch (error) {
    throw fileError(error, 'write', path);
  }
}

const isGood = ({ status, code }: ExecResult): boolean => status === 'exited' && code === 0;

const saidBy = ({ status, code, stderr }: ExecResult): string =>
  `${status === 'exited' ? `exit ${code}` : status}: ${stderr
    .toString('utf8')
    .replaceAll(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(-MAX_SAID)}`;

/** @throws disk_key_failed */
async function must(running: Promise<ExecResult>): Promise<void> {
  const result = await running;
  if (!isGood(result)) throw new AgentError('disk_key_failed', `a key of the disk was not changed: ${saidBy(result)}`);
}
