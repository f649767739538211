// Seals the device key as a systemd credential: with the machine's own key and, where there is one that works, its TPM.
import { AgentError } from '../errors/agent-error.ts';
import type { Exec, ExecResult } from '../system/ports.ts';
import { KEY_CREDENTIAL, sealedKeyText, type SealedWith } from '../system/key-credential.ts';

const DEADLINE_MS = 60_000;
/**
 * The chip, and not the state of its firmware: an update of that must not lock the appliance out. Register 16 is for debugging and
 * nothing measures into it; with none at all, systemd 252 seals what it cannot open.
 */
const PCRS = '--tpm2-pcrs=16';
/** Names another TPM than the first one, for systemd itself (its environment variables). Root's, as all of the unit's. */
export const TPM_VARIABLE = 'SYSTEMD_TPM2_DEVICE';

/**
 * What was sealed is opened again before anybody relies on it.
 *
 * @param tpm value of {@link TPM_VARIABLE}, where it is set
 * @returns what the credential file holds
 * @throws helper_seal_failed
 */
export async function sealDeviceKey(
  exec: Exec,
  pem: string,
  tpm: string | undefined,
): Promise<{ sealed: Buffer; with: SealedWith }> {
  const env = tpm === undefined ? {} : { [TPM_VARIABLE]: tpm };
  const creds = (verb: 'encrypt' | 'decrypt', stdin: string | Buffer, ...options: string[]): Promise<ExecResult> =>
    exec.run(['systemd-creds', verb, `--name=${KEY_CREDENTIAL}`, ...options, '-', '-'], {
      deadlineMs: DEADLINE_MS,
      stdin,
      env,
    });
  let said = '';
  for (const kind of ['host+tpm2', 'host'] as const) {
    const text = sealedKeyText(pem, kind);
    const sealed = await creds('encrypt', text, `--with-key=${kind}`, PCRS);
    const opened = isGood(sealed) ? await creds('decrypt', sealed.stdout) : sealed;
    if (isGood(opened) && opened.stdout.equals(Buffer.from(text))) return { sealed: sealed.stdout, with: kind };
    said = opened.status === 'exited' ? opened.stderr.toString('utf8').trim().slice(0, 300) : opened.status;
  }
  throw new AgentError('helper_seal_failed', `systemd-creds did not encrypt the key: ${said}`);
}

const isGood = ({ status, code, stdout }: ExecResult): boolean =>
  status === 'exited' && code === 0 && stdout.length > 0;
