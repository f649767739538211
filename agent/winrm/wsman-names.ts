// Namespaces, actions and URIs of WS-Management and its remote shell (DSP0226, MS-WSMV 2.2.1).

export const NS = {
  soap: 'http://www.w3.org/2003/05/soap-envelope',
  addressing: 'http://schemas.xmlsoap.org/ws/2004/08/addressing',
  wsman: 'http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd',
  microsoft: 'http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd',
  fault: 'http://schemas.microsoft.com/wbem/wsman/1/wsmanfault',
  shell: 'http://schemas.microsoft.com/wbem/wsman/1/windows/shell',
  transfer: 'http://schemas.xmlsoap.org/ws/2004/09/transfer',
} as const;

export const ANONYMOUS = 'http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous';
export const SHELL_URI = `${NS.shell}/cmd`;
export const STATE_DONE = `${NS.shell}/CommandState/Done`;

export type Operation = 'Create' | 'Command' | 'Send' | 'Receive' | 'Signal' | 'Delete';

export const ACTIONS: Readonly<Record<Operation, string>> = {
  Create: `${NS.transfer}/Create`,
  Delete: `${NS.transfer}/Delete`,
  Command: `${NS.shell}/Command`,
  Send: `${NS.shell}/Send`,
  Receive: `${NS.shell}/Receive`,
  Signal: `${NS.shell}/Signal`,
};

export type SignalName = 'terminate' | 'ctrl_c';
export const SIGNALS: Readonly<Record<SignalName, string>> = {
  terminate: `${NS.shell}/signal/terminate`,
  ctrl_c: `${NS.shell}/signal/ctrl_c`,
};
