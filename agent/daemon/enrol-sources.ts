// The ways in which a device can be tied to its site, in their order.
import { isAgentError } from '../errors/agent-error.ts';
import { CODES, type ErrorCode } from '../errors/codes.ts';
import { currentClaim } from '../identity/claim-file.ts';
import type { ClaimSource, EnrolResult } from '../identity/enrol.ts';
import type { Provision } from '../identity/provision-files.ts';
import type { Blocked } from './agent-state.ts';
import type { DaemonContext } from './context.ts';

/** Refusals that are about the token alone: the other ways to a site are still open. */
const TOKEN_REFUSALS: ReadonlySet<unknown> = new Set<ErrorCode>([
  'enrolment_token_unknown',
  'enrolment_token_expired',
  'enrolment_token_used',
]);

/**
 * In the order of the design: a stick's token, the label, a claim code. A token that is taken needs no other; one that is refused
 * is named, and the other sources go on meanwhile.
 */
export async function tryEachSource(
  { config, clock, ids }: Pick<DaemonContext, 'clock' | 'ids'> & { readonly config: { readonly state_dir: string } },
  { token, centralUrl }: Pick<Provision, 'token' | 'centralUrl'>,
  claim: (source: ClaimSource) => Promise<EnrolResult>,
): Promise<{ answer: EnrolResult; refused: Blocked | null }> {
  let refused: Blocked | null = null;
  if (token !== null) {
    try {
      return { answer: await claim({ source: 'usb', token }), refused };
    } catch (error) {
      const code = isAgentError(error) && error.code === 'enrolment_refused' ? error.details['code'] : null;
      if (!TOKEN_REFUSALS.has(code)) throw error;
      const { when, remedy } = CODES[code as ErrorCode];
      refused = { code: code as ErrorCode, sentence: `${centralUrl} did not take the token: ${when}.`, remedy };
    }
  }
  const byLabel = await claim({ source: 'mac' });
  if (byLabel.status === 'confirmed') return { answer: byLabel, refused };
  const { code } = currentClaim(config.state_dir, { clock, ids });
  return { answer: await claim({ source: 'qr', code }), refused };
}
