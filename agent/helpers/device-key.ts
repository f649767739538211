// The device key as it is handed over: PEM in, its public half and clean PEM out. Pure.
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { AgentError } from '../errors/agent-error.ts';
import { signerFromPrivateKey } from '../wire/node-signature.ts';

/** @throws key_malformed, key_invalid (no Ed25519 key) */
export function readDeviceKey(file: Buffer, place: string): { readonly pem: string; readonly spki: string } {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: file, format: 'pem' });
  } catch {
    // The parser's own words are left out: they may quote the file.
    throw new AgentError('key_malformed', 'what was handed over holds no unencrypted private key in PEM', { place });
  }
  // Made anew from the key: nothing else that stood in the file is kept.
  return { pem: key.export({ type: 'pkcs8', format: 'pem' }).toString(), spki: signerFromPrivateKey(key).spki };
}
