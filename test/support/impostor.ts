// A server in the place of Central Command, with its certificate or with another's: for what a daemon meets on the network.
import { createPublicKey } from 'node:crypto';
import { loadAuthority, loadServerKey } from '../../central/ca/certificate-authority.ts';
import { onlineKeysDir } from '../../central/keys/online-keys.ts';
import type { Site } from '../../tools/demo/site.ts';
import type { IssuedCertificate } from './test-ca.ts';

const HOST = '127.0.0.1';

/** The real server's own key with a certificate of its own CA, valid from `notBeforeDays` before now. */
export async function serverIdentity(site: Site, o: { now?: number; host?: string } = {}): Promise<IssuedCertificate> {
  const keysDir = onlineKeysDir(site.paths.data);
  const authority = await loadAuthority(keysDir);
  const key = loadServerKey(keysDir);
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const now = o.now ?? Math.floor(Date.now() / 1_000);
  const { pem } = await authority.issueServer({ hosts: [o.host ?? HOST], spki, now });
  return {
    certPem: pem + authority.caPem,
    keyPem: key.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}
