// The one reason that keeps the appliance from all its work, most basic first. Pure.
import type { Uplink } from '../uplink/create-uplink.ts';
import type { AgentError } from '../errors/agent-error.ts';
import { CODES, type ErrorCode } from '../errors/codes.ts';
import type { AgentState, Blocked } from './agent-state.ts';

/** A wall clock this far from the signed time is named as the reason: certificates and windows depend on it. */
const CLOCK_FAR_OFF_MS = 120_000;

type Inputs = Pick<
  AgentState,
  | 'lifecycle'
  | 'storeError'
  | 'storage'
  | 'enrolment'
  | 'checkinError'
  | 'certificateError'
  | 'uploadError'
  | 'clockOffsetMs'
  | 'timeWentBack'
> & {
  readonly enrolled: { readonly uplink: Pick<Uplink, 'conflict'> } | null;
};

export function blockingReason(state: Inputs): Blocked | null {
  if (state.storeError !== null) {
    const { code, message, place, remedy } = state.storeError;
    const at = place === undefined ? '' : ` (${place})`;
    return { code, sentence: `Nothing can be recorded: ${message}${at}.`, remedy };
  }
  if (state.storage?.isFull === true) {
    return {
      code: 'store_full',
      sentence:
        'The disk was full: the ballast was given up so that changes can still be recorded, and there is no room yet to make it again.',
      remedy: CODES.store_full.remedy,
    };
  }
  if (state.enrolment !== null) return state.enrolment;
  const conflict = state.enrolled?.uplink.conflict() ?? null;
  if (conflict !== null) {
    const { code, sentence } = conflict;
    return {
      code,
      sentence: `${sentence} It goes on observing and takes only reading orders.`,
      remedy: CODES[code].remedy,
    };
  }
  if (state.checkinError !== null && isRefusal(state.checkinError, 'appliance_revoked')) {
    const reason = state.checkinError.details['reason'];
    const { remedy } = CODES.appliance_revoked;
    const why = typeof reason === 'string' ? `: ${reason}` : '';
    return { code: 'appliance_revoked', sentence: `Central Command has revoked this appliance${why}.`, remedy };
  }
  if (state.checkinError !== null && isRefusal(state.checkinError, 'appliance_decommissioned')) {
    const reason = state.checkinError.details['reason'];
    const { remedy } = CODES.appliance_decommissioned;
    const why = typeof reason === 'string' ? `: ${reason}` : '';
    const sentence = `Central Command has taken this appliance out of service${why}.`;
    return { code: 'appliance_decommissioned', sentence, remedy };
  }
  if (state.checkinError !== null && state.certificateError !== null) {
    const { code, message, remedy } = state.certificateError;
    return { code, sentence: `The certificate of this appliance could not be replaced: ${message}.`, remedy };
  }
  if (state.checkinError !== null) {
    const { code, message, remedy } = state.checkinError;
    return { code, sentence: `Central Command gave no usable answer: ${message}.`, remedy };
  }
  if (state.timeWentBack) {
    return {
      code: 'signed_time_went_back',
      sentence: 'Central Command answered with an earlier time than before; only reading orders are accepted.',
      remedy: 'check the clock of Central Command',
    };
  }
  if (state.clockOffsetMs !== null && Math.abs(state.clockOffsetMs) > CLOCK_FAR_OFF_MS) {
    const seconds = Math.round(Math.abs(state.clockOffsetMs) / 1_000);
    return {
      code: 'clock_far_off',
      sentence: `The clock of this machine is ${seconds} s away from Central Command's signed time.`,
      remedy: 'let NTP through or set the clock',
    };
  }
  if (state.uploadError !== null) {
    const { code, message, remedy } = state.uploadError;
    return { code, sentence: `Evidence waits here and is not uploaded: ${message}.`, remedy };
  }
  return null;
}

const isRefusal = (error: AgentError, code: ErrorCode): boolean =>
  error.code === 'http_refused' && error.details['problem_code'] === code;
