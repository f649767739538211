// What an authentication protocol is to this room: it makes tokens until both sides agree, then seals messages. One context
// belongs to one TCP connection and ends with it.

/** What was sealed, split as MS-WSMV 2.2.9.1 wants it: the signature's own length is written before it. */
export interface SealedMessage {
  readonly signature: Buffer;
  readonly sealed: Buffer;
}

/**
 * One security context. Calls are never concurrent: a connection is used by one caller at a time, since both protocols count
 * messages. A context that has failed is not used again.
 */
export interface SecurityContext {
  readonly protocol: 'ntlm' | 'kerberos';
  /**
   * The next token to send, from the last one received (null at the start). `done`: nothing more is expected from the server,
   * or what came last was its end of it. Rejects with `winrm_challenge_weak`, `winrm_answer_invalid` or a code of the protocol.
   */
  step(token: Buffer | null): Promise<{ readonly token: Buffer | null; readonly done: boolean }>;
  /** Seals one message; only after `done`. */
  wrap(plain: Buffer): Promise<SealedMessage>;
  /** Opens one message. Rejects with `winrm_seal_broken` where signature or sequence number are not right. */
  unwrap(signature: Buffer, sealed: Buffer): Promise<Buffer>;
  /** Forgets keys and handles. May be called twice. */
  close(): void;
}

/** What a connection tells the context that is made for it. */
export interface ContextRequest {
  /** Host name as the target is addressed; service names are made from it (`HTTP/<hostname>`). */
  readonly hostname: string;
  /**
   * `tls-server-end-point:` and the hash of the server's certificate (RFC 5929), null without TLS. It is the application data
   * of the channel bindings.
   */
  readonly channelBinding: Buffer | null;
}

/**
 * How a session authenticates. `context` is any other protocol: `scheme` is the word of the HTTP header, and it decides the
 * media type of sealed bodies (Negotiate → SPNEGO, Kerberos → Kerberos).
 */
export type Credentials =
  | {
      readonly kind: 'ntlm';
      /** `user`, with `domain` beside it; or `user@domain` with an empty domain. */
      readonly user: string;
      readonly domain: string;
      /** UTF-8. The caller may wipe it once the session is closed. */
      readonly password: Buffer;
      /** Wraps the NTLM tokens in SPNEGO (RFC 4178); default false: bare, as Windows takes them too. */
      readonly spnego?: boolean;
    }
  | { readonly kind: 'basic_tls'; readonly user: string; readonly password: Buffer }
  | {
      readonly kind: 'certificate';
      /** Private key and certificate chain in one PEM text. The caller may wipe it once the session is closed. */
      readonly pem: Buffer;
    }
  | {
      readonly kind: 'context';
      readonly scheme: 'Negotiate' | 'Kerberos';
      readonly open: (request: ContextRequest) => SecurityContext;
    };
