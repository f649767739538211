// WS-Management faults → codes with a cause that a technician understands. Pure. The numbers are those of Windows
// (wsmerror.h, winerror.h); where only the subcode is known it decides.
import { AgentError } from '../errors/agent-error.ts';
import type { ErrorCode } from '../errors/codes.ts';
import type { WsmanFault } from './wsman-answers.ts';
import type { Operation } from './wsman-names.ts';

/** ERROR_WSMAN_OPERATION_TIMEDOUT: for a Receive it means "no output yet". */
export const TIMED_OUT = 2_150_858_793;
/** ERROR_WINRS_SHELL_NOT_FOUND … as a server reports a shell or command that it does not know. */
export const SHELL_NOT_FOUND = 2_150_858_843;
/** ERROR_WSMAN_QUOTA_MAX_SHELLS. */
const QUOTA_SHELLS = 0x803381a5;
/** ERROR_WSMAN_QUOTA_MAX_OPERATIONS; also as the HRESULT of a WMI error. */
const QUOTA_OPERATIONS = 0x803381a6;

/** Win32 codes that appear bare or as HRESULT 0x8007xxxx. */
const WIN32: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  5: ['winrm_access_denied', 'the user may not use WinRM here'],
  1326: ['winrm_logon_failed', 'the user name or the password is wrong'],
  1327: ['winrm_access_denied', 'a restriction of the account refuses the logon (hours, hosts, empty password)'],
  1330: ['winrm_password_expired', 'the password of the account is expired'],
  1331: ['winrm_account_disabled', 'the account is disabled'],
  1385: ['winrm_access_denied', 'the account has no right to log on over the network'],
  1793: ['winrm_account_disabled', 'the account is expired'],
  1907: ['winrm_password_expired', 'the password of the account must be changed'],
  1909: ['winrm_account_locked', 'the account is locked out'],
};
const WSMAN: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  [TIMED_OUT]: ['winrm_no_answer', 'the host did not do it within the time it was given'],
  [SHELL_NOT_FOUND]: ['winrm_shell_gone', 'the host does not know the shell any more'],
  [QUOTA_SHELLS]: ['winrm_quota_shells', 'the user has too many shells open on the host'],
  [QUOTA_OPERATIONS]: ['winrm_quota_operations', 'the user has too many operations running on the host'],
};
const BY_SUBCODE: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  AccessDenied: ['winrm_access_denied', 'the user may not use WinRM here'],
  QuotaLimit: ['winrm_quota', 'a quota of WinRM on the host is used up'],
  TimedOut: ['winrm_no_answer', 'the host did not do it within the time it was given'],
  DestinationUnreachable: ['winrm_not_wsman', 'the service has no remote shell'],
};

/** The fault of `operation` as an error; `place` names the endpoint. */
export function faultError(fault: WsmanFault, operation: Operation, place: string): AgentError {
  const [code, words] =
    known(fault.code) ?? known(fault.wmiCode) ?? BY_SUBCODE[fault.subcode] ?? unknownFault(fault, operation);
  return new AgentError(code, words, {
    place,
    details: { operation, subcode: fault.subcode, fault_code: fault.code, wmi_code: fault.wmiCode },
  });
}

/** True for the fault by which a Receive says that there is nothing yet. */
export function isNoOutputYet(fault: WsmanFault): boolean {
  return fault.code === TIMED_OUT || (fault.code === null && fault.subcode === 'TimedOut');
}

/** Errors after which somebody else may soon let go of what is missing. */
export function isQuota(error: AgentError): boolean {
  return error.code === 'winrm_quota_shells' || error.code === 'winrm_quota_operations' || error.code === 'winrm_quota';
}

function known(code: number | null): readonly [ErrorCode, string] | undefined {
  if (code === null) return undefined;
  const win32 = code >>> 16 === 0x8007 ? code & 0xffff : code;
  return WSMAN[code] ?? WIN32[win32];
}

function unknownFault({ code, subcode }: WsmanFault, operation: Operation): readonly [ErrorCode, string] {
  const name = code === null ? subcode || 'no code' : String(code);
  return ['winrm_operation_failed', `the host refused ${operation} (${name})`];
}
