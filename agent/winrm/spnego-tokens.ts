// Tokens of SPNEGO (RFC 4178, section 4.2), pure, with NTLM as the one mechanism that is offered.
import { AgentError } from '../errors/agent-error.ts';
import { readAll, readTlv, writeTlv } from './der.ts';

const SPNEGO_OID = Buffer.from('06062b0601050502', 'hex');
const NTLM_OID = Buffer.from('060a2b06010401823702020a', 'hex');

const APPLICATION = 0x60;
const SEQUENCE = 0x30;
const OCTETS = 0x04;
const OID = 0x06;
const ENUMERATED = 0x0a;
const context = (n: number): number => 0xa0 + n;

/** The list of mechanisms in DER: what the mechListMIC is over. */
export const MECHANISMS: Buffer = writeTlv(SEQUENCE, NTLM_OID);

/** NegTokenInit with the first token of the mechanism. */
export function writeInit(mechToken: Buffer): Buffer {
  const fields = writeTlv(
    SEQUENCE,
    writeTlv(context(0), MECHANISMS),
    writeTlv(context(2), writeTlv(OCTETS, mechToken)),
  );
  return writeTlv(APPLICATION, SPNEGO_OID, writeTlv(context(0), fields));
}

/** NegTokenResp of the client: its last token, and the signature over the list of mechanisms. */
export function writeResponse(mechToken: Buffer, mechListMic: Buffer): Buffer {
  const fields = [
    writeTlv(context(2), writeTlv(OCTETS, mechToken)),
    writeTlv(context(3), writeTlv(OCTETS, mechListMic)),
  ];
  return writeTlv(context(1), writeTlv(SEQUENCE, ...fields));
}

export type NegState = 'accept_completed' | 'accept_incomplete' | 'reject' | 'request_mic';
const STATES: readonly NegState[] = ['accept_completed', 'accept_incomplete', 'reject', 'request_mic'];

export interface NegResponse {
  readonly state: NegState | null;
  readonly mechToken: Buffer | null;
  readonly mechListMic: Buffer | null;
}

/** NegTokenResp of the server. Throws `winrm_answer_invalid`, also where another mechanism than NTLM was chosen. */
export function readResponse(token: Buffer): NegResponse {
  const outer = readTlv(token, 0);
  const inner = outer.tag === context(1) && outer.end === token.length ? readTlv(outer.value, 0) : null;
  if (inner === null || inner.tag !== SEQUENCE) throw invalid('the token of the server is no SPNEGO answer');
  let state: NegState | null = null;
  let mechToken: Buffer | null = null;
  let mechListMic: Buffer | null = null;
  for (const field of readAll(inner.value)) {
    const value = readTlv(field.value, 0);
    if (field.tag === context(0) && value.tag === ENUMERATED) state = STATES[value.value[0] ?? -1] ?? null;
    else if (field.tag === context(1) && value.tag === OID) {
      if (!field.value.equals(NTLM_OID)) throw invalid('the server chose a mechanism that was not offered');
    } else if (field.tag === context(2) && value.tag === OCTETS) mechToken = value.value;
    else if (field.tag === context(3) && value.tag === OCTETS) mechListMic = value.value;
    else throw invalid('a SPNEGO answer with a field that does not belong there');
  }
  return { state, mechToken, mechListMic };
}

function invalid(sentence: string): AgentError {
  return new AgentError('winrm_answer_invalid', sentence);
}
