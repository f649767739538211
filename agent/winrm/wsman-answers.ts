// Answer envelopes of the remote shell (MS-WSMV 3.1.4), pure. Every answer must relate to its request; faults come back as
// values, since some of them ("no output yet") are no failures.
import { AgentError } from '../errors/agent-error.ts';
import { NS, STATE_DONE } from './wsman-names.ts';
import type { WsmanRequest } from './wsman-requests.ts';
import { childOf, readXml, type XmlElement } from './xml.ts';

/** What a SOAP fault says, as far as it can be relied on: codes, never its text, which is localised. */
export interface WsmanFault {
  /** Local name of the subcode, `TimedOut` for instance; '' where there is none. */
  readonly subcode: string;
  /** Code attribute of WSManFault, or null. */
  readonly code: number | null;
  /** error_Code of a WMI error in the detail (Windows reports some quotas so), or null. */
  readonly wmiCode: number | null;
}

export type WsmanAnswer =
  { readonly kind: 'body'; readonly body: XmlElement } | { readonly kind: 'fault'; readonly fault: WsmanFault };

/** Throws `winrm_answer_invalid`. */
export function readAnswer(request: Pick<WsmanRequest, 'messageId' | 'operation'>, bytes: Buffer): WsmanAnswer {
  const envelope = readXml(utf8(bytes));
  const header = childOf(envelope, NS.soap, 'Header');
  const body = childOf(envelope, NS.soap, 'Body');
  if (envelope.namespace !== NS.soap || envelope.name !== 'Envelope' || body === undefined) {
    throw invalid('an answer that is no SOAP envelope', request);
  }
  const fault = childOf(body, NS.soap, 'Fault');
  const relatesTo = childOf(header, NS.addressing, 'RelatesTo')?.text.trim() ?? '';
  // A server that could not read the request has no MessageID to relate its fault to.
  const anonymousFault = fault !== undefined && relatesTo === '';
  if (!anonymousFault && relatesTo.toLowerCase() !== `uuid:${request.messageId.toLowerCase()}`) {
    throw invalid('an answer that belongs to another request', request);
  }
  return fault === undefined ? { kind: 'body', body } : { kind: 'fault', fault: faultOf(fault) };
}

/** The id of a new shell, from the reference parameters or the shell itself. */
export function shellIdOf(body: XmlElement): string {
  const found = find(body, (e) => e.name === 'Selector' && e.attributes.get('Name') === 'ShellId');
  const shell = childOf(childOf(body, NS.shell, 'Shell'), NS.shell, 'ShellId');
  return identifier((found ?? shell)?.text, 'shell');
}

export function commandIdOf(body: XmlElement): string {
  const response = childOf(body, NS.shell, 'CommandResponse');
  return identifier(childOf(response, NS.shell, 'CommandId')?.text, 'command');
}

export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

export interface Received {
  readonly chunks: readonly OutputChunk[];
  /** Null while the command runs. */
  readonly ended: { readonly exitCode: number } | null;
}

export function receivedOf(body: XmlElement, commandId: string): Received {
  const response = childOf(body, NS.shell, 'ReceiveResponse');
  if (response === undefined) throw invalid('an answer without output and without a state');
  const chunks: OutputChunk[] = [];
  let ended: Received['ended'] = null;
  for (const child of response.children) {
    if (child.namespace !== NS.shell) continue;
    const id = child.attributes.get('CommandId');
    if (id !== undefined && id.toLowerCase() !== commandId.toLowerCase()) {
      throw invalid('output of another command');
    }
    if (child.name === 'Stream') {
      const stream = child.attributes.get('Name');
      if (stream !== 'stdout' && stream !== 'stderr') throw invalid('output of a stream that was not asked for');
      const data = base64(child.text);
      if (data.length > 0) chunks.push({ stream, data });
    } else if (child.name === 'CommandState' && child.attributes.get('State') === STATE_DONE) {
      ended = { exitCode: exitCode(childOf(child, NS.shell, 'ExitCode')?.text) };
    }
  }
  return { chunks, ended };
}

function faultOf(fault: XmlElement): WsmanFault {
  const code = childOf(fault, NS.soap, 'Code');
  const subcode = childOf(childOf(code, NS.soap, 'Subcode'), NS.soap, 'Value')?.text.trim() ?? '';
  const detail = childOf(fault, NS.soap, 'Detail');
  const wsman = detail && find(detail, (e) => e.name === 'WSManFault');
  const wmi = detail && find(detail, (e) => e.name === 'error_Code');
  return {
    subcode: subcode.slice(subcode.indexOf(':') + 1).slice(0, 64),
    code: unsigned(wsman?.attributes.get('Code')),
    wmiCode: unsigned(wmi?.text),
  };
}

/** First element that fits, depth first; the reader has bounded the depth. */
function find(element: XmlElement, fits: (e: XmlElement) => boolean): XmlElement | undefined {
  if (fits(element)) return element;
  for (const child of element.children) {
    const found = find(child, fits);
    if (found !== undefined) return found;
  }
  return undefined;
}

function identifier(text: string | undefined, of: string): string {
  const id = text?.trim() ?? '';
  if (!/^[0-9A-Za-z{}\-:]{1,64}$/.test(id)) throw invalid(`an answer without the id of the ${of}`);
  return id;
}

/** Servers write it signed or unsigned; a signed 32-bit number comes out. */
function exitCode(text: string | undefined): number {
  const found = /^\s*(-?\d{1,10})\s*$/.exec(text ?? '');
  const value = Number(found?.[1]);
  if (found === null || value < -0x80000000 || value > 0xffffffff) {
    throw invalid('a command that has ended without an exit code');
  }
  return value | 0;
}

/** Decimal, signed or not, or hexadecimal; as an unsigned 32-bit number. */
function unsigned(text: string | undefined): number | null {
  const trimmed = text?.trim() ?? '';
  if (!/^(?:-?\d{1,10}|0x[0-9a-fA-F]{1,8})$/.test(trimmed)) return null;
  return Number(trimmed) >>> 0;
}

function base64(text: string): Buffer {
  const compact = text.replace(/[ \t\r\n]+/g, '');
  if (compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) throw invalid('output that is no base64');
  return Buffer.from(compact, 'base64');
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new AgentError('winrm_answer_invalid', 'an answer that is no UTF-8', { cause: error });
  }
}

function invalid(sentence: string, request?: Pick<WsmanRequest, 'operation'>): AgentError {
  return new AgentError('winrm_answer_invalid', sentence, request && { details: { operation: request.operation } });
}
