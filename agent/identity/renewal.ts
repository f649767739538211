// When the certificate of an appliance is renewed, and how. Judged by signed time and by what Central Command said, never by
// the wall clock: a box that comes back after a month may have any. Pure.
import { X509Certificate } from 'node:crypto';
import type { AgentError } from '../errors/agent-error.ts';

/** A certificate is renewed when this part of its life is over. */
export const RENEW_AFTER = 2 / 3;
/** Spread of that moment, as a part of the life: ± 5 %, so that boxes enrolled together do not renew together. */
export const RENEW_SPREAD = 0.1;

/** Unix seconds. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** `renew`: over mutual TLS, with the certificate that is held. `recover`: with a challenge, without it. */
export type RenewalDecision = 'keep' | 'renew' | 'recover';

export interface RenewalInputs {
  /** Of the certificate that is held; null where it cannot be read. */
  readonly held: Validity | null;
  /** Time T, Unix seconds; null before the first answer of this boot. */
  readonly nowT: number | null;
  /** How the last check-in failed since the certificate was put in place; null where it did not. */
  readonly refusal: Pick<AgentError, 'code' | 'details'> | null;
  /** Uniform in [0, 1), drawn once for each certificate. */
  readonly random: number;
}

/** Central Command's words for a client certificate that it does not take. */
const NOT_TAKEN: ReadonlySet<unknown> = new Set(['client_certificate_lapsed', 'client_certificate_invalid']);

export function decideRenewal({ held, nowT, refusal, random }: RenewalInputs): RenewalDecision {
  if (held === null || isCertificateRefusal(refusal)) return 'recover';
  if (nowT === null) return 'keep';
  if (nowT >= held.notAfter) return 'recover';
  return nowT >= renewalTime(held, random) ? 'renew' : 'keep';
}

/** Unix seconds. */
export function renewalTime({ notBefore, notAfter }: Validity, random: number): number {
  const part = RENEW_AFTER + (random - 0.5) * RENEW_SPREAD;
  return Math.floor(notBefore + (notAfter - notBefore) * part);
}

/** Was a request refused for the client's certificate: by Central Command, or by a TLS terminator in front of it? */
export function isCertificateRefusal(error: Pick<AgentError, 'code' | 'details'> | null): boolean {
  if (error === null) return false;
  return (
    error.code === 'tls_client_refused' ||
    (error.code === 'http_refused' && NOT_TAKEN.has(error.details['problem_code']))
  );
}

/** Null where `pem` is no certificate. */
export function validityOf(pem: string): Validity | null {
  try {
    const { validFromDate, validToDate } = new X509Certificate(pem);
    return {
      notBefore: Math.floor(validFromDate.getTime() / 1_000),
      notAfter: Math.floor(validToDate.getTime() / 1_000),
    };
  } catch {
    return null;
  }
}
