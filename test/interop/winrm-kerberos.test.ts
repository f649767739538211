// Kerberos against a server of other people: tickets, sealing and channel binding by their GSS-API, not by ours.
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Endpoint } from '../../agent/winrm/endpoint.ts';
import { kerberosCredentials } from '../../agent/winrm/kerberos-session.ts';
import type { RunRequest } from '../../agent/winrm/session.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { labSession } from '../support/winrm-lab.ts';
import { noInteropTarget, openInteropTarget, type InteropTarget } from '../support/winrm-interop.ts';

const textOf = (bytes: Buffer): string => bytes.toString('utf8').replace(/^\ufeff/, '');

let target: InteropTarget | null = null;

beforeAll(async () => {
  if (noInteropTarget() === null) target = await openInteropTarget();
});
afterAll(() => target?.stop());

beforeEach(async (ctx) => {
  ctx.skip(target === null, noInteropTarget() ?? '');
  ctx.skip(target?.env['WINRM_TEST_KERBEROS_USER'] === undefined, 'WINRM_TEST_KERBEROS_USER is not set');
  await target?.control?.configure();
});
afterEach(async () => {
  const stats = await target?.control?.stats();
  if (stats !== undefined) expect([stats.live_shells, stats.stats['seal.fail'] ?? 0]).toEqual([0, 0]);
});

/** `user@REALM`; KDCs from WINRM_TEST_KDC, or from the lab's own krb5.conf, or by DNS. */
function credentials(password = target!.env['WINRM_TEST_PASSWORD']!) {
  const { env } = target!;
  const [user = '', realm = ''] = env['WINRM_TEST_KERBEROS_USER']!.split('@');
  const conf = env['WINRM_TEST_KDC'] === undefined ? env['KRB5_CONFIG'] : undefined;
  const kdcs =
    conf === undefined
      ? (env['WINRM_TEST_KDC']?.split(',') ?? [])
      : [...readFileSync(conf, 'utf8').matchAll(/^\s*kdc = ([\w.:[\]-]+)$/gm)].map(([, kdc]) => kdc!);
  return kerberosCredentials({ user, realm, kdcs, password: Buffer.from(password) });
}

function powershell(script: string): RunRequest {
  return {
    command: 'powershell.exe',
    args: [
      ...['-NoProfile', '-NonInteractive', '-EncodedCommand'],
      Buffer.from(`$ProgressPreference='SilentlyContinue'; ${script}`, 'utf16le').toString('base64'),
    ],
    stdin: Buffer.alloc(0),
    timeoutMs: 120_000,
    outputCapBytes: 16 * 1_048_576,
  };
}

async function says(endpoint: Endpoint, password?: string): Promise<string> {
  const { session } = labSession(endpoint, credentials(password), {});
  try {
    const first = await session.run(powershell('Write-Output ok'));
    const second = await session.run(powershell('Write-Output ok'));
    expect([first.exitCode, second.exitCode]).toEqual([0, 0]);
    return textOf(second.stdout).trim();
  } finally {
    await session.close();
  }
}

describe('any WinRM server in a domain', () => {
  it('takes Kerberos, sealed over HTTP and bound to the channel over HTTPS', async () => {
    for (const endpoint of [target!.http, target!.https]) {
      if (endpoint !== null) expect(await says(endpoint)).toBe('ok');
    }
  });

  it('never hears of a wrong password: the KDC refuses it', async () => {
    const before = await target!.control?.stats();
    await expectCodeAsync(says((target!.http ?? target!.https)!, 'wrong'), 'winrm_logon_failed');
    const after = await target!.control?.stats();
    expect(after?.stats['auth.fail']).toBe(before?.stats['auth.fail']);
  });
});

describe('the lab server with Kerberos', () => {
  beforeEach((ctx) => ctx.skip(target?.control === null, 'only the lab server can be told what to do'));

  it.each(['sha256', 'sha384', 'sha512'])('is bound to a %s certificate where the server is strict', async (cert) => {
    await target!.control!.configure({ cbt: 'Strict', cert });
    expect(await says(target!.https!)).toBe('ok');
  });

  it('is not let in where somebody ends TLS in between', async () => {
    await target!.control!.configure({ cbt: 'Strict', cbt_cert: 'sha512' });
    const { session } = labSession(target!.https!, credentials(), {});
    // Not a word about the secret: the KDC has taken it.
    await expectCodeAsync(session.run(powershell('Write-Output ok')), 'winrm_ticket_refused');
    await session.close();
    expect((await target!.control!.stats()).stats['auth.ok'] ?? 0).toBe(0);
  });

  it('logs on anew when the server forgets the session', async () => {
    await target!.control!.configure({ faults: [{ op: 'Receive', nth: 1, do: 'reset' }] });
    expect(await says(target!.http!)).toBe('ok');
  });
});
