// The WinRM client against a server of other people: a real Windows server, or the independent lab server whose NTLM, SPNEGO
// and sealing come from MIT Kerberos and gss-ntlmssp. docs/winrm.md says how to point it at one. Nothing here changes the server.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { errorRecords } from '../../agent/execution/read-output.ts';
import type { Endpoint } from '../../agent/winrm/endpoint.ts';
import type { Limits } from '../../agent/winrm/limits.ts';
import type { Credentials } from '../../agent/winrm/security-context.ts';
import type { RunRequest, RunResult } from '../../agent/winrm/session.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { labSession, runOnce } from '../support/winrm-lab.ts';
import { noInteropTarget, ntlmOf, openInteropTarget, type InteropTarget } from '../support/winrm-interop.ts';

const textOf = (bytes: Buffer): string => bytes.toString('utf8').replace(/^\ufeff/, '');

let target: InteropTarget | null = null;

beforeAll(async () => {
  if (noInteropTarget() === null) target = await openInteropTarget();
});
afterAll(() => target?.stop());

beforeEach(async (ctx) => {
  ctx.skip(target === null, noInteropTarget() ?? '');
  await target?.control?.configure();
});
afterEach(async () => {
  const stats = await target?.control?.stats();
  if (stats !== undefined) expect(stats.live_shells).toBe(0);
});

const SETTINGS: Partial<Limits> = { retryPauseMs: 50 };

/** The comment is what the lab server looks for; Windows runs the script before it. */
function powershell(script: string, more: Partial<RunRequest> = {}): RunRequest {
  const encoded = Buffer.from(`$ProgressPreference='SilentlyContinue'; ${script}`, 'utf16le').toString('base64');
  return {
    command: 'powershell.exe',
    args: ['-NoProfile', '-NonInteractive', '-EncodedCommand', encoded],
    stdin: Buffer.alloc(0),
    timeoutMs: 120_000,
    outputCapBytes: 16 * 1_048_576,
    ...more,
  };
}

const HELLO = powershell('Write-Output ok');

async function run(endpoint: Endpoint, request = HELLO, credentials?: Credentials): Promise<RunResult> {
  return runOnce(endpoint, request, credentials ?? target!.credentials, SETTINGS);
}

/** The endpoints that there are, with and without SPNEGO around NTLM. */
function ways(): (readonly [string, Endpoint, Credentials])[] {
  const { http, https, credentials } = target!;
  return [http, https].flatMap((endpoint) =>
    endpoint === null
      ? []
      : [
          [`${endpoint.scheme}, NTLM`, endpoint, credentials] as const,
          [`${endpoint.scheme}, NTLM in SPNEGO`, endpoint, { ...credentials, spnego: true }] as const,
        ],
  );
}

const anywhere = (): Endpoint => (target!.http ?? target!.https)!;

describe('any WinRM server', () => {
  it('takes NTLM, bare and in SPNEGO, sealed over HTTP and bound over HTTPS', async () => {
    for (const [name, endpoint, credentials] of ways()) {
      const result = await run(endpoint, HELLO, credentials);
      expect([name, result.exitCode, textOf(result.stdout).trim()]).toEqual([name, 0, 'ok']);
    }
  });

  it('takes other names of the user, and names and passwords that are not ASCII, where there are some', async () => {
    const { env } = target!;
    const upn = env['WINRM_TEST_UPN_USER'];
    const unicode = env['WINRM_TEST_UNICODE_USER'];
    const named = [
      ...(upn === undefined ? [] : [ntlmOf(upn, env['WINRM_TEST_PASSWORD']!)]),
      ...(unicode === undefined ? [] : [ntlmOf(unicode, env['WINRM_TEST_UNICODE_PASSWORD']!)]),
    ];
    for (const credentials of named) expect((await run(anywhere(), HELLO, credentials)).exitCode).toBe(0);
  });

  it('refuses a wrong password, which is tried once', async () => {
    const wrong = { ...target!.credentials, password: Buffer.from('certainly not this one') };
    const { session } = labSession(anywhere(), wrong);
    await expectCodeAsync(session.run(HELLO), 'winrm_logon_failed');
    await expectCodeAsync(session.run(HELLO), 'winrm_logon_failed');
    await session.close();
    const counted = await target!.control?.stats();
    if (counted !== undefined) expect(counted.stats['auth.fail']).toBe(1);
  });

  it('shows a certificate that is refused when the target names another key', async (ctx) => {
    const { https } = target!;
    ctx.skip(https === null, 'no HTTPS endpoint');
    const other = { ...https!, tls: { kind: 'spki', pins: ['00'.repeat(32)] } } as const;
    await expectCodeAsync(run(other), 'winrm_pin_mismatch');
  });

  it('brings back exit code, UTF-8 and errors', async () => {
    expect((await run(anywhere(), powershell('exit 42 # LAB-EXIT42'))).exitCode).toBe(42);
    const utf8 = "[Console]::OutputEncoding = [Text.Encoding]::UTF8; 'Grüße 日本語 😀' # LAB-UTF8";
    expect(textOf((await run(anywhere(), powershell(utf8))).stdout).trim()).toBe('Grüße 日本語 😀');
    const failing = await run(anywhere(), powershell("Get-Item 'C:\\nope' -ErrorAction Stop # LAB-FAIL"));
    expect(failing.exitCode).toBe(1);
    expect(errorRecords(failing.stderr)).toBeGreaterThan(0);
  });

  it('takes 450 kB of input and says them back, over each way', async () => {
    const input = 'abcdefghij'.repeat(45_000);
    const script = '[Console]::Out.Write([Console]::In.ReadToEnd()) # LAB-STDIN';
    for (const [name, endpoint, credentials] of ways()) {
      const result = await run(endpoint, powershell(script, { stdin: Buffer.from(input) }), credentials);
      expect([name, result.stdout.toString() === input]).toEqual([name, true]);
    }
  });

  it('brings back 2 MiB of output whole, and its beginning where the cap is smaller', async () => {
    const line = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n';
    const script = `1..32768 | % { [Console]::Out.Write('${line.trim()}' + "\`n") } # LAB-BIG`;
    const whole = await run(anywhere(), powershell(script));
    expect([whole.stdout.length, whole.stdout.toString() === line.repeat(32_768)]).toEqual([2_097_152, true]);
    const cut = await run(anywhere(), powershell(script, { outputCapBytes: 100_000 }));
    expect([cut.truncated, cut.exitCode, cut.stdout.toString() === line.repeat(1_600).slice(0, 100_000)]).toEqual([
      true,
      null,
      true,
    ]);
  });

  it('runs many commands in one session, and one after another was ended', async () => {
    const { session } = labSession(anywhere(), target!.credentials, SETTINGS);
    for (let count = 0; count < 3; count += 1) expect((await session.run(HELLO)).exitCode).toBe(0);
    const endless = powershell('Start-Sleep 3600 # LAB-FOREVER', { timeoutMs: 3_000 });
    await expectCodeAsync(session.run(endless), 'winrm_command_timeout');
    expect((await session.run(HELLO)).exitCode).toBe(0);
    await session.close();
  });

  it('refuses a user that it does not know', async () => {
    await expectCodeAsync(run(anywhere(), HELLO, ntlmOf('LAB\\nobody-here', 'x')), 'winrm_logon_failed');
  });
});

describe('the independent lab server', () => {
  const SHORT_LIMITS: Partial<Limits> = {
    retryPauseMs: 20,
    operationMs: 1_000,
    cancelMs: 300,
  };
  /** For answers that never come. */
  const IMPATIENT: Partial<Limits> = { ...SHORT_LIMITS, answerMs: 2_500, cleanupMs: 2_500 };

  beforeEach((ctx) => {
    ctx.skip(target?.control === null, 'a real server is tested: nothing is injected there');
  });

  it.each(['sha256', 'sha384', 'sha512'])(
    'accepts the channel binding of a certificate signed with %s, strictly',
    async (cert) => {
      await target!.control!.configure({ cbt: 'Strict', cert });
      const { https, credentials } = target!;
      for (const spnego of [false, true]) {
        expect((await run(https!, HELLO, { ...credentials, spnego })).exitCode).toBe(0);
      }
    },
  );

  it('refuses the logon behind a proxy that ends TLS', async () => {
    await target!.control!.configure({ cbt: 'Strict', cbt_cert: 'sha512' });
    await expectCodeAsync(run(target!.https!), 'winrm_logon_failed');
  });

  it('takes Basic over TLS, and is never sent it without', async () => {
    const { https, http, env } = target!;
    const basic = {
      kind: 'basic_tls',
      user: env['WINRM_TEST_BASIC_USER']!,
      password: Buffer.from(env['WINRM_TEST_PASSWORD']!),
    } as const;
    expect((await run(https!, HELLO, basic)).exitCode).toBe(0);
    expect(() => labSession(http!, basic)).toThrow(expect.objectContaining({ code: 'winrm_basic_without_tls' }));
  });

  it('finds every message sealed, signed and in order', async () => {
    await run(target!.http!, powershell('LAB-CHUNKS'));
    const { stats } = await target!.control!.stats();
    expect(stats['seal.fail'] ?? 0).toBe(0);
    expect(stats['unencrypted.refused'] ?? 0).toBe(0);
    expect(stats['sealed.in']).toBe(stats['sealed.out']);
    expect(stats['sealed.in']).toBeGreaterThan(5);
  });

  it('says nothing for longer than OperationTimeout, and the command goes on', async () => {
    const result = await runOnce(target!.http!, powershell('LAB-SLOW5'), target!.credentials, SHORT_LIMITS);
    expect(textOf(result.stdout)).toBe('slow done\r\n');
    expect((await target!.control!.stats()).stats['fault.2150858793']).toBeGreaterThan(2);
  });

  it('closes idle connections, which costs a new logon and nothing else', async () => {
    await target!.control!.configure({ idle_close_s: 1 });
    const { session } = labSession(target!.http!, target!.credentials, SETTINGS);
    await session.run(HELLO);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect((await session.run(HELLO)).exitCode).toBe(0);
    await session.close();
    const { stats } = await target!.control!.stats();
    expect([stats['auth.ok'], stats['op.create']]).toEqual([2, 1]);
  });

  /** What one injected fault at one operation leads to: 'ok' or a code. `reset-after` at Create is left out: nobody knows that shell. */
  const OUTCOMES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    reset: {
      Create: 'ok',
      Command: 'winrm_connection_lost',
      Send: 'winrm_connection_lost',
      Receive: 'ok',
      Signal: 'ok',
      Delete: 'ok',
    },
    'reset-after': {
      Command: 'winrm_connection_lost',
      Send: 'winrm_connection_lost',
      Receive: 'ok',
      Signal: 'ok',
      Delete: 'ok',
    },
    http503: {
      Create: 'ok',
      Command: 'winrm_http_failed',
      Send: 'winrm_http_failed',
      Receive: 'ok',
      Signal: 'ok',
      Delete: 'ok',
    },
    http401: { Create: 'ok', Command: 'ok', Send: 'ok', Receive: 'ok', Signal: 'ok', Delete: 'ok' },
    'lose-session': { Create: 'ok', Command: 'ok', Send: 'ok', Receive: 'ok', Signal: 'ok', Delete: 'ok' },
    'drop-shell': { Command: 'ok', Send: 'winrm_shell_gone', Receive: 'winrm_shell_gone', Signal: 'ok', Delete: 'ok' },
    hang: { Create: 'ok', Command: 'winrm_no_answer', Send: 'winrm_no_answer', Receive: 'ok', Signal: 'ok' },
  };

  it.each(Object.entries(OUTCOMES))(
    'injected: %s, at each operation, costs no output and leaves no shell',
    async (fault, byOperation) => {
      const limits = fault === 'hang' ? IMPATIENT : SHORT_LIMITS;
      for (const [op, outcome] of Object.entries(byOperation)) {
        await target!.control!.configure({ faults: [{ op, do: fault }] });
        const running = runOnce(target!.http!, powershell('LAB-UTF8'), target!.credentials, limits);
        const seen = await running.then(
          (result) => (textOf(result.stdout) === 'Grüße 日本語 😀\r\n' ? 'ok' : 'output lost'),
          (error: { code?: string }) => error.code ?? String(error),
        );
        const { stats, live_shells } = await target!.control!.stats();
        expect([op, seen, live_shells, stats[`injected.${fault}`]]).toEqual([op, outcome, 0, 1]);
      }
    },
  );

  it.each([
    ['shells', 'Create', { subcode: 'w:QuotaLimit', code: 2_150_859_173 }, 'winrm_quota_shells'],
    ['operations', 'Command', { subcode: 'w:QuotaLimit', code: 2_150_859_174 }, 'winrm_quota_operations'],
    [
      'operations, told as a WMI error',
      'Command',
      { subcode: 'w:InternalError', wmi_code: 0x803381a6 },
      'winrm_quota_operations',
    ],
    ['a locked account', 'Create', { subcode: 'w:InternalError', code: 1909 }, 'winrm_account_locked'],
    ['an expired password', 'Create', { subcode: 'w:InternalError', code: 1330 }, 'winrm_password_expired'],
  ])('injected fault: %s', async (_, op, fault, code) => {
    await target!.control!.configure({ faults: [{ op, do: 'fault', repeat: true, ...fault }] });
    await expectCodeAsync(
      runOnce(target!.http!, HELLO, target!.credentials, SHORT_LIMITS),
      code as 'winrm_quota_shells',
    );
  });

  it('has a quota of shells that somebody else uses up, until they are closed', async () => {
    await target!.control!.configure({ max_shells_per_user: 1 });
    const first = labSession(target!.http!, target!.credentials, SETTINGS).session;
    await first.run(HELLO);
    await expectCodeAsync(runOnce(target!.http!, HELLO, target!.credentials, SHORT_LIMITS), 'winrm_quota_shells');
    const waiting = runOnce(target!.http!, HELLO, target!.credentials, { ...SHORT_LIMITS, retryPauseMs: 2_000 });
    await first.close();
    expect((await waiting).exitCode).toBe(0);
  });
});
