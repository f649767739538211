// Central Command's own certificate authority: one CA in use, and a backup CA whose pin every appliance has
// already (its certificate too, where the stick was written with it).
import { createHash, createPublicKey, generateKeyPairSync, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { readKeyFile, writeKeyFile, writeNewFile } from '../keys/key-files.ts';
import { publicKey, randomSerial, signingKey, SIGNING, x509 } from './x509.ts';

/** Life of the CA certificate. Appliances are provisioned with it for years; the key is replaced through the backup pin. */
const CA_DAYS = 3_650;
/** Life of the server certificate; `serve` makes a new one at each start and before this one runs out. */
export const SERVER_CERTIFICATE_DAYS = 90;
/** Life of a device certificate: a stolen box is shut out within a day. */
export const DEVICE_CERTIFICATE_S = 86_400;
/** Certificates are valid from a little before now, for clocks that are a little slow. */
const BACKDATE_S = 300;

export interface IssuedCertificate {
  readonly pem: string;
  readonly serial: string;
  /** Unix seconds. */
  readonly notAfter: number;
}

export interface CertificateAuthority {
  readonly caPem: string;
  /** SHA-256 of the CA's DER SPKI. */
  readonly pin: string;
  /** For `hosts`: DNS names and IP addresses. */
  issueServer(o: { hosts: readonly string[]; spki: Buffer; now: number }): Promise<IssuedCertificate>;
  /** Subject CN = appliance id, client authentication only. `spki` is the bound TLS key. */
  issueDevice(o: {
    applianceId: string;
    spki: Buffer;
    now: number;
    /** How long before now it is valid already; 5 minutes when absent. */
    backdateS?: number;
  }): Promise<IssuedCertificate>;
}

const caKeyPath = (dir: string) => join(dir, 'tls-ca.key.pem');
const caCertPath = (dir: string) => join(dir, 'tls-ca.pem');
const serverKeyPath = (dir: string) => join(dir, 'tls-server.key.pem');

/** SHA-256 of a key's DER SPKI, hex: what appliances pin. */
export function pinOf(key: KeyObject): string {
  const publicHalf = key.type === 'private' ? createPublicKey(key) : key;
  return createHash('sha256')
    .update(publicHalf.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

const newP256 = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

/** Makes CA key, CA certificate and server key in the server's key folder. @throws central_exists */
export async function createAuthority(keysDir: string, o: { partnerId: string; now: number }): Promise<void> {
  const key = newP256();
  const pem = await selfSigned(key, `CN=Central Command CA of ${o.partnerId}`, o.now);
  writeKeyFile(caKeyPath(keysDir), key);
  writeNewFile(caCertPath(keysDir), pem, 0o644);
  writeKeyFile(serverKeyPath(keysDir), newP256());
}

/**
 * Makes the backup CA, key and certificate, in a folder of people. Its name differs from that of the CA in use, so that
 * a chain leads to one of them only.
 *
 * @throws central_exists
 */
export async function createBackupAuthority(
  keysDir: string,
  o: { partnerId: string; now: number },
): Promise<{ pin: string; pem: string }> {
  const key = newP256();
  const pem = await selfSigned(key, `CN=Central Command backup CA of ${o.partnerId}`, o.now);
  writeKeyFile(join(keysDir, 'backup-ca.key.pem'), key);
  writeNewFile(join(keysDir, 'backup-ca.pem'), pem, 0o600);
  return { pin: pinOf(key), pem };
}

async function selfSigned(key: KeyObject, name: string, now: number): Promise<string> {
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name,
    notBefore: new Date((now - BACKDATE_S) * 1_000),
    notAfter: new Date((now + CA_DAYS * 86_400) * 1_000),
    signingAlgorithm: SIGNING,
    keys: { privateKey: await signingKey(key), publicKey: await publicKey(derOf(key)) },
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(await publicKey(derOf(key))),
    ],
  });
  return pemText(certificate);
}

/** The key that the server's TLS uses. @throws key_unreadable, key_permissions, key_malformed */
export function loadServerKey(keysDir: string): KeyObject {
  return readKeyFile(serverKeyPath(keysDir));
}

/** @throws key_unreadable, key_permissions, key_malformed */
export async function loadAuthority(keysDir: string): Promise<CertificateAuthority> {
  const key = readKeyFile(caKeyPath(keysDir));
  const caPem = readCertificate(caCertPath(keysDir));
  const ca = new x509.X509Certificate(caPem);
  if (pinOf(new X509Certificate(caPem).publicKey) !== pinOf(key)) {
    throw new AgentError('key_malformed', 'the CA certificate is of another key', { place: caKeyPath(keysDir) });
  }
  const privateKey = await signingKey(key);
  const issue = async (o: {
    subject: string;
    spki: Buffer;
    now: number;
    lifeS: number;
    backdateS?: number;
    extensions: x509Extension[];
  }): Promise<IssuedCertificate> => {
    const serial = randomSerial();
    const notAfter = o.now + o.lifeS;
    const subjectKey = await publicKey(o.spki);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial,
      subject: o.subject,
      issuer: ca.subject,
      notBefore: new Date((o.now - (o.backdateS ?? BACKDATE_S)) * 1_000),
      notAfter: new Date(notAfter * 1_000),
      signingAlgorithm: SIGNING,
      publicKey: subjectKey,
      signingKey: privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        await x509.SubjectKeyIdentifierExtension.create(subjectKey),
        await x509.AuthorityKeyIdentifierExtension.create(ca),
        ...o.extensions,
      ],
    });
    return { pem: pemText(certificate), serial, notAfter };
  };
  return {
    caPem,
    pin: pinOf(key),
    issueServer: ({ hosts, spki, now }) =>
      issue({
        subject: 'CN=Central Command',
        spki,
        now,
        lifeS: SERVER_CERTIFICATE_DAYS * 86_400,
        extensions: [
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
          new x509.SubjectAlternativeNameExtension(
            hosts.map((host) => ({ type: isIP(host) === 0 ? ('dns' as const) : ('ip' as const), value: host })),
          ),
        ],
      }),
    issueDevice: ({ applianceId, spki, now, backdateS = BACKDATE_S }) =>
      issue({
        backdateS,
        subject: `CN=${applianceId}`,
        spki,
        now,
        lifeS: DEVICE_CERTIFICATE_S,
        extensions: [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])],
      }),
  };
}

type x509Extension = InstanceType<typeof x509.Extension>;

const derOf = (key: KeyObject): Buffer => createPublicKey(key).export({ type: 'spki', format: 'der' });

/** PEM with one LF at its end. */
const pemText = (certificate: { toString(format: 'pem'): string }): string => `${certificate.toString('pem').trim()}\n`;

function readCertificate(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new AgentError('key_unreadable', 'the CA certificate cannot be read', { place: path, cause });
  }
}
