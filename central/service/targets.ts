// Machines that appliances reach, and the accounts for it: kept, listed, and sealed into answers. No function here gives out a
// secret but to seal it to an appliance's key.
import * as v from 'valibot';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { readClientCertificate } from '../../agent/wire/client-certificate.ts';
import { targetsSchema } from '../../agent/wire/schemas/checkin.ts';
import type { UnplacedTarget } from '../../agent/wire/targets-frame.ts';
import type { TargetVault } from '../keys/target-vault.ts';
import type { CredentialRow, TargetRow } from '../store/target-table.ts';
import type { Central } from './central.ts';

/** What is stored of a target beside its credential. */
export type TargetFields = Omit<UnplacedTarget, 'credential_id' | 'credential_version' | 'principal' | 'domain'>;

export interface StoredTarget {
  readonly row: TargetRow;
  readonly fields: TargetFields;
  readonly credential: CredentialRow;
}

type Parts = Pick<Central, 'store' | 'now'> & { readonly targetVault: TargetVault };
interface By {
  readonly person: string;
}

/** A list of targets that does not fit a check-in answer is refused where it is made, not where it is sent. */
export const MAX_TARGETS = 256;
const MAX_SECRET_BYTES = 16_384;

/**
 * Stores the next version of an account's secret. `secret` is zeroed.
 *
 * @throws site_unknown, usage, target_certificate_… where targets show it as a certificate
 */
export function setTargetSecret(
  central: Parts,
  o: { siteId: string; credentialId: string; principal?: string; domain?: string | null; secret: Buffer } & By,
): number {
  const { store, targetVault, now } = central;
  try {
    if (store.appliances.site(o.siteId) === null) throw new AgentError('site_unknown', `there is no site ${o.siteId}`);
    if (o.secret.length === 0 || o.secret.length > MAX_SECRET_BYTES) {
      throw new AgentError('usage', `a secret has 1 to ${MAX_SECRET_BYTES} bytes`);
    }
    if (showsCertificate(central, o.siteId, o.credentialId)) readClientCertificate(o.secret, now() * 1_000);
    return store.unit(() => {
      const before = store.targets.credential(o.siteId, o.credentialId);
      const principal = o.principal ?? before?.principal;
      if (principal === undefined) throw new AgentError('usage', 'a new credential needs --principal');
      const domain = o.principal === undefined ? (before?.domain ?? null) : (o.domain ?? null);
      const row = {
        site_id: o.siteId,
        credential_id: o.credentialId,
        version: (before?.version ?? 0) + 1,
        principal,
        domain,
      };
      store.targets.setCredential({ ...row, sealed: targetVault.seal(o.secret, boundOf(row)), set_at: now() });
      const detail = `${o.credentialId} version ${row.version}`;
      store.access.add({ at: now(), action: 'target_secret_set', subject: o.siteId, person: o.person, detail });
      return row.version;
    });
  } finally {
    o.secret.fill(0);
  }
}

/** @throws appliance_unknown, usage, target_certificate_… where the stored secret is to be shown as a certificate and is none */
export function addTarget(
  central: Parts,
  o: { applianceId: string; credentialId: string; fields: TargetFields } & By,
): void {
  const { store, targetVault, now } = central;
  const binding = store.appliances.binding(o.applianceId);
  if (binding === null) throw new AgentError('appliance_unknown', `there is no appliance ${o.applianceId}`);
  store.unit(() => {
    const credential = store.targets.credential(binding.site_id, o.credentialId);
    if (credential === null || credential.sealed.length === 0) {
      throw new AgentError('usage', `there is no secret for the credential ${o.credentialId} at ${binding.site_id}`);
    }
    refuseUnfit(o.fields, credential);
    if (o.fields.auth === 'certificate') refuseNoCertificate(targetVault, credential, now());
    const others = store.targets.of(o.applianceId).filter((row) => row.target_id !== o.fields.id);
    if (others.length >= MAX_TARGETS) throw new AgentError('usage', `an appliance has at most ${MAX_TARGETS} targets`);
    const json = JSON.stringify(o.fields);
    const row = { appliance_id: o.applianceId, target_id: o.fields.id, credential_id: o.credentialId, json };
    store.targets.put({ ...row, mac: targetVault.mac(rowParts(row)), added_at: now() });
    const detail = `${o.fields.id} at ${o.fields.address} port ${o.fields.port}, ${o.credentialId}`;
    store.access.add({ at: now(), action: 'target_added', subject: o.applianceId, person: o.person, detail });
  });
}

/** A credential that no target uses any more loses its secret. @throws appliance_unknown, usage */
export function removeTarget(central: Parts, o: { applianceId: string; targetId: string } & By): void {
  const { store, now } = central;
  const binding = store.appliances.binding(o.applianceId);
  if (binding === null) throw new AgentError('appliance_unknown', `there is no appliance ${o.applianceId}`);
  store.unit(() => {
    const row = store.targets.of(o.applianceId).find((one) => one.target_id === o.targetId);
    if (row === undefined) throw new AgentError('usage', `${o.applianceId} has no target ${o.targetId}`);
    store.targets.remove(o.applianceId, o.targetId);
    const used = store.targets
      .all()
      .some(
        (one) =>
          one.credential_id === row.credential_id &&
          store.appliances.binding(one.appliance_id)?.site_id === binding.site_id,
      );
    if (!used) store.targets.forgetSecret(binding.site_id, row.credential_id);
    store.access.add({
      at: now(),
      action: 'target_removed',
      subject: o.applianceId,
      person: o.person,
      detail: o.targetId,
    });
  });
}

/**
 * The targets of an appliance with their credentials, secrets still sealed.
 *
 * @throws central_damaged for a row that was not written with the key of the vault
 */
export function targetsOf(central: Parts, applianceId: string, siteId: string): StoredTarget[] {
  return central.store.targets.of(applianceId).map((row) => {
    const credential = central.store.targets.credential(siteId, row.credential_id);
    if (credential === null || !central.targetVault.isMac(row.mac, rowParts(row))) {
      throw new AgentError(
        'central_damaged',
        `the target ${row.target_id} of ${applianceId} was changed in the database`,
      );
    }
    return { row, fields: JSON.parse(row.json) as TargetFields, credential };
  });
}

/** What is sent of a target; its secret comes beside it and is zeroed by the caller. */
export function unsealTarget(
  vault: TargetVault,
  { fields, credential }: StoredTarget,
): { target: UnplacedTarget; secret: Buffer } {
  return { target: wireForm(fields, credential), secret: vault.open(credential.sealed, boundOf(credential)) };
}

const wireForm = (fields: TargetFields, credential: Omit<CredentialRow, 'sealed'>): UnplacedTarget => ({
  ...fields,
  principal: credential.principal,
  domain: credential.domain,
  credential_id: credential.credential_id,
  credential_version: credential.version,
});

/** By the schema that appliances refuse by. */
function refuseUnfit(fields: TargetFields, credential: CredentialRow): void {
  const target = { ...wireForm(fields, credential), secret: { offset: 0, length: 0 } };
  const header = { schema: 'compliance-agent/targets/v1', expires_at: 1_800_000_000, targets: [target] };
  const result = v.safeParse(targetsSchema, header, { abortEarly: true });
  if (result.success) return;
  const path = result.issues[0].path?.slice(2).map((item) => String(item.key));
  throw new AgentError('usage', `${path?.join('.') ?? 'a field'} of the target does not fit`);
}

/** The secret of a credential is read by what its targets log on with. */
function showsCertificate({ store }: Pick<Parts, 'store'>, siteId: string, credentialId: string): boolean {
  return store.targets
    .all()
    .some(
      (row) =>
        row.credential_id === credentialId &&
        store.appliances.binding(row.appliance_id)?.site_id === siteId &&
        (JSON.parse(row.json) as TargetFields).auth === 'certificate',
    );
}

function refuseNoCertificate(vault: TargetVault, credential: CredentialRow, now: number): void {
  const secret = vault.open(credential.sealed, boundOf(credential));
  try {
    readClientCertificate(secret, now * 1_000);
  } finally {
    secret.fill(0);
  }
}

type Bound = Pick<CredentialRow, 'site_id' | 'credential_id' | 'version' | 'principal' | 'domain'>;
const boundOf = (c: Bound) => [c.site_id, c.credential_id, c.version, c.principal, c.domain];
const rowParts = (row: Pick<TargetRow, 'appliance_id' | 'target_id' | 'credential_id' | 'json'>) => [
  row.appliance_id,
  row.target_id,
  row.credential_id,
  row.json,
];
