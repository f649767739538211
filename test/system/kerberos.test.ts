// Logons and sealing against MIT's own KDC and library, with the words for what goes wrong.
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kerberosCredentials } from '../../agent/winrm/kerberos-session.ts';
import { joinWrapToken, splitWrapToken } from '../../agent/winrm/kerberos-token.ts';
import type { SecurityContext } from '../../agent/winrm/security-context.ts';
import { until } from '../../tools/demo/process.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { HOST, noRealm, REALM, startRealm, type Acceptor, type Realm } from '../support/kerberos-realm.ts';

const PASSWORD = 'Pässwörd-of-the-lab';
const BINDING = Buffer.concat([
  Buffer.from('tls-server-end-point:'),
  createHash('sha256').update('certificate').digest(),
]);

let realm: Realm | null = null;
const open: SecurityContext[] = [];

beforeEach(async (context) => {
  const reason = noRealm();
  context.skip(reason !== null, reason ?? '');
  realm ??= await startRealm();
});
afterEach(() => {
  for (const context of open.splice(0)) context.close();
});
afterAll(() => realm?.end());

interface Asked {
  readonly user?: string;
  readonly password?: string;
  readonly hostname?: string;
  readonly binding?: Buffer | null;
  readonly kdcs?: readonly string[];
}

function contextFor(asked: Asked = {}): SecurityContext {
  const credentials = kerberosCredentials({
    user: asked.user ?? 'agent',
    realm: REALM,
    kdcs: asked.kdcs ?? [`127.0.0.1:${realm!.port}`],
    password: Buffer.from(asked.password ?? PASSWORD),
  });
  if (credentials.kind !== 'context') throw new TypeError('not a context');
  const context = credentials.open({ hostname: asked.hostname ?? HOST, channelBinding: asked.binding ?? null });
  open.push(context);
  return context;
}

/** A user with a password; once for each name. */
const users = new Set<string>();
function withUser(name: string, options = ''): void {
  if (users.has(name)) return;
  users.add(name);
  realm!.kadmin(`addprinc ${options} +requires_preauth -pw ${PASSWORD} ${name}`);
}

async function session(binding: Buffer | null = null): Promise<{ context: SecurityContext; host: Acceptor }> {
  withUser('agent');
  const context = contextFor({ binding });
  const host = realm!.accept(binding);
  const first = await context.step(null);
  const last = await context.step(host.accept(first.token!));
  expect([first.done, last]).toEqual([false, { token: null, done: true }]);
  return { context, host };
}

describe('a Kerberos session', () => {
  it('is opened with a password of any characters, proves both sides, and is bound to the TLS channel', async () => {
    await session();
    await session(BINDING);
    withUser('agent');
    const other = contextFor({ binding: BINDING });
    const { token } = await other.step(null);
    // The host sees another certificate: somebody ends TLS in between.
    const elsewhere = Buffer.from(BINDING);
    elsewhere[elsewhere.length - 1]! ^= 1;
    expect(() => realm!.accept(elsewhere).accept(token!)).toThrow();
  });

  it('carries messages of all lengths sealed both ways, in the layout of WinRM', async () => {
    const { context, host } = await session();
    for (const length of [0, 1, 15, 16, 17, 4_096, 153_600, 2_097_152]) {
      const plain = randomBytes(length);
      const there = await context.wrap(plain);
      expect([there.signature.length, there.sealed.length]).toEqual([60, length]);
      expect(host.unwrap(Buffer.concat([there.signature, there.sealed])).equals(plain)).toBe(true);
      const back = splitWrapToken(host.wrap(plain), length);
      expect((await context.unwrap(back.signature, back.sealed)).equals(plain)).toBe(true);
    }
  });

  it.each<[string, (signature: Buffer, sealed: Buffer) => [Buffer, Buffer]]>([
    ['changed in its text', (signature, sealed) => [signature, flip(sealed, 3)]],
    ['changed in its checksum', (signature, sealed) => [flip(signature, 50), sealed]],
    ['changed in its sequence number', (signature, sealed) => [flip(signature, 15), sealed]],
    ['cut', (signature, sealed) => [signature, sealed.subarray(1)]],
    ['shorter than its own head', (signature) => [signature.subarray(0, 20), Buffer.alloc(0)]],
    ['not of Kerberos', (signature, sealed) => [flip(signature, 0), sealed]],
  ])('refuses a sealed answer that is %s', async (_what, change) => {
    const { context, host } = await session();
    const plain = Buffer.from('an answer');
    const { signature, sealed } = splitWrapToken(host.wrap(plain), plain.length);
    await expectCodeAsync(context.unwrap(...change(signature, sealed)), 'winrm_seal_broken');
  });

  it('refuses an answer that comes twice, and one that is signed only', async () => {
    const { context, host } = await session();
    const plain = Buffer.from('an answer');
    const token = host.wrap(plain);
    const { signature, sealed } = splitWrapToken(token, plain.length);
    await context.unwrap(signature, sealed);
    await expectCodeAsync(context.unwrap(signature, sealed), 'winrm_seal_broken');
    expectCode(() => joinWrapToken(host.sign(plain), Buffer.alloc(0)), 'winrm_seal_broken');
  });

  it('leaves neither a file nor a process behind, and is of no use afterwards', async () => {
    await until('earlier contexts are gone', () => children() === 0 || null, 10_000);
    const { context } = await session();
    expect(children()).toBe(1);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('krb5-'))).toEqual([]);
    context.close();
    await expectCodeAsync(context.wrap(Buffer.from('x')), 'winrm_kerberos_failed');
    await until('the child is gone', () => children() === 0 || null, 10_000);
  });
});

/** Processes that speak Kerberos for this one. */
function children(): number {
  const pids = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ');
  return pids.filter((pid) => commandOf(pid).includes('kerberos-child')).length;
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function flip(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at]! ^= 1;
  return changed;
}

describe('a Kerberos logon that fails says why', () => {
  it.each<[string, Asked, string, Parameters<typeof expectCodeAsync>[1]]>([
    ['a wrong password', { password: 'wrong' }, '', 'winrm_logon_failed'],
    ['an unknown user', { user: 'nobody' }, '', 'winrm_logon_failed'],
    ['a locked account', { user: 'locked' }, '-allow_tix', 'winrm_account_locked'],
    ['an expired account', { user: 'past' }, '-expire 2020-01-01', 'winrm_account_disabled'],
    ['an expired password', { user: 'stale' }, '-pwexpire 2020-01-01', 'winrm_password_expired'],
    ['an account without AES keys', { user: 'old' }, '-e arcfour-hmac:normal', 'winrm_kerberos_encryption'],
    ['a host that the domain does not know', { hostname: 'other.clinic.test' }, '', 'winrm_kerberos_service'],
    ['no KDC at the port', { kdcs: ['127.0.0.1:1'] }, '', 'winrm_kerberos_kdc'],
    ['a KDC whose name does not resolve', { kdcs: ['kdc.invalid'] }, '', 'winrm_kerberos_kdc'],
  ])('%s', async (_what, asked, options, code) => {
    if (asked.user !== 'nobody') withUser(asked.user ?? 'agent', options);
    await expectCodeAsync(contextFor(asked).step(null), code);
  });

  it('a KDC whose clock is ten minutes off is followed, since the library takes over its time', async () => {
    const late = await startRealm('+10m');
    try {
      late.kadmin(`addprinc +requires_preauth -pw ${PASSWORD} agent`);
      const { token, done } = await contextFor({ kdcs: [`127.0.0.1:${late.port}`] }).step(null);
      expect([token !== null, done]).toEqual([true, false]);
    } finally {
      late.end();
    }
  });
});
