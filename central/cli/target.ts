import { resolve } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { TargetFields } from '../service/targets.ts';
import { addTarget, removeTarget, setTargetSecret } from '../service/targets.ts';
import { onlineKeysDir } from '../keys/online-keys.ts';
import { openTargetVault } from '../keys/target-vault.ts';
import { hasSealedKeys, sealServerKeys, unsealKeys } from '../keys/unsealed-keys.ts';
import { shellAccount } from './claim.ts';
import { print, table, when, type Common } from './output.ts';
import { readSecret } from './secret-input.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Who {
  readonly by?: string;
}
interface AddOptions extends Common, WithData, Who {
  readonly appliance: string;
  readonly address: string;
  readonly hostname?: string;
  readonly port?: number;
  readonly http?: boolean;
  readonly auth: string;
  readonly credential: string;
  readonly principal?: string;
  readonly domain?: string;
  readonly role: string;
  readonly os?: string;
  readonly kdc?: string[];
  readonly tlsSpki?: string;
  readonly tlsCa?: string;
}

/** WinRM's own ports. */
const HTTPS_PORT = 5986;
const HTTP_PORT = 5985;

/** Adds or replaces a target; with --principal its secret is read and stored as the next version of the credential. */
export async function addOne(targetId: string, o: AddOptions): Promise<void> {
  const fields = fieldsOf(targetId, o);
  const secret = o.principal === undefined ? null : await readSecret(`Secret of ${o.principal}: `);
  await withVault(o, (records) => {
    const central = { ...records, targetVault: openTargetVault(o.data) };
    const { store } = records;
    const person = o.by ?? shellAccount();
    store.unit(() => {
      if (secret !== null && o.principal !== undefined) {
        const siteId = store.appliances.binding(o.appliance)?.site_id;
        if (siteId === undefined) throw new AgentError('appliance_unknown', `there is no appliance ${o.appliance}`);
        const { principal, domain } = o;
        setTargetSecret(central, {
          siteId,
          credentialId: o.credential,
          principal,
          domain: domain ?? null,
          secret,
          person,
        });
      }
      addTarget(central, { applianceId: o.appliance, credentialId: o.credential, fields, person });
    });
    print(
      o,
      { target: targetId, appliance_id: o.appliance },
      `${o.appliance} reaches ${targetId} at ${fields.address} port ${fields.port}, once its site policy lets it`,
    );
  });
}

/** The next version of a secret that exists; for a new one, --principal is needed. */
export async function setSecret(
  credentialId: string,
  o: Common & WithData & Who & { site: string; principal?: string; domain?: string },
): Promise<void> {
  const secret = await readSecret(`Secret of ${o.principal ?? credentialId}: `);
  await withVault(o, (records) => {
    const { principal, domain } = o;
    const version = setTargetSecret(
      { ...records, targetVault: openTargetVault(o.data) },
      {
        siteId: o.site,
        credentialId,
        ...(principal === undefined ? {} : { principal }),
        domain: domain ?? null,
        secret,
        person: o.by ?? shellAccount(),
      },
    );
    print(
      o,
      { credential_id: credentialId, version },
      `version ${version} of ${credentialId} is handed out from now on`,
    );
  });
}

export async function removeOne(targetId: string, o: Common & WithData & Who & { appliance: string }): Promise<void> {
  await withVault(o, (records) => {
    const central = { ...records, targetVault: openTargetVault(o.data) };
    removeTarget(central, { applianceId: o.appliance, targetId, person: o.by ?? shellAccount() });
    print(o, { target: targetId, appliance_id: o.appliance }, `${o.appliance} reaches ${targetId} no more`);
  });
}

/** The key of the secrets is opened where it is sealed, and sealed where it was made beside sealed ones. */
async function withVault(o: WithData, work: Parameters<typeof withRecords<void>>[1]): Promise<void> {
  const dir = onlineKeysDir(resolve(o.data));
  const isSealed = hasSealedKeys(dir);
  await unsealKeys(dir);
  await withRecords(o, work);
  if (isSealed) await sealServerKeys(dir);
}

/** Targets with the state that their appliance reported last. Secrets cannot be shown. */
export async function listTargets(o: Common & WithData): Promise<void> {
  await withRecords(o, ({ store }) => {
    const targets = store.targets.all().map((row) => {
      const { address, port, auth, role } = JSON.parse(row.json) as TargetFields;
      const siteId = store.appliances.binding(row.appliance_id)?.site_id ?? '';
      const credential = store.targets.credential(siteId, row.credential_id);
      return {
        target: row.target_id,
        appliance_id: row.appliance_id,
        address,
        port,
        auth,
        role,
        principal: credential?.principal ?? null,
        credential_id: row.credential_id,
        credential_version: credential?.version ?? null,
        secret_set_at: credential?.set_at ?? null,
        state: reportedState(store.checkins.status(row.appliance_id)?.health, row.target_id),
      };
    });
    print(
      o,
      { targets },
      table(
        ['TARGET', 'APPLIANCE', 'ADDRESS', 'AUTH', 'ROLE', 'CREDENTIAL', 'SECRET SET', 'STATE'],
        targets.map((t) => [
          t.target,
          t.appliance_id,
          `${t.address} ${t.port}`,
          t.auth,
          t.role,
          `${t.credential_id} version ${t.credential_version ?? '-'}`,
          when(t.secret_set_at),
          t.state ?? '-',
        ]),
      ),
    );
  });
}

function reportedState(health: string | undefined, targetId: string): string | null {
  if (health === undefined) return null;
  const { targets } = JSON.parse(health) as { targets: { id: string; state: string }[] };
  return targets.find((target) => target.id === targetId)?.state ?? null;
}

/** What does not fit the schema is refused when it is stored. @throws usage */
function fieldsOf(targetId: string, o: AddOptions): TargetFields {
  const scheme = o.http === true ? 'http' : 'https';
  const auth = (['kerberos', 'ntlm', 'certificate', 'basic_tls'] as const).find((one) => one === o.auth);
  if (auth === undefined) throw new AgentError('usage', '--auth is kerberos, ntlm, certificate or basic_tls');
  if (scheme === 'http' && (auth === 'basic_tls' || auth === 'certificate')) {
    throw new AgentError('usage', `${auth} needs HTTPS`);
  }
  return {
    id: targetId,
    hostname: o.hostname ?? targetId,
    address: o.address,
    port: o.port ?? (scheme === 'https' ? HTTPS_PORT : HTTP_PORT),
    scheme,
    auth,
    ...(o.kdc === undefined ? {} : { kdc: o.kdc }),
    tls: tlsOf(o),
    role: o.role,
    ...(o.os === undefined ? {} : { os: o.os }),
  };
}

function tlsOf({ tlsSpki, tlsCa }: AddOptions): TargetFields['tls'] {
  if (tlsSpki !== undefined && tlsCa !== undefined) throw new AgentError('usage', 'name --tls-spki or --tls-ca');
  if (tlsSpki !== undefined) return { trust: 'spki', sha256: tlsSpki.toLowerCase() };
  if (tlsCa === undefined) return { trust: 'system' };
  try {
    const pem = readFileSync(tlsCa, 'utf8');
    void new X509Certificate(pem);
    return { trust: 'ca', pem };
  } catch (cause) {
    throw new AgentError('usage', 'the file holds no certificate', { place: tlsCa, cause });
  }
}
