// Whoever stands in Central Command's place, and the targets and secrets that it hands out.
import { createServer, type Server } from 'node:https';
import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, it } from 'vitest';
import { loadServerKey } from '../../central/ca/certificate-authority.ts';
import { onlineKeysDir } from '../../central/keys/online-keys.ts';
import { makeTestCa } from '../support/test-ca.ts';
import { attackedSite, type AttackedSite } from './attacked-site.ts';
import { TARGET_ATTACKS } from './target-attacks.ts';

const YEAR_S = 365 * 86_400;

describe('an attack with an answer or a document', () => {
  const prepared = attackedSite();
  let a: AttackedSite;
  beforeAll(async () => {
    a = await prepared.start();
  });

  for (const { what, code, distortion } of TARGET_ATTACKS) {
    it(`${what}: not taken, and the alert names ${code}, while the rest of the answer counts`, async () => {
      const alerts = a.raisedFor('targets_not_accepted', code);
      const answered = a.site.status()?.last_answer_at ?? 0;
      a.central.distort(distortion(a));
      await a.until('the alert names it', () => a.raisedFor('targets_not_accepted', code) > alerts);
      await a.until('answers go on', () => (a.site.status()?.last_answer_at ?? 0) > answered + 1);
      await a.recovered('targets_not_accepted');
    });
  }

  describe('at the door', () => {
    let port = 0;
    let host = '';
    const withCertificate = async (cert: string, key: string, code: string): Promise<void> => {
      const server: Server = createServer({ cert, key }, (_request, response) => response.end());
      server.listen(port, host);
      await once(server, 'listening');
      await a.until('status names it', () => a.reason() === code);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    };
    const serverKey = () => loadServerKey(onlineKeysDir(a.site.paths.data));
    const ownCertificate = async (hosts: string[], now: number): Promise<[string, string]> => {
      const key = serverKey();
      const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
      const { authority } = a.central.central;
      const { pem } = await authority.issueServer({ hosts, spki, now });
      return [pem + authority.caPem, key.export({ type: 'pkcs8', format: 'pem' }) as string];
    };

    beforeAll(async () => {
      const url = new URL(a.site.url());
      [host, port] = [url.hostname, Number(url.port)];
      await a.central.close();
    });

    it('a server with a certificate of another CA: no request is sent, and status names tls_untrusted', async () => {
      const { certPem, keyPem } = await (await makeTestCa()).issueServer({ ips: [host] });
      await withCertificate(certPem, keyPem, 'tls_untrusted');
    });

    it('a server with a certificate of our CA for another name: status names tls_name_mismatch', async () => {
      const [cert, key] = await ownCertificate(['elsewhere.example'], a.central.central.now());
      await withCertificate(cert, key, 'tls_name_mismatch');
    });

    it('a server with a certificate of last year: status names tls_date_invalid', async () => {
      const [cert, key] = await ownCertificate([host], a.central.central.now() - 3 * YEAR_S);
      await withCertificate(cert, key, 'tls_date_invalid');
    });

    it("a server with the appliance's own client certificate: status names tls_untrusted", async () => {
      const keyPem = readFileSync(join(a.site.paths.state, 'keys/tls.key'), 'utf8');
      const spki = createPublicKey(keyPem).export({ type: 'spki', format: 'der' });
      const { authority, now } = a.central.central;
      const { pem } = await authority.issueDevice({ applianceId: 'demo-clinic-1', spki, now: now() });
      await withCertificate(pem + authority.caPem, keyPem, 'tls_untrusted');
    });
  });
});
