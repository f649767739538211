// NTLM inside SPNEGO (RFC 4178, MS-SPNG): the same logon and sealing, with the choice of mechanism signed by both sides.
import { AgentError } from '../errors/agent-error.ts';
import type { NtlmSession } from './ntlm-session.ts';
import type { SealedMessage, SecurityContext } from './security-context.ts';
import { MECHANISMS, readResponse, writeInit, writeResponse } from './spnego-tokens.ts';

export class SpnegoSession implements SecurityContext {
  readonly protocol = 'ntlm';
  readonly #ntlm: NtlmSession;
  #state: 'new' | 'offered' | 'answered' | 'ready' = 'new';

  constructor(ntlm: NtlmSession) {
    this.#ntlm = ntlm;
  }

  async step(token: Buffer | null): Promise<{ token: Buffer | null; done: boolean }> {
    if (this.#state === 'new' && token === null) {
      const first = await this.#ntlm.step(null);
      this.#state = 'offered';
      return { token: writeInit(bytesOf(first.token)), done: false };
    }
    if (this.#state === 'offered' && token !== null) {
      const last = await this.#ntlm.step(bytesOf(readResponse(token).mechToken));
      const mic = this.#ntlm.outgoing().sign(MECHANISMS);
      this.#ntlm.outgoing().restartCipher();
      this.#state = 'answered';
      return { token: writeResponse(bytesOf(last.token), mic), done: false };
    }
    if (this.#state === 'answered' && token !== null) {
      this.#finish(token);
      this.#state = 'ready';
      return { token: null, done: true };
    }
    throw new AgentError('winrm_answer_invalid', 'a SPNEGO token out of order');
  }

  async wrap(plain: Buffer): Promise<SealedMessage> {
    return this.#ntlm.wrap(plain);
  }

  async unwrap(signature: Buffer, sealed: Buffer): Promise<Buffer> {
    return this.#ntlm.unwrap(signature, sealed);
  }

  close(): void {
    this.#ntlm.close();
  }

  #finish(token: Buffer): void {
    const { state, mechListMic } = readResponse(token);
    if (state !== 'accept_completed' || mechListMic === null) {
      throw new AgentError('winrm_answer_invalid', 'the server ends SPNEGO without signing the list of mechanisms');
    }
    this.#ntlm.incoming().verify(MECHANISMS, mechListMic);
    this.#ntlm.incoming().restartCipher();
  }
}

function bytesOf(token: Buffer | null): Buffer {
  if (token === null) throw new AgentError('winrm_answer_invalid', 'a SPNEGO answer without a token');
  return token;
}
