// One NTLMv2 logon and the sealing that follows, as a state machine that refuses calls out of order (MS-NLMP 3.1.5, 3.4).
import { AgentError } from '../errors/agent-error.ts';
import { AV_CHANNEL_BINDINGS, AV_FLAGS, AV_FLAG_MIC, AV_TARGET_NAME, AV_TIMESTAMP, writeAvPairs } from './av-pairs.ts';
import type { AvPair } from './av-pairs.ts';
import { ntlmChannelBindings } from './channel-binding.ts';
import { ASKED } from './ntlm-flags.ts';
import { hmacMd5, ntowfV2, ntProof, proofInput, sessionKeys } from './ntlm-keys.ts';
import { placeMic, readChallenge, writeAuthenticate, writeNegotiate } from './ntlm-messages.ts';
import { Rc4 } from './rc4.ts';
import { NtlmDirection } from './seal.ts';
import type { ContextRequest, SealedMessage, SecurityContext } from './security-context.ts';

export interface NtlmLogon extends ContextRequest {
  readonly user: string;
  readonly domain: string;
  /** UTF-8. */
  readonly password: Buffer;
}

export interface NtlmDeps {
  readonly randomBytes: (length: number) => Buffer;
  /** Unix milliseconds, for servers that send no time of their own. */
  readonly nowMs: () => number;
}

/** 1601-01-01 to 1970-01-01, in units of 100 ns. */
const FILETIME_OFFSET = 116_444_736_000_000_000n;

/** A context that also signs in clear, which SPNEGO needs for its mechListMIC. */
export class NtlmSession implements SecurityContext {
  readonly protocol = 'ntlm';
  readonly #logon: NtlmLogon;
  readonly #deps: NtlmDeps;
  #state: 'new' | 'negotiated' | 'ready' | 'closed' = 'new';
  #negotiate: Buffer = Buffer.alloc(0);
  #client: NtlmDirection | null = null;
  #server: NtlmDirection | null = null;

  constructor(logon: NtlmLogon, deps: NtlmDeps) {
    this.#logon = logon;
    this.#deps = deps;
  }

  async step(token: Buffer | null): Promise<{ token: Buffer | null; done: boolean }> {
    if (this.#state === 'new' && token === null) {
      this.#negotiate = writeNegotiate();
      this.#state = 'negotiated';
      return { token: this.#negotiate, done: false };
    }
    if (this.#state === 'negotiated' && token !== null) {
      const answer = this.#authenticate(token);
      this.#state = 'ready';
      return { token: answer, done: true };
    }
    throw new AgentError('winrm_answer_invalid', 'an NTLM token out of order');
  }

  async wrap(plain: Buffer): Promise<SealedMessage> {
    return this.outgoing().seal(plain);
  }

  async unwrap(signature: Buffer, sealed: Buffer): Promise<Buffer> {
    return this.incoming().unseal(signature, sealed);
  }

  /** For SPNEGO: signing in clear and a new start of the cipher. */
  outgoing(): NtlmDirection {
    return ready(this.#client);
  }

  incoming(): NtlmDirection {
    return ready(this.#server);
  }

  close(): void {
    this.#client?.wipe();
    this.#server?.wipe();
    this.#client = null;
    this.#server = null;
    this.#state = 'closed';
  }

  #authenticate(challengeToken: Buffer): Buffer {
    const challenge = readChallenge(challengeToken);
    const timestamp = valueOf(challenge.targetInfo, AV_TIMESTAMP) ?? this.#fileTime();
    if (timestamp.length !== 8) throw new AgentError('winrm_answer_invalid', 'an NTLM timestamp of odd length');
    const password = this.#logon.password.toString('utf8');
    const userKey = ntowfV2(password, this.#logon.user, this.#logon.domain);
    const temp = proofInput(timestamp, this.#deps.randomBytes(8), this.#targetInfo(challenge.targetInfo));
    const proof = ntProof(userKey, challenge.serverChallenge, temp);
    const baseKey = hmacMd5(userKey, proof);
    const exportedKey = this.#deps.randomBytes(16);
    const message = writeAuthenticate({
      flags: (challenge.flags & ASKED) >>> 0,
      user: this.#logon.user,
      domain: this.#logon.domain,
      ntResponse: Buffer.concat([proof, temp]),
      encryptedSessionKey: new Rc4(baseKey).apply(exportedKey),
    });
    placeMic(message, hmacMd5(exportedKey, this.#negotiate, challengeToken, message));
    const keys = sessionKeys(exportedKey);
    this.#client = new NtlmDirection(keys.client);
    this.#server = new NtlmDirection(keys.server);
    for (const secret of [userKey, baseKey, exportedKey]) secret.fill(0);
    return message;
  }

  /** The server's pairs, and what binds the logon to this message, this service and this TLS connection. */
  #targetInfo(received: readonly AvPair[]): Buffer {
    const flags = Buffer.alloc(4);
    const sent = valueOf(received, AV_FLAGS);
    flags.writeUInt32LE(((sent?.length === 4 ? sent.readUInt32LE() : 0) | AV_FLAG_MIC) >>> 0);
    const own = new Set<number>([AV_FLAGS, AV_TARGET_NAME, AV_CHANNEL_BINDINGS]);
    const { channelBinding, hostname } = this.#logon;
    return writeAvPairs([
      ...received.filter(({ id }) => !own.has(id)),
      { id: AV_FLAGS, value: flags },
      {
        id: AV_CHANNEL_BINDINGS,
        value: channelBinding === null ? Buffer.alloc(16) : ntlmChannelBindings(channelBinding),
      },
      { id: AV_TARGET_NAME, value: Buffer.from(`HTTP/${hostname}`, 'utf16le') },
    ]);
  }

  #fileTime(): Buffer {
    const time = Buffer.alloc(8);
    time.writeBigUInt64LE(BigInt(Math.trunc(this.#deps.nowMs())) * 10_000n + FILETIME_OFFSET);
    return time;
  }
}

function valueOf(pairs: readonly AvPair[], id: number): Buffer | undefined {
  return pairs.find((pair) => pair.id === id)?.value;
}

function ready(direction: NtlmDirection | null): NtlmDirection {
  if (direction === null) throw new AgentError('winrm_answer_invalid', 'an NTLM session is used before its logon');
  return direction;
}
