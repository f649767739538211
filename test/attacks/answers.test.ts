// Whoever stands between, or holds Central Command, against the answers and documents that a real appliance takes.
import { createServer, type Server } from 'node:https';
import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadServerKey } from '../../central/ca/certificate-authority.ts';
import { onlineKeysDir } from '../../central/keys/online-keys.ts';
import { makeTestCa } from '../support/test-ca.ts';
import { ANSWER_ATTACKS, dripping, resigned, serverTimeOf } from './answer-attacks.ts';
import { attackedSite, type AttackedSite } from './attacked-site.ts';
import { DOCUMENT_ATTACKS, goodContent, goodPolicy } from './document-attacks.ts';
import { TARGET_ATTACKS } from './target-attacks.ts';

const YEAR_S = 365 * 86_400;

describe('an attack with an answer or a document', () => {
  const prepared = attackedSite();
  let a: AttackedSite;
  beforeAll(async () => {
    a = await prepared.start();
  });

  const reason = (): string | null => a.site.status()?.blocking_reason?.code ?? null;
  const trustEntries = (): number => a.entries('trust').length;
  const raisedFor = (alert: string, cause: string): number =>
    a.alerts(alert, 'raised').filter((entry) => entry.details['cause'] === cause).length;
  /** Honest answers count again, and what the attack raised is cleared. */
  const recovered = async (alert: string): Promise<void> => {
    a.central.distort(null);
    a.central.documents.clear();
    await a.until('all is well again', () => {
      // It stores no evidence, which is the reason that remains.
      return reason() === 'http_unavailable' && a.alerts(alert, 'raised').length === a.alerts(alert, 'cleared').length;
    });
  };

  for (const { what, code, distortion } of ANSWER_ATTACKS) {
    it(`${what}: nothing is taken from it, and the alert names ${code}`, async () => {
      const [trusted, alerts, pins] = [trustEntries(), raisedFor('central_unreachable', code), a.pins()];
      a.central.distort(distortion(a));
      await a.until('status names it', () => reason() === code);
      await a.until('the alert names it', () => raisedFor('central_unreachable', code) > alerts);
      expect([trustEntries(), a.pins()]).toEqual([trusted, pins]);
      await recovered('central_unreachable');
    });
  }

  it('an answer that never ends: given up at its deadline, and status names request_timeout', async () => {
    a.central.distort(dripping);
    await a.until('status names it', () => reason() === 'request_timeout');
    await recovered('central_unreachable');
  });

  for (const { what, code, attack } of DOCUMENT_ATTACKS) {
    it(`${what}: not taken over, and the alert names ${code}`, async () => {
      const [trusted, alerts, pins] = [trustEntries(), raisedFor('document_not_accepted', code), a.pins()];
      const { named, documents, files = {} } = attack(a);
      for (const [path, line] of Object.entries(documents)) a.central.documents.set(path, line);
      for (const [digest, bytes] of Object.entries(files)) a.central.files.set(digest, bytes);
      a.central.distort((honest) => resigned(a, honest, named));
      await a.until('the alert names it', () => raisedFor('document_not_accepted', code) > alerts);
      expect([trustEntries(), a.pins()]).toEqual([trusted, pins]);
      await recovered('document_not_accepted');
    });
  }

  it('takes a policy that both operators signed, in the same way as those that it refused', async () => {
    const { named, documents } = goodPolicy(a);
    for (const [path, line] of Object.entries(documents)) a.central.documents.set(path, line);
    const trusted = trustEntries();
    a.central.distort((honest) => resigned(a, honest, named));
    await a.until('it is in force', () => trustEntries() === trusted + 1);
    a.central.distort(null);
  });

  it('takes a content list whose file is the one that it names, in the same way as those that it refused', async () => {
    const { named, documents, files = {} } = goodContent(a);
    for (const [path, line] of Object.entries(documents)) a.central.documents.set(path, line);
    for (const [digest, bytes] of Object.entries(files)) a.central.files.set(digest, bytes);
    const trusted = trustEntries();
    a.central.distort((honest) => resigned(a, honest, named));
    await a.until('it is in force', () => trustEntries() === trusted + 1);
    a.central.distort(null);
  });

  for (const { what, code, distortion } of TARGET_ATTACKS) {
    it(`${what}: not taken, and the alert names ${code}, while the rest of the answer counts`, async () => {
      const alerts = raisedFor('targets_not_accepted', code);
      const answered = a.site.status()?.last_answer_at ?? 0;
      a.central.distort(distortion(a));
      await a.until('the alert names it', () => raisedFor('targets_not_accepted', code) > alerts);
      await a.until('answers go on', () => (a.site.status()?.last_answer_at ?? 0) > answered + 1);
      await recovered('targets_not_accepted');
    });
  }

  it('signed time three years back: an alert says so, and only reading orders count', async () => {
    a.central.distort((honest) => {
      const back = serverTimeOf(honest) - 3 * YEAR_S;
      return resigned(a, honest, { server_time: back, expires_at: back + 300 });
    });
    await a.until('the alert says so', () => a.alerts('signed_time_went_back', 'raised').length > 0);
    await recovered('signed_time_went_back');
  });

  describe('at the door', () => {
    let port = 0;
    let host = '';
    const withCertificate = async (cert: string, key: string, code: string): Promise<void> => {
      const server: Server = createServer({ cert, key }, (_request, response) => response.end());
      server.listen(port, host);
      await once(server, 'listening');
      await a.until('status names it', () => reason() === code);
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
