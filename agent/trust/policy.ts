// Site policy: signed by operators of the site, versions strictly rising.
import { AgentError } from '../errors/agent-error.ts';
import type { Envelope } from '../wire/dsse.ts';
import type { SitePolicy, Waiver } from '../wire/schemas/site-policy.ts';
import type { Root } from '../wire/schemas/root.ts';
import { openDocument, type Opened } from './open-document.ts';
import { firstDuplicate } from './root-consistency.ts';
import { assertRootInForce, assertRising, type DocumentOptions } from './rising-version.ts';
import { isTimeZone } from './time-zone.ts';

/** A waiver lasts at most this long. */
export const MAX_WAIVER_S = 90 * 86_400;

export interface PolicyOptions extends DocumentOptions {
  /** The site that the policy must be for. */
  readonly siteId: string;
}

/**
 * Verifies a site policy: signed by the operator threshold with keys for this site, for this partner and site, newer than
 * `currentVersion`.
 *
 * @throws the errors of openDocument; root_expired; policy_other_site; policy_version; policy_invalid
 */
export function openPolicy(root: Root, source: string | Envelope, o: PolicyOptions): Opened<'sitePolicy'> {
  assertRootInForce(root, o);
  const opened = openDocument(root, 'operator', 'sitePolicy', source, o);
  const policy = opened.value;
  const place = o.place === undefined ? {} : { place: o.place };
  if (policy.partner_id !== root.partner_id || policy.site_id !== o.siteId) {
    throw new AgentError('policy_other_site', `the policy is for ${policy.partner_id}/${policy.site_id}`, place);
  }
  assertRising('policy_version', policy.version, o);
  const problem = policyProblem(policy);
  if (problem !== null) throw new AgentError('policy_invalid', problem, place);
  return opened;
}

/** Waivers in force at `now` (Unix seconds): issued, and not yet expired. */
export function activeWaivers(policy: SitePolicy | null, now: number): Waiver[] {
  return policy === null ? [] : policy.waivers.filter((w) => w.issued_at <= now && now < w.expires_at);
}

function policyProblem(policy: SitePolicy): string | null {
  if (!isTimeZone(policy.time_zone)) return `time_zone ${policy.time_zone} is not known`;
  for (const waiver of policy.waivers) {
    if (waiver.expires_at <= waiver.issued_at) return `waiver ${waiver.id} expires before it is issued`;
    if (waiver.expires_at - waiver.issued_at > MAX_WAIVER_S) return `waiver ${waiver.id} lasts more than 90 days`;
  }
  const waiverTwice = firstDuplicate(policy.waivers.map((waiver) => waiver.id));
  if (waiverTwice !== null) return `waiver ${waiverTwice} stands twice`;
  const runbookTwice = firstDuplicate(policy.healing.runbooks.map((runbook) => runbook.id));
  if (runbookTwice !== null) return `healing.runbooks names ${runbookTwice} twice`;
  const outputTwice = firstDuplicate(policy.outputs.map((output) => output.id));
  if (outputTwice !== null) return `output ${outputTwice} stands twice`;
  if (policy.llm !== null && policy.llm.provider !== 'local' && policy.llm.baa_id === undefined) {
    return 'llm that is not local needs a baa_id';
  }
  if (policy.llm?.local !== undefined && policy.llm.provider !== 'hybrid') {
    return 'llm.local belongs to the provider hybrid alone';
  }
  return null;
}
