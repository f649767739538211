// Request envelopes of the remote shell (MS-WSMV 3.1.4). Pure: the same values give the same bytes, which is what makes
// sending a request again possible.
import { MAX_ENVELOPE_BYTES } from './limits.ts';
import { ACTIONS, ANONYMOUS, NS, SHELL_URI, SIGNALS, type Operation, type SignalName } from './wsman-names.ts';
import { escapeXml } from './xml.ts';

export interface RequestHead {
  /** URL of the service, as addressed. */
  readonly to: string;
  /** A UUID; the answer must relate to it. */
  readonly messageId: string;
  readonly operationMs: number;
}

export interface WsmanRequest {
  readonly operation: Operation;
  readonly messageId: string;
  readonly envelope: Buffer;
}

/** UTF-8, so that output does not depend on the language of the host. */
const CODE_PAGE = '65001';
const LOCALE = 'en-US';

interface Content {
  readonly operation: Operation;
  readonly shellId?: string;
  readonly options?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** `idleMs`: the server closes a shell that nobody used for so long. */
export function createRequest(head: RequestHead, idleMs: number): WsmanRequest {
  return envelope(head, {
    operation: 'Create',
    options: { WINRS_NOPROFILE: 'TRUE', WINRS_CODEPAGE: CODE_PAGE },
    body:
      `<rsp:Shell><rsp:IdleTimeOut>${duration(idleMs)}</rsp:IdleTimeOut><rsp:InputStreams>stdin</rsp:InputStreams>` +
      '<rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>',
  });
}

/** Started without cmd.exe in between: the command line may be 32,766 characters long, and nothing expands it. */
export function commandRequest(
  head: RequestHead,
  shellId: string,
  command: string,
  args: readonly string[],
): WsmanRequest {
  const given = args.map((argument) => `<rsp:Arguments>${escapeXml(argument)}</rsp:Arguments>`).join('');
  return envelope(head, {
    operation: 'Command',
    shellId,
    options: { WINRS_CONSOLEMODE_STDIN: 'FALSE', WINRS_SKIP_CMD_SHELL: 'TRUE' },
    body: `<rsp:CommandLine><rsp:Command>${escapeXml(command)}</rsp:Command>${given}</rsp:CommandLine>`,
  });
}

export function sendRequest(
  head: RequestHead,
  shellId: string,
  commandId: string,
  data: Buffer,
  end: boolean,
): WsmanRequest {
  const closing = end ? ' End="true"' : '';
  return envelope(head, {
    operation: 'Send',
    shellId,
    body: `<rsp:Send><rsp:Stream Name="stdin" CommandId="${escapeXml(commandId)}"${closing}>${data.toString('base64')}</rsp:Stream></rsp:Send>`,
  });
}

export function receiveRequest(head: RequestHead, shellId: string, commandId: string): WsmanRequest {
  return envelope(head, {
    operation: 'Receive',
    shellId,
    body: `<rsp:Receive><rsp:DesiredStream CommandId="${escapeXml(commandId)}">stdout stderr</rsp:DesiredStream></rsp:Receive>`,
  });
}

export function signalRequest(head: RequestHead, shellId: string, commandId: string, name: SignalName): WsmanRequest {
  return envelope(head, {
    operation: 'Signal',
    shellId,
    body: `<rsp:Signal CommandId="${escapeXml(commandId)}"><rsp:Code>${SIGNALS[name]}</rsp:Code></rsp:Signal>`,
  });
}

export function deleteRequest(head: RequestHead, shellId: string): WsmanRequest {
  return envelope(head, { operation: 'Delete', shellId, body: '' });
}

function envelope(head: RequestHead, content: Content): WsmanRequest {
  const { operation, shellId, options, body } = content;
  const must = 's:mustUnderstand="true"';
  const selectors =
    shellId === undefined
      ? ''
      : `<w:SelectorSet><w:Selector Name="ShellId">${escapeXml(shellId)}</w:Selector></w:SelectorSet>`;
  const named = Object.entries(options ?? {}).map(([name, value]) => `<w:Option Name="${name}">${value}</w:Option>`);
  const optionSet = named.length === 0 ? '' : `<w:OptionSet>${named.join('')}</w:OptionSet>`;
  const text =
    `<s:Envelope xmlns:s="${NS.soap}" xmlns:a="${NS.addressing}" xmlns:w="${NS.wsman}" xmlns:p="${NS.microsoft}" xmlns:rsp="${NS.shell}">` +
    `<s:Header><a:To>${escapeXml(head.to)}</a:To><w:ResourceURI ${must}>${SHELL_URI}</w:ResourceURI>` +
    `<a:ReplyTo><a:Address ${must}>${ANONYMOUS}</a:Address></a:ReplyTo><a:Action ${must}>${ACTIONS[operation]}</a:Action>` +
    `<w:MaxEnvelopeSize ${must}>${MAX_ENVELOPE_BYTES}</w:MaxEnvelopeSize><a:MessageID>uuid:${head.messageId.toUpperCase()}</a:MessageID>` +
    `<w:Locale xml:lang="${LOCALE}" s:mustUnderstand="false"/><p:DataLocale xml:lang="${LOCALE}" s:mustUnderstand="false"/>` +
    `<w:OperationTimeout>${duration(head.operationMs)}</w:OperationTimeout>${selectors}${optionSet}</s:Header>` +
    `<s:Body>${body}</s:Body></s:Envelope>`;
  return { operation, messageId: head.messageId, envelope: Buffer.from(text, 'utf8') };
}

/** XML Schema duration, in milliseconds at most. */
function duration(ms: number): string {
  return `PT${(ms / 1_000).toFixed(3).replace(/\.?0+$/, '')}S`;
}
