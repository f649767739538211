// The few calls of GSS-API (RFC 2744) that a Kerberos logon needs, from MIT's library through koffi. Calls block, and what comes from
// the network is read by native code: only kerberos-child.ts loads this, a process of its own.
import { createRequire } from 'node:module';

const LIBRARY = 'libgssapi_krb5.so.2';
/** RFC 2744 3.9.1: calling and routine errors are in the upper half. The lower half says of a message that it is old, doubled or out of order. */
const CONTINUE_NEEDED = 1;
const MUTUAL = 0x02;
const REPLAY = 0x04;
const SEQUENCE = 0x08;
const CONFIDENTIAL = 0x10;
const INTEGRITY = 0x20;
const FLAGS = MUTUAL | REPLAY | SEQUENCE | CONFIDENTIAL | INTEGRITY;
const INITIATE = 1;
/** GSS_C_AF_UNSPEC and GSS_C_AF_NULLADDR are not told apart by anybody: bindings of TLS carry application data only. */
const NO_ADDRESS = 0;

/** 1.2.840.113554.1.2.2, Kerberos 5. */
const KRB5 = Buffer.from('2a864886f712010202', 'hex');
/** 1.2.840.113554.1.2.1.4, `service@host`. */
const HOSTBASED_SERVICE = Buffer.from('2a864886f71201020104', 'hex');
/** 1.2.840.113554.1.2.2.1, a principal as Kerberos writes it. */
const KRB5_PRINCIPAL = Buffer.from('2a864886f71201020201', 'hex');

/** A call that failed: where, and the mechanism's own number. */
export class GssFailure extends Error {
  readonly step: string;
  readonly minor: number;

  constructor(step: string, minor: number) {
    super(`${step} ${minor}`);
    this.step = step;
    this.minor = minor;
  }
}

export interface GssContext {
  /** The next token to send, and whether this side is done. Throws GssFailure. */
  step(token: Buffer | null): { readonly token: Buffer | null; readonly done: boolean };
  /** A wrap token with the data encrypted. Throws GssFailure. */
  wrap(plain: Buffer): Buffer;
  /** Throws GssFailure, also where the peer only signed. */
  unwrap(token: Buffer): Buffer;
}

export interface GssLogon {
  /** `user@REALM`. */
  readonly principal: string;
  /** UTF-8. */
  readonly password: Buffer;
  /** `HTTP@host`. */
  readonly service: string;
  readonly channelBinding: Buffer | null;
}

/**
 * Gets a ticket with the password, kept in memory. KRB5_CONFIG must be set before.
 *
 * @throws GssFailure; a plain Error where the library is missing
 */
export function logOn(logon: GssLogon): GssContext {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(LIBRARY);
  const bufferType = koffi.struct('gss_buffer', { length: 'size_t', value: 'void *' });
  const oidType = koffi.struct('gss_oid', { length: 'uint32_t', elements: 'void *' });
  koffi.struct('gss_channel_bindings', {
    initiator_addrtype: 'uint32_t',
    initiator_address: bufferType,
    acceptor_addrtype: 'uint32_t',
    acceptor_address: bufferType,
    application_data: bufferType,
  });
  koffi.struct('gss_oid_set', { count: 'size_t', elements: koffi.pointer(oidType) });
  const importName = library.func(
    'uint32_t gss_import_name(_Out_ uint32_t *minor, gss_buffer *name, gss_oid *type, _Out_ void **out)',
  );
  const acquire = library.func(
    'uint32_t gss_acquire_cred_with_password(_Out_ uint32_t *minor, void *name, gss_buffer *password, uint32_t time, gss_oid_set *mechs, int usage, _Out_ void **cred, void *actual, void *time_rec)',
  );
  const initContext = library.func(
    'uint32_t gss_init_sec_context(_Out_ uint32_t *minor, void *cred, _Inout_ void **context, void *target, gss_oid *mech, uint32_t flags, uint32_t time, gss_channel_bindings *bindings, gss_buffer *input, void *actual_mech, _Out_ gss_buffer *output, _Out_ uint32_t *ret_flags, void *time_rec)',
  );
  const gssWrap = library.func(
    'uint32_t gss_wrap(_Out_ uint32_t *minor, void *context, int conf, uint32_t qop, gss_buffer *input, _Out_ int *conf_state, _Out_ gss_buffer *output)',
  );
  const gssUnwrap = library.func(
    'uint32_t gss_unwrap(_Out_ uint32_t *minor, void *context, gss_buffer *input, _Out_ gss_buffer *output, _Out_ int *conf_state, _Out_ uint32_t *qop)',
  );
  const releaseBuffer = library.func('uint32_t gss_release_buffer(_Out_ uint32_t *minor, _Inout_ gss_buffer *buffer)');

  interface NativeBuffer {
    length: number | bigint;
    value: unknown;
  }
  const given = (bytes: Buffer): NativeBuffer => ({ length: bytes.length, value: bytes });
  const oid = (bytes: Buffer): { length: number; elements: Buffer } => ({ length: bytes.length, elements: bytes });

  /** `minor` is the first output of a call. A doubled or late message is no less refused than a false one. */
  const check = (step: string, major: number, minor: readonly [number]): number => {
    if ((major & ~CONTINUE_NEEDED) !== 0) throw new GssFailure(step, minor[0]);
    return major;
  };
  /** Copies what the library allocated, and gives it back. */
  const taken = (out: readonly [NativeBuffer]): Buffer => {
    const length = Number(out[0].length);
    const bytes = length === 0 ? Buffer.alloc(0) : Buffer.from(Buffer.from(koffi.view(out[0].value, length)));
    releaseBuffer([0], out);
    return bytes;
  };

  const nameOf = (text: string, type: Buffer): unknown => {
    const minor: [number] = [0];
    const out: [unknown] = [null];
    check('name', importName(minor, given(Buffer.from(text, 'utf8')), oid(type), out) as number, minor);
    return out[0];
  };
  const target = nameOf(logon.service, HOSTBASED_SERVICE);
  const minor: [number] = [0];
  const credential: [unknown] = [null];
  const mechs = { count: 1, elements: [oid(KRB5)] };
  const principal = nameOf(logon.principal, KRB5_PRINCIPAL);
  check(
    'logon',
    acquire(minor, principal, given(logon.password), 0, mechs, INITIATE, credential, null, null) as number,
    minor,
  );
  const none: NativeBuffer = { length: 0, value: null };
  const bindings =
    logon.channelBinding === null
      ? null
      : {
          initiator_addrtype: NO_ADDRESS,
          initiator_address: none,
          acceptor_addrtype: NO_ADDRESS,
          acceptor_address: none,
          application_data: given(logon.channelBinding),
        };
  const context: [unknown] = [null];
  return {
    step(token) {
      const out: [NativeBuffer] = [none];
      const input = token === null ? null : given(token);
      const flags: [number] = [0];
      const major = check(
        'context',
        initContext(
          minor,
          credential[0],
          context,
          target,
          oid(KRB5),
          FLAGS,
          0,
          bindings,
          input,
          null,
          out,
          flags,
          null,
        ) as number,
        minor,
      );
      const answer = taken(out);
      const done = (major & CONTINUE_NEEDED) === 0;
      // A server that did not prove itself, or a session without encryption, is none.
      if (done && (flags[0] & FLAGS) !== FLAGS) throw new GssFailure('flags', 0);
      return { token: answer.length === 0 ? null : answer, done };
    },
    wrap(plain) {
      const out: [NativeBuffer] = [none];
      const confidential: [number] = [0];
      check('wrap', gssWrap(minor, context[0], 1, 0, given(plain), confidential, out) as number, minor);
      const token = taken(out);
      if (confidential[0] === 0) throw new GssFailure('wrap', 0);
      return token;
    },
    unwrap(token) {
      const out: [NativeBuffer] = [none];
      const confidential: [number] = [0];
      check('unwrap', gssUnwrap(minor, context[0], given(token), out, confidential, [0]) as number, minor);
      const plain = taken(out);
      if (confidential[0] === 0) throw new GssFailure('unwrap', 0);
      return plain;
    },
  };
}
