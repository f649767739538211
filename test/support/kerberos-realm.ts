// A real Kerberos realm: MIT's KDC on a port of its own, and the host's side of a session by MIT's library.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../tools/demo/process.ts';

export const REALM = 'CLINIC.TEST';
export const HOST = 'srv-1.clinic.test';
const KDC = '/usr/sbin/krb5kdc';
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

/** Why no realm can be made here; null where it can. */
export const noRealm = (): string | null =>
  [KDC, '/usr/sbin/kadmin.local', FAKETIME].every((file) => existsSync(file))
    ? null
    : 'krb5-kdc, krb5-admin-server or libfaketime is not installed';

export interface Realm {
  readonly port: number;
  /** kadmin.local: `addprinc -pw … user`. */
  kadmin(command: string): void;
  /** The host's side of one session; `bindings` as the host sees its own certificate. */
  accept(bindings: Buffer | null): Acceptor;
  end(): void;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** `clock`: how far the KDC's clock is off, as faketime takes it (`+10m`). */
export async function startRealm(clock: string | null = null): Promise<Realm> {
  const dir = mkdtempSync(join(tmpdir(), 'realm-'));
  const port = await freePort();
  mkdirSync(join(dir, 'db'));
  const conf = join(dir, 'krb5.conf');
  writeFileSync(
    conf,
    `[libdefaults]\n default_realm = ${REALM}\n dns_lookup_kdc = false\n rdns = false\n dns_canonicalize_hostname = false\n[realms]\n ${REALM} = {\n  kdc = 127.0.0.1:${port}\n }\n`,
  );
  const profile = join(dir, 'kdc.conf');
  writeFileSync(
    profile,
    `[kdcdefaults]\n kdc_listen = 127.0.0.1:${port}\n kdc_tcp_listen = 127.0.0.1:${port}\n[realms]\n ${REALM} = {\n  database_name = ${dir}/db/principal\n  key_stash_file = ${dir}/db/stash\n  acl_file = ${dir}/db/acl\n  supported_enctypes = aes256-cts:normal aes128-cts:normal\n }\n[logging]\n kdc = FILE:${dir}/kdc.log\n`,
  );
  const env = { ...process.env, KRB5_CONFIG: conf, KRB5_KDC_PROFILE: profile };
  const run = (file: string, ...args: string[]): void => {
    execFileSync(file, args, { env, stdio: 'ignore' });
  };
  const kadmin = (command: string): void => run('/usr/sbin/kadmin.local', '-r', REALM, '-q', command);
  run('/usr/sbin/kdb5_util', 'create', '-s', '-r', REALM, '-P', 'master-of-the-test');
  kadmin(`addprinc -randkey HTTP/${HOST}`);
  const keytab = join(dir, 'keytab');
  kadmin(`ktadd -k ${keytab} HTTP/${HOST}`);
  const kdc: ChildProcess = spawn(KDC, ['-n'], {
    env: clock === null ? env : { ...env, LD_PRELOAD: FAKETIME, FAKETIME: clock },
    stdio: 'ignore',
  });
  await until('the KDC answers', async () => (await answers(port)) || null, 30_000);
  return {
    port,
    kadmin,
    accept: (bindings) => {
      // Read by the library in this process; the client's side runs in another one with its own.
      process.env['KRB5_CONFIG'] = conf;
      process.env['KRB5_KTNAME'] = `FILE:${keytab}`;
      process.env['KRB5RCACHENAME'] = 'none:';
      return createAcceptor(bindings);
    },
    end: () => {
      kdc.kill('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const answers = async (port: number): Promise<boolean> =>
  await new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });

export interface Acceptor {
  /** The answer to the client's token; throws where the host refuses it. */
  accept(token: Buffer): Buffer;
  /** A wrap token as the library makes it. */
  wrap(plain: Buffer): Buffer;
  /** Only signed, not encrypted. */
  sign(plain: Buffer): Buffer;
  unwrap(token: Buffer): Buffer;
}

function createAcceptor(bindings: Buffer | null): Acceptor {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load('libgssapi_krb5.so.2');
  const buffer = koffi.struct({ length: 'size_t', value: 'void *' });
  const channel = koffi.struct({
    initiator_addrtype: 'uint32_t',
    initiator_address: buffer,
    acceptor_addrtype: 'uint32_t',
    acceptor_address: buffer,
    application_data: buffer,
  });
  const inBuffer = koffi.pointer(buffer);
  const out = <T extends Parameters<typeof koffi.out>[0]>(type: T) => koffi.out(type);
  const number = out(koffi.pointer('uint32_t'));
  const accept = library.func('gss_accept_sec_context', 'uint32_t', [
    number,
    koffi.inout(koffi.pointer(koffi.pointer('void'))),
    koffi.pointer('void'),
    inBuffer,
    koffi.pointer(channel),
    koffi.pointer('void'),
    koffi.pointer('void'),
    out(koffi.pointer(buffer)),
    number,
    koffi.pointer('void'),
    koffi.pointer('void'),
  ]);
  const wrap = library.func('gss_wrap', 'uint32_t', [
    number,
    koffi.pointer('void'),
    'int',
    'uint32_t',
    inBuffer,
    out(koffi.pointer('int')),
    out(koffi.pointer(buffer)),
  ]);
  const unwrap = library.func('gss_unwrap', 'uint32_t', [
    number,
    koffi.pointer('void'),
    inBuffer,
    out(koffi.pointer(buffer)),
    out(koffi.pointer('int')),
    number,
  ]);
  interface Native {
    length: number | bigint;
    value: unknown;
  }
  const given = (bytes: Buffer): Native => ({ length: bytes.length, value: bytes });
  const none: Native = { length: 0, value: null };
  const taken = ([native]: [Native]): Buffer =>
    Number(native.length) === 0
      ? Buffer.alloc(0)
      : Buffer.from(Buffer.from(koffi.view(native.value, Number(native.length))));
  const context: [unknown] = [null];
  const call = (what: string, major: unknown): void => {
    if (major !== 0) throw new Error(`${what}: ${String(major)}`);
  };
  const wrapped = (plain: Buffer, confidential: 0 | 1): Buffer => {
    const token: [Native] = [none];
    call('wrap', wrap([0], context[0], confidential, 0, given(plain), [0], token));
    return taken(token);
  };
  return {
    accept(token) {
      const answer: [Native] = [none];
      const channelBindings =
        bindings === null
          ? null
          : {
              initiator_addrtype: 0,
              initiator_address: none,
              acceptor_addrtype: 0,
              acceptor_address: none,
              application_data: given(bindings),
            };
      const major: unknown = accept(
        [0],
        context,
        null,
        given(token),
        channelBindings,
        null,
        null,
        answer,
        [0],
        null,
        null,
      );
      call('accept', major);
      return taken(answer);
    },
    wrap: (plain) => wrapped(plain, 1),
    sign: (plain) => wrapped(plain, 0),
    unwrap(token) {
      const plain: [Native] = [none];
      call('unwrap', unwrap([0], context[0], given(token), plain, [0], [0]));
      return taken(plain);
    },
  };
}
