// One Kerberos context in a process of its own: the library's calls block, it reads its settings from the environment, and native code
// that reads what strangers send must not be able to take the daemon with it. Ends when its channel closes.
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GssFailure, logOn, type GssContext } from './gssapi.ts';
import type { KerberosAnswer, KerberosRequest } from './kerberos-messages.ts';

let context: GssContext | null = null;

/** The file is gone from its folder before it is used: whatever ends this process leaves nothing behind. */
function configure(conf: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'krb5-'));
  const file = join(folder, 'krb5.conf');
  writeFileSync(file, conf, { mode: 0o600 });
  const fd = openSync(file, 'r');
  rmSync(folder, { recursive: true });
  process.env['KRB5_CONFIG'] = `/proc/self/fd/${fd}`;
  process.env['KRB5CCNAME'] = 'MEMORY:';
}

const bytesOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function carryOut(request: KerberosRequest): { bytes: Buffer | null; done: boolean } {
  if (request.call === 'logon') {
    configure(request.conf);
    const { principal, service, channelBinding } = request;
    const password = bytesOf(request.password);
    try {
      context = logOn({
        principal,
        password,
        service,
        channelBinding: channelBinding === null ? null : bytesOf(channelBinding),
      });
    } finally {
      password.fill(0);
    }
    return { bytes: null, done: false };
  }
  if (context === null) throw new GssFailure('order', 0);
  if (request.call === 'step') {
    const { token, done } = context.step(request.token === null ? null : bytesOf(request.token));
    return { bytes: token, done };
  }
  const bytes = request.call === 'wrap' ? context.wrap(bytesOf(request.plain)) : context.unwrap(bytesOf(request.token));
  return { bytes, done: true };
}

function answer(request: KerberosRequest): KerberosAnswer {
  const { id } = request;
  try {
    return { id, ...carryOut(request) };
  } catch (error) {
    if (error instanceof GssFailure) return { id, failed: error.step, minor: error.minor };
    // Native texts may hold names; the step alone goes back.
    return { id, failed: 'library', minor: 0 };
  }
}

process.on('message', (request: KerberosRequest) => process.send?.(answer(request)));
process.on('disconnect', () => process.exit(0));
