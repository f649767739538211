// In words, all that a signature would stand for. Two documents that differ anywhere read differently: what is not shown is
// what a drafter could slip in. Pure.
import { X509Certificate } from 'node:crypto';
import { sha256Hex } from '../../agent/wire/digest.ts';
import type { Authorisation } from '../../agent/wire/schemas/order.ts';
import { ROLES, type Partner, type Root } from '../../agent/wire/schemas/root.ts';
import { pinOf } from '../ca/certificate-authority.ts';
import { when } from './output.ts';

/** A key stands here as its whole digest: a shorter one can be met by a key that was made for it. */
export function describeRoot(root: Root): string {
  const names = new Map(root.persons.map(({ id, name, kind }) => [id, `${id} = ${name}, ${kind}`]));
  const holders = (keyids: readonly string[]): string[] =>
    keyids.map((keyid) => {
      const key = root.keys.find((one) => one.keyid === keyid);
      return `    ${keyid} of ${key?.person ?? '?'}${key?.sites === undefined ? '' : `, for ${key.sites.join(', ')}`}`;
    });
  const roles = ROLES.flatMap((role) => [
    `  ${role}: ${root.roles[role].threshold} of`,
    ...holders(root.roles[role].keyids),
  ]);
  const held = new Set(ROLES.flatMap((role) => root.roles[role].keyids));
  const idle = holders(root.keys.map(({ keyid }) => keyid).filter((keyid) => !held.has(keyid)));
  const past = root.past_keys.map(
    (key) => `    ${key.role} ${key.keyid}: ${key.status}, from ${when(key.valid_from)} to ${when(key.valid_until)}`,
  );
  const alone = root.single_approver;
  return [
    `Trust root ${root.version} of ${root.partner_id} for logs of ${root.log_domain}, witness ${root.witness_name}`,
    `  from ${when(root.issued_at)} until ${when(root.expires_at)}`,
    '  persons:',
    ...[...names.values()].map((line) => `    ${line}`),
    ...roles,
    ...(idle.length === 0 ? [] : ['  in no role:', ...idle]),
    ...(past.length === 0 ? [] : ['  past keys:', ...past]),
    ...(root.central_cas === undefined
      ? []
      : ['  CAs that Central Command may be under:', ...root.central_cas.map(describeCa)]),
    ...(alone === undefined ? [] : [`  one person alone may authorise, after a delay of ${alone.delay_s} s`]),
  ].join('\n');
}

/** Nobody has checked yet that these bytes are a certificate. */
function describeCa(base64: string): string {
  const der = Buffer.from(base64, 'base64');
  try {
    const { publicKey, subject } = new X509Certificate(der);
    const pin = pinOf(publicKey);
    return `    pin ${pin} of ${subject.replaceAll('\n', ', ')}, certificate ${sha256Hex(der)}`;
  } catch {
    return `    no certificate: ${sha256Hex(der)}`;
  }
}

export function describePartner(partner: Partner): string {
  const { partner_id, version, issued_at, branding, install } = partner;
  return [
    `What installers of ${partner_id} carry, version ${version} of ${when(issued_at)}`,
    `  named on the screen: ${branding.product}; support: ${branding.support}`,
    `  Central Command: ${partner.central_url}`,
    ...partner.ca_pins.map((pin) => `    CA pin ${pin}`),
    `  claim codes lead to: ${partner.claim_url ?? `${partner.central_url}/claim (unsaid)`}`,
    `  trust root: ${partner.root_sha256}`,
    '  whoever holds one of these keys opens the disks:',
    ...partner.recovery_recipients.map((recipient) => `    ${recipient}`),
    `  disk: ${install?.disk ?? 'the only internal one (unsaid)'}`,
    `  a disk with a finished install: ${install?.reinstall === 'yes' ? 'is ERASED, once per stick' : 'is refused'}`,
  ].join('\n');
}

export function describeAuthorisation(value: Authorisation): string {
  const { kind, params, runbook, targets, window } = value;
  const what = `${kind} ${JSON.stringify(params)}${runbook === undefined ? '' : ` with ${runbook.id} version ${runbook.version} (${runbook.sha256})`}`;
  const where = `on ${value.appliance_id} at ${value.site_id} of ${value.partner_id}`;
  const at = window.mode === 'require' ? 'inside the maintenance window' : `at any time, because: ${window.reason}`;
  const on = targets.map(({ id, pinned_identity: identity }) => `\n  target ${id}, known as ${identity ?? 'nothing'}`);
  return (
    `Authorises, once: ${what}\n  ${where}${on.join('')}\n` +
    `  ${at}, from ${when(value.issued_at)} to ${when(value.not_after)}\n  under the id ${value.authorisation_id}`
  );
}
