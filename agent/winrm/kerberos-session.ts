// Kerberos as a security context: tickets for the target's HTTP service got with a password, sealing as MS-WSMV lays it out. The work is
// done by MIT's library in a child process (docs/decisions/0019-kerberos-in-a-child.md).
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import { kerberosFailure } from './kerberos-failure.ts';
import type { KerberosAnswer, KerberosCall } from './kerberos-messages.ts';
import { joinWrapToken, splitWrapToken } from './kerberos-token.ts';
import { krb5Conf, type KerberosRealm } from './krb5-conf.ts';
import type { ContextRequest, Credentials, SealedMessage, SecurityContext } from './security-context.ts';

const CHILD = join(import.meta.dirname, 'kerberos-child.ts');
/** Two tries at each of two KDCs, and the start of a process. */
const CALL_DEADLINE_MS = 30_000;
/** RFC 5929 2: the application data of the bindings begin with the type's name, which the caller brings. */
const SERVICE = 'HTTP';

export interface KerberosLogon extends KerberosRealm {
  /** Without the realm. */
  readonly user: string;
  /** UTF-8. It is copied into a child process for each connection, which wipes its copy after the logon. */
  readonly password: Buffer;
}

/**
 * @throws winrm_kerberos_settings for a name that Kerberos would read as something else; contexts reject with `winrm_kerberos_*`,
 *   `winrm_logon_failed`, `winrm_account_locked`, `winrm_password_expired`, `winrm_seal_broken`
 */
export function kerberosCredentials(logon: KerberosLogon): Credentials {
  if (logon.user === '' || /[@/\\\p{Cc}]/u.test(logon.user)) {
    throw new AgentError('winrm_kerberos_settings', 'a Kerberos user is a name without domain, @ and /');
  }
  // Said now, not at the first connection.
  krb5Conf(logon, 'host');
  return { kind: 'context', scheme: 'Kerberos', open: (request) => new KerberosSession(logon, request) };
}

/** `\`, `@` and `/` have a meaning in principals (krb5_parse_name). */
const principalOf = ({ user, realm }: KerberosLogon): string => `${user}@${realm}`;

class KerberosSession implements SecurityContext {
  readonly protocol = 'kerberos';
  readonly #logon: KerberosLogon;
  readonly #request: ContextRequest;
  readonly #waiting = new Map<number, { resolve: (answer: KerberosAnswer) => void; reject: (error: Error) => void }>();
  #child: ChildProcess | null = null;
  #calls = 0;
  #closed = false;

  constructor(logon: KerberosLogon, request: ContextRequest) {
    this.#logon = logon;
    this.#request = request;
  }

  async step(token: Buffer | null): Promise<{ token: Buffer | null; done: boolean }> {
    if (this.#child === null) await this.#logOn();
    const { bytes, done } = await this.#call({ call: 'step', token });
    return { token: bytes, done };
  }

  async wrap(plain: Buffer): Promise<SealedMessage> {
    const { bytes } = await this.#call({ call: 'wrap', plain });
    return splitWrapToken(bytes ?? Buffer.alloc(0), plain.length);
  }

  async unwrap(signature: Buffer, sealed: Buffer): Promise<Buffer> {
    const { bytes } = await this.#call({ call: 'unwrap', token: joinWrapToken(signature, sealed) });
    return bytes ?? Buffer.alloc(0);
  }

  close(): void {
    this.#closed = true;
    this.#child?.kill('SIGKILL');
  }

  async #logOn(): Promise<void> {
    const { hostname, channelBinding } = this.#request;
    const conf = krb5Conf(this.#logon, hostname);
    const { password } = this.#logon;
    const service = `${SERVICE}@${hostname.toLowerCase()}`;
    this.#start();
    await this.#call({ call: 'logon', conf, principal: principalOf(this.#logon), password, service, channelBinding });
  }

  #start(): void {
    const child = fork(CHILD, {
      serialization: 'advanced',
      execArgv: ['--disable-sigusr1', '--max-semi-space-size=1'],
      // Nothing of the daemon's surroundings: settings and tickets are the child's own.
      env: { LC_ALL: 'C' },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    child.on('message', (answer: KerberosAnswer) => this.#waiting.get(answer.id)?.resolve(answer));
    const ended = (): void =>
      this.#fail(new AgentError('winrm_kerberos_failed', 'the process that speaks Kerberos ended'));
    child.on('error', ended);
    child.on('exit', ended);
    child.unref();
    child.channel?.unref();
    this.#child = child;
  }

  #fail(error: AgentError): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  async #call(call: KerberosCall): Promise<{ bytes: Buffer | null; done: boolean }> {
    const child = this.#child;
    if (this.#closed || child === null || !child.connected) {
      throw new AgentError('winrm_kerberos_failed', 'the Kerberos context is closed');
    }
    const id = ++this.#calls;
    child.channel?.ref();
    const deadline = setTimeout(() => {
      this.#fail(new AgentError('winrm_kerberos_kdc', `Kerberos gave no answer within ${CALL_DEADLINE_MS / 1_000} s`));
      this.close();
    }, CALL_DEADLINE_MS);
    try {
      const answer = await new Promise<KerberosAnswer>((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        child.send({ id, ...call }, (error) => {
          if (error !== null) reject(new AgentError('winrm_kerberos_failed', 'the process that speaks Kerberos ended'));
        });
      });
      if ('failed' in answer) throw failureOf(answer.failed, answer.minor);
      return { bytes: answer.bytes === null ? null : Buffer.from(answer.bytes), done: answer.done };
    } finally {
      clearTimeout(deadline);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) child.channel?.unref();
    }
  }
}

function failureOf(step: string, minor: number): AgentError {
  if (step === 'library') {
    return new AgentError('winrm_kerberos_library', 'the Kerberos library of this machine cannot be loaded');
  }
  if (step === 'flags') {
    return new AgentError('winrm_answer_invalid', 'the host did not prove itself or takes no encrypted messages');
  }
  return kerberosFailure(step, minor);
}
