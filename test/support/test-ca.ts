// A throw-away certificate authority for tests with real TLS. `reflect-metadata` must come before @peculiar/x509.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { createHash, KeyObject, webcrypto } from 'node:crypto';

x509.cryptoProvider.set(webcrypto as never);

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;

export interface Validity {
  /** Default: a day ago. */
  readonly notBefore?: Date;
  /** Default: in 30 days. */
  readonly notAfter?: Date;
}

export interface IssuedCertificate {
  readonly certPem: string;
  /** PKCS#8 PEM. */
  readonly keyPem: string;
}

export interface TestCa {
  readonly caPem: string;
  /** Hex SHA-256 of the CA's DER SPKI: what `ca_pins` hold. */
  readonly caPin: string;
  readonly caKeyPem: string;
  /** A server certificate with a fresh P-256 key. */
  issueServer(o?: Validity & { names?: readonly string[]; ips?: readonly string[] }): Promise<IssuedCertificate>;
  /** A client certificate with a fresh key; `upn` as Windows has it in the alternative name, `usages` instead of clientAuth. */
  issueClient(o: Validity & { cn: string; upn?: string; usages?: readonly string[] }): Promise<IssuedCertificate>;
  /** A client certificate for a key that is known by its SPKI or CSR (both DER in base64). */
  issueClientFor(o: Validity & { cn: string } & ({ spki: string } | { csr: string })): Promise<{ certPem: string }>;
  /** A CA certificate in PEM for a key that is known by its SPKI: what must never be given to a device. */
  issueCaFor(o: Validity & { cn: string; spki: string }): Promise<string>;
  /** A subordinate CA, for chains of three. */
  issueCa(name: string): Promise<TestCa>;
}

/** Creates a self-signed P-256 CA. */
export async function makeTestCa(o: Validity & { name?: string } = {}): Promise<TestCa> {
  const keys = await generateKeys();
  const name = `CN=${o.name ?? 'Test CA'}`;
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    name,
    ...validity(o),
    keys: keys as never,
    signingAlgorithm: P256,
    extensions: await caExtensions(keys),
  });
  return caFrom(name, cert, keys);
}

async function caFrom(name: string, cert: x509.X509Certificate, keys: webcrypto.CryptoKeyPair): Promise<TestCa> {
  const issue = async (
    subject: string,
    publicKey: webcrypto.CryptoKey,
    extensions: x509.Extension[],
    dates: Validity,
  ): Promise<x509.X509Certificate> =>
    x509.X509CertificateGenerator.create({
      subject,
      issuer: name,
      ...validity(dates),
      publicKey: publicKey as never,
      signingKey: keys.privateKey as never,
      signingAlgorithm: P256,
      extensions: [
        ...extensions,
        await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey as never),
        await x509.SubjectKeyIdentifierExtension.create(publicKey),
      ],
    });
  const leaf = (...usages: string[]): x509.Extension[] => [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    ...(usages.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension(usages)]),
  ];
  return {
    caPem: pemOf(cert),
    caPin: createHash('sha256').update(Buffer.from(cert.publicKey.rawData)).digest('hex'),
    caKeyPem: await privatePem(keys),
    async issueServer(s = {}) {
      const own = await generateKeys();
      const names = s.names ?? ['localhost'];
      const ips = s.ips ?? ['127.0.0.1'];
      const san = new x509.SubjectAlternativeNameExtension([
        ...names.map((value) => ({ type: 'dns' as const, value })),
        ...ips.map((value) => ({ type: 'ip' as const, value })),
      ]);
      const extensions = [...leaf(x509.ExtendedKeyUsage.serverAuth), san];
      const issued = await issue(`CN=${names[0] ?? ips[0] ?? 'server'}`, own.publicKey, extensions, s);
      return { certPem: pemOf(issued), keyPem: await privatePem(own) };
    },
    async issueClient(c) {
      const own = await generateKeys();
      const upn = c.upn === undefined ? [] : [{ type: 'upn' as const, value: c.upn }];
      const extensions = [
        ...leaf(...(c.usages ?? [x509.ExtendedKeyUsage.clientAuth])),
        ...(upn.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(upn)]),
      ];
      const issued = await issue(`CN=${c.cn}`, own.publicKey, extensions, c);
      return { certPem: pemOf(issued), keyPem: await privatePem(own) };
    },
    async issueClientFor(c) {
      const spki =
        'csr' in c
          ? new x509.Pkcs10CertificateRequest(Buffer.from(c.csr, 'base64')).publicKey.rawData
          : Buffer.from(c.spki, 'base64');
      const key = await webcrypto.subtle.importKey('spki', spki, P256, true, ['verify']);
      return { certPem: pemOf(await issue(`CN=${c.cn}`, key, leaf(x509.ExtendedKeyUsage.clientAuth), c)) };
    },
    async issueCaFor(c) {
      const key = await webcrypto.subtle.importKey('spki', Buffer.from(c.spki, 'base64'), P256, true, ['verify']);
      return pemOf(await issue(`CN=${c.cn}`, key, [new x509.BasicConstraintsExtension(true, undefined, true)], c));
    },
    async issueCa(subName) {
      const own = await generateKeys();
      const issued = await issue(`CN=${subName}`, own.publicKey, (await caExtensions(own)).slice(0, 2), {});
      return caFrom(`CN=${subName}`, issued, own);
    },
  };
}

async function caExtensions(keys: webcrypto.CryptoKeyPair): Promise<x509.Extension[]> {
  return [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
  ];
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
}

async function privatePem(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const key = KeyObject.from(keys.privateKey);
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function pemOf(cert: x509.X509Certificate): string {
  return `${cert.toString('pem').replaceAll('\r\n', '\n').trim()}\n`;
}

function validity(o: Validity): { notBefore: Date; notAfter: Date } {
  return {
    notBefore: o.notBefore ?? new Date(Date.now() - DAY_MS),
    notAfter: o.notAfter ?? new Date(Date.now() + 30 * DAY_MS),
  };
}
