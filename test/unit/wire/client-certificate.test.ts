import { createPrivateKey } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { readClientCertificate } from '../../../agent/wire/client-certificate.ts';
import { expectCode } from '../../support/expect-code.ts';
import { makeTestCa, type IssuedCertificate, type TestCa } from '../../support/test-ca.ts';

const DAY_MS = 86_400_000;
const now = Date.now();
let ca: TestCa;
let client: IssuedCertificate;

beforeAll(async () => {
  ca = await makeTestCa();
  client = await ca.issueClient({ cn: 'agent', upn: 'agent@srv-1' });
});

const bytes = ({ keyPem, certPem }: IssuedCertificate): Buffer => Buffer.from(keyPem + certPem);

describe('the secret of a target with a client certificate', () => {
  it('is a key and its certificate in either order, with the CAs between after it', () => {
    for (const text of [
      client.keyPem + client.certPem,
      client.certPem + client.keyPem,
      client.keyPem + client.certPem + ca.caPem,
      (client.certPem + client.keyPem).trim(),
      `Bag Attributes\n  friendlyName: agent\n${client.certPem}\r\n${client.keyPem}`,
    ]) {
      const { notAfter } = readClientCertificate(Buffer.from(text), now);
      expect(notAfter).toBeGreaterThan(now);
    }
  });

  it('is refused where it is something else, without a word of it in the error', async () => {
    const other = await ca.issueClient({ cn: 'other' });
    const locked = createPrivateKey(client.keyPem)
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'word' })
      .toString();
    const cases: readonly (string | Buffer)[] = [
      '',
      'Passw0rd!',
      client.certPem,
      client.keyPem,
      locked + client.certPem,
      other.keyPem + client.certPem,
      // The CA's certificate first.
      client.keyPem + ca.caPem + client.certPem,
      client.keyPem.slice(0, 80) + client.certPem,
      client.keyPem + client.certPem.slice(0, 200),
      Buffer.from([0x30, 0x82, 0x05, 0x00, 0x02, 0x01, 0x03]),
    ];
    for (const text of cases) {
      const error = expectCode(
        () => readClientCertificate(Buffer.from(text as string), now),
        'target_certificate_invalid',
      );
      expect(error.cause).toBeUndefined();
      const body = client.keyPem.split('\n')[1]!;
      expect(error.describe()).not.toContain(body.slice(0, 20));
    }
  });

  it('is for client authentication: a server certificate is refused, any use or none named is not', async () => {
    const server = await ca.issueServer();
    expectCode(() => readClientCertificate(bytes(server), now), 'target_certificate_purpose');
    const [any, none] = await Promise.all([
      ca.issueClient({ cn: 'agent', usages: ['2.5.29.37.0'] }),
      ca.issueClient({ cn: 'agent', usages: [] }),
    ]);
    for (const one of [any, none]) expect(readClientCertificate(bytes(one), now).notBefore).toBeLessThan(now);
  });

  it('is within its dates', async () => {
    const [lapsed, early] = await Promise.all([
      ca.issueClient({ cn: 'agent', notAfter: new Date(now - 1_000) }),
      ca.issueClient({ cn: 'agent', notBefore: new Date(now + DAY_MS) }),
    ]);
    for (const one of [lapsed, early]) {
      const error = expectCode(() => readClientCertificate(bytes(one), now), 'target_certificate_date');
      expect(error.details).toHaveProperty('not_after');
    }
    readClientCertificate(bytes(client), now);
    expectCode(() => readClientCertificate(bytes(client), now + 60 * DAY_MS), 'target_certificate_date');
  });
});
