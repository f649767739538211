// Seals the device key as a systemd credential: with the machine's own key and, where there is one that works, its TPM.
import { AgentError } from '../errors/agent-error.ts';
import type { Exec } from '../system/ports.ts';
import { KEY_CREDENTIAL, sealedKeyText, type SealedWith } from '../system/key-credential.ts';

const DEADLINE_MS = 60_000;

/**
 * @returns what the credential file holds
 * @throws helper_seal_failed
 */
export async function sealDeviceKey(exec: Exec, pem: string): Promise<{ sealed: Buffer; with: SealedWith }> {
  let said = '';
  for (const kind of ['host+tpm2', 'host'] as const) {
    const { status, code, stdout, stderr } = await exec.run(
      ['systemd-creds', 'encrypt', `--name=${KEY_CREDENTIAL}`, `--with-key=${kind}`, '-', '-'],
      { deadlineMs: DEADLINE_MS, stdin: sealedKeyText(pem, kind) },
    );
    if (status === 'exited' && code === 0 && stdout.length > 0) return { sealed: stdout, with: kind };
    said = status === 'exited' ? stderr.toString('utf8').trim().slice(0, 300) : status;
  }
  throw new AgentError('helper_seal_failed', `systemd-creds did not encrypt the key: ${said}`);
}
