// Which site a claim without a stick's token belongs to: a machine that people expect there, or a code that ties the two
// together. Whoever matches nothing gets the same answer as whoever waits, after the same work, so that nobody learns which
// numbers and codes there are.
import { fingerprint } from '../../agent/wire/fingerprint.ts';
import { CLAIM_LIFE_S, claimAlias, claimCodeDigest } from '../../agent/wire/claim-code.ts';
import type { Claim } from '../../agent/wire/schemas/enrolment.ts';
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { HardwareKind } from '../store/claim-table.ts';
import type { EnrolmentRow } from '../store/enrolment-table.ts';
import type { Records } from './central.ts';
import { tieToSite } from './tie-to-site.ts';

/** Devices that wait and match nothing; anybody may claim, so the longest unheard one makes room. */
const MAX_WAITING = 1_000;
/** Codes that devices show and nobody has used yet. */
const MAX_OPEN_CODES = 1_000;
/** Devices that may claim as one expected machine: people then compare fingerprints. More are not taken up. */
const MAX_CLAIMANTS = 8;

/**
 * Notes a claim without token. @returns the device where it belongs to a site, null where it does not (yet)
 *
 * @throws appliance_replaced: only to the device that was replaced
 */
export function registerWithoutToken(central: Records, claim: Claim): EnrolmentRow | null {
  const now = central.now();
  return central.store.unit(() => {
    const { claims, enrolments } = central.store;
    claims.wait(waitingOf(central, claim), now, MAX_WAITING);
    const known = enrolments.byDevice(claim.device_spki);
    if (known?.state === 'replaced') {
      throw new AgentError('appliance_replaced', 'another machine was enrolled in the place of this one');
    }
    if (known === null) {
      if (claim.source === 'mac') matchMachine(central, claim, now);
      else matchCode(central, claim.code as string, claim, now);
    } else if (known.state === 'pending') {
      tieToSite(central, claim.device_spki, known.site_id, known.source, now);
    }
    return enrolments.byDevice(claim.device_spki);
  });
}

function waitingOf(central: Records, claim: Claim) {
  return {
    device_spki: claim.device_spki,
    tls_spki: claim.tls_spki,
    csr: claim.csr,
    fingerprint: fingerprint(claim.device_spki, central.trust.root().digest),
    serial: claim.hardware.serial,
    macs: claim.hardware.macs.join(' '),
    agent_version: claim.agent_version,
  };
}

/** The serial number counts before network cards, which can be changed. */
function matchMachine(central: Records, claim: Claim, now: number): void {
  const { claims, alarms } = central.store;
  const { serial, macs } = claim.hardware;
  const named: (readonly [HardwareKind, string])[] = [
    ...(serial === null ? [] : [['serial', serial] as const]),
    ...macs.map((mac) => ['mac', mac] as const),
  ];
  for (const [kind, value] of named) {
    const machine = claims.expected(kind, value);
    if (machine === null || machine.used_at !== null || machine.expires_at <= now) continue;
    const before = claims.claimants(kind, value);
    if (!before.includes(claim.device_spki)) {
      if (before.length > 0) {
        alarms.raise('enrolment_contested', machine.site_id, `more than one device claims as ${kind} ${value}`, now);
      }
      if (before.length >= MAX_CLAIMANTS) return;
      claims.addClaimant(kind, value, claim.device_spki, now);
    }
    tieToSite(central, claim.device_spki, machine.site_id, 'mac', now);
    return;
  }
}

/** A code that is not known becomes one that this device shows: nothing tells it from one that was mistyped. */
function matchCode(central: Records, code: string, claim: Claim, now: number): void {
  const { claims, alarms } = central.store;
  const sha256 = claimCodeDigest(code);
  const known = claims.code(sha256);
  if (known === null) {
    claims.dropCodes(now, claim.device_spki, MAX_OPEN_CODES - 1);
    claims.addCode({
      sha256,
      alias: claimAlias(code),
      made_by: 'device',
      site_id: null,
      device_spki: claim.device_spki,
      created_at: now,
      expires_at: now + CLAIM_LIFE_S,
    });
    return;
  }
  if (known.device_spki !== null) {
    if (known.device_spki !== claim.device_spki) {
      alarms.raise('claim_code_reused', known.site_id ?? 'no site', `code with SHA-256 ${sha256}`, now);
    }
    return;
  }
  if (known.site_id === null || known.expires_at <= now) return;
  claims.useCode(sha256, { siteId: known.site_id, deviceSpki: claim.device_spki, by: 'device', at: now });
  tieToSite(central, claim.device_spki, known.site_id, 'qr', now);
}
