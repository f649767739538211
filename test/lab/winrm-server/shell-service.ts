// The remote shell service of the lab: envelopes in, envelopes out (MS-WSMV 3.1.4). It knows neither HTTP nor sealing.
import { randomUUID } from 'node:crypto';
import { childOf, escapeXml, readXml, type XmlElement } from '../../../agent/winrm/xml.ts';
import { RemoteCommand, type CommandHandler } from './remote-command.ts';

const SOAP = 'http://www.w3.org/2003/05/soap-envelope';
const ADDRESSING = 'http://schemas.xmlsoap.org/ws/2004/08/addressing';
const WSMAN = 'http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd';
const SHELL = 'http://schemas.microsoft.com/wbem/wsman/1/windows/shell';
const FAULT = 'http://schemas.microsoft.com/wbem/wsman/1/wsmanfault';
const TRANSFER = 'http://schemas.xmlsoap.org/ws/2004/09/transfer';

export type Operation = 'Create' | 'Command' | 'Send' | 'Receive' | 'Signal' | 'Delete';

export interface ServiceFault {
  /** With prefix: `w:TimedOut`. */
  readonly subcode: string;
  readonly code?: number;
  /** error_Code of a nested WMI error. */
  readonly wmiCode?: number;
}

export class Fault extends Error {
  readonly fault: ServiceFault;
  constructor(fault: ServiceFault) {
    super(fault.subcode);
    this.fault = fault;
  }
}

/** What the client must have asked for; read once, checked as the standard wants it. */
export interface ShellRequest {
  readonly operation: Operation;
  readonly messageId: string;
  readonly shellId: string;
  readonly timeoutMs: number;
  readonly body: XmlElement;
}

interface Shell {
  readonly id: string;
  readonly owner: string;
  readonly commands: Map<string, RemoteCommand>;
}

export interface ServiceLimits {
  readonly maxShellsPerUser: number;
  /** Of output in one answer. */
  readonly chunkBytes: number;
}

export class ShellService {
  readonly #handler: CommandHandler;
  readonly #limits: ServiceLimits;
  readonly #shells = new Map<string, Shell>();
  /** Last answer to a Receive by command, for a client that lost it. */
  readonly #lastReceived = new Map<string, { messageId: string; body: string }>();

  constructor(handler: CommandHandler, limits: ServiceLimits) {
    this.#handler = handler;
    this.#limits = limits;
  }

  get liveShells(): number {
    return this.#shells.size;
  }

  /** Closes a shell, or all of them, as a restart of the service does. */
  dropShells(id?: string): void {
    for (const shell of [...this.#shells.values()]) {
      if (id === undefined || shell.id === id) this.#close(shell);
    }
  }

  /** The inside of the answer's body. Throws Fault. */
  async carryOut(request: ShellRequest, user: string): Promise<string> {
    if (request.operation === 'Create') return this.#create(user);
    const shell = this.#shells.get(request.shellId);
    if (shell === undefined || shell.owner !== user) throw notFound();
    switch (request.operation) {
      case 'Command':
        return this.#command(shell, request);
      case 'Send':
        return this.#send(shell, request);
      case 'Receive':
        return this.#receive(shell, request);
      case 'Signal':
        return this.#signal(shell, request);
      case 'Delete':
        this.#close(shell);
        return '';
    }
  }

  #create(user: string): string {
    const own = [...this.#shells.values()].filter((shell) => shell.owner === user).length;
    if (own >= this.#limits.maxShellsPerUser) throw new Fault({ subcode: 'w:QuotaLimit', code: 2_150_859_173 });
    const id = randomUUID().toUpperCase();
    this.#shells.set(id, { id, owner: user, commands: new Map() });
    return `<rsp:Shell><rsp:ShellId>${id}</rsp:ShellId><rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>`;
  }

  #command(shell: Shell, { body }: ShellRequest): string {
    const line = required(childOf(body, SHELL, 'CommandLine'));
    const program = required(childOf(line, SHELL, 'Command')).text;
    const args = line.children.filter((child) => child.name === 'Arguments').map((child) => child.text);
    const id = randomUUID().toUpperCase();
    shell.commands.set(id, new RemoteCommand(id, program, args, this.#handler));
    return `<rsp:CommandResponse><rsp:CommandId>${id}</rsp:CommandId></rsp:CommandResponse>`;
  }

  #send(shell: Shell, { body }: ShellRequest): string {
    for (const stream of required(childOf(body, SHELL, 'Send')).children) {
      const command = commandOf(shell, stream.attributes.get('CommandId'));
      command.feed(Buffer.from(stream.text, 'base64'), stream.attributes.get('End') === 'true');
    }
    return '<rsp:SendResponse/>';
  }

  async #receive(shell: Shell, { body, messageId, timeoutMs }: ShellRequest): Promise<string> {
    const desired = required(childOf(childOf(body, SHELL, 'Receive'), SHELL, 'DesiredStream'));
    const command = commandOf(shell, desired.attributes.get('CommandId'));
    const last = this.#lastReceived.get(command.id);
    if (last?.messageId === messageId) return last.body;
    const received = await command.receive(timeoutMs, this.#limits.chunkBytes);
    if (received === null) throw new Fault({ subcode: 'w:TimedOut', code: 2_150_858_793 });
    const streams = received.output.map(
      ({ stream, data }) =>
        `<rsp:Stream Name="${stream}" CommandId="${command.id}">${data.toString('base64')}</rsp:Stream>`,
    );
    const state = received.ended
      ? `<rsp:CommandState CommandId="${command.id}" State="${SHELL}/CommandState/Done"><rsp:ExitCode>${command.exitCode! | 0}</rsp:ExitCode></rsp:CommandState>`
      : `<rsp:CommandState CommandId="${command.id}" State="${SHELL}/CommandState/Running"/>`;
    const answer = `<rsp:ReceiveResponse>${streams.join('')}${state}</rsp:ReceiveResponse>`;
    this.#lastReceived.set(command.id, { messageId, body: answer });
    return answer;
  }

  #signal(shell: Shell, { body }: ShellRequest): string {
    const node = required(childOf(body, SHELL, 'Signal'));
    const name = required(childOf(node, SHELL, 'Code'))
      .text.split('/')
      .at(-1)!;
    const command = commandOf(shell, node.attributes.get('CommandId'));
    command.end(name);
    if (name === 'terminate') {
      shell.commands.delete(command.id);
      this.#lastReceived.delete(command.id);
    }
    return '<rsp:SignalResponse/>';
  }

  #close(shell: Shell): void {
    for (const command of shell.commands.values()) command.end('delete');
    this.#shells.delete(shell.id);
  }
}

/** Throws Fault for what is no request of the remote shell. */
export function readRequest(envelope: Buffer): ShellRequest {
  const root = readXml(envelope.toString('utf8'));
  const header = required(childOf(root, SOAP, 'Header'));
  const text = (namespace: string, name: string): string => required(childOf(header, namespace, name)).text;
  const operation = text(ADDRESSING, 'Action').split('/').at(-1) as Operation;
  if (text(WSMAN, 'ResourceURI') !== `${SHELL}/cmd`) throw new Fault({ subcode: 'a:DestinationUnreachable' });
  if (Number(text(WSMAN, 'MaxEnvelopeSize')) < 8_192) throw new Fault({ subcode: 'w:EncodingLimit' });
  const selectors = childOf(header, WSMAN, 'SelectorSet');
  return {
    operation,
    messageId: text(ADDRESSING, 'MessageID'),
    shellId: selectors?.children.find((s) => s.attributes.get('Name') === 'ShellId')?.text ?? '',
    timeoutMs: Number(/^PT([\d.]+)S$/.exec(text(WSMAN, 'OperationTimeout'))?.[1] ?? '60') * 1_000,
    body: required(childOf(root, SOAP, 'Body')),
  };
}

export function writeAnswer(request: ShellRequest, body: string): Buffer {
  const ns = request.operation === 'Create' || request.operation === 'Delete' ? TRANSFER : SHELL;
  return envelope(`${ns}/${request.operation}Response`, request.messageId, body);
}

export function writeFault(fault: ServiceFault, messageId: string): Buffer {
  const wsman =
    fault.code === undefined
      ? ''
      : `<f:WSManFault xmlns:f="${FAULT}" Code="${fault.code}" Machine="lab"><f:Message>lab</f:Message></f:WSManFault>`;
  const wmi =
    fault.wmiCode === undefined
      ? ''
      : `<p:MSFT_WmiError xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/standardcimv2/MSFT_WmiError"><p:error_Code>${fault.wmiCode}</p:error_Code></p:MSFT_WmiError>`;
  return envelope(
    'http://schemas.dmtf.org/wbem/wsman/1/wsman/fault',
    messageId,
    `<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>${fault.subcode}</s:Value></s:Subcode></s:Code>` +
      `<s:Reason><s:Text xml:lang="de-DE">Der Vorgang konnte nicht abgeschlossen werden.</s:Text></s:Reason><s:Detail>${wsman}${wmi}</s:Detail></s:Fault>`,
  );
}

function envelope(action: string, relatesTo: string, body: string): Buffer {
  return Buffer.from(
    `<s:Envelope xml:lang="en-US" xmlns:s="${SOAP}" xmlns:a="${ADDRESSING}" xmlns:w="${WSMAN}" xmlns:rsp="${SHELL}"><s:Header>` +
      `<a:Action>${action}</a:Action><a:MessageID>uuid:${randomUUID()}</a:MessageID><a:RelatesTo>${escapeXml(relatesTo)}</a:RelatesTo>` +
      `</s:Header><s:Body>${body}</s:Body></s:Envelope>`,
  );
}

function commandOf(shell: Shell, id: string | undefined): RemoteCommand {
  const command = shell.commands.get(id ?? '');
  if (command === undefined) throw notFound();
  return command;
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Fault({ subcode: 'w:SchemaValidationError' });
  return value;
}

function notFound(): Fault {
  return new Fault({ subcode: 'w:InvalidSelectors', code: 2_150_858_843 });
}
