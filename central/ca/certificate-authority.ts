// Central Command's own certificate authority: one CA in use, and a backup CA whose pin every appliance has
// already (its certificate too, where the stick was written with it).
import { createHash, createPublicKey, generateKeyPairSync, X509Certificate, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
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
  /** Whose client certificates are taken: of this CA and of those before it. */
  readonly clientCaPem: string;
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

/** The CA that `init` makes; each switch to the backup CA begins the next. */
export const FIRST_GENERATION = 1;
/** Files of the first generation keep the names that they always had. */
const numbered = (name: string, generation: number, first: number): string =>
  generation === first ? name : `${name}-${generation}`;
const caName = (generation: number) => numbered('tls-ca', generation, FIRST_GENERATION);
const caKeyPath = (dir: string, generation: number) => join(dir, `${caName(generation)}.key.pem`);
const caCertPath = (dir: string, generation: number) => join(dir, `${caName(generation)}.pem`);
const serverKeyPath = (dir: string, generation: number) =>
  join(dir, `${numbered('tls-server', generation, FIRST_GENERATION)}.key.pem`);
/** In the folder of people: the CA that would come next. */
const backupName = (generation: number) => numbered('backup-ca', generation, FIRST_GENERATION + 1);
export const backupKeyPath = (dir: string, generation: number) => join(dir, `${backupName(generation)}.key.pem`);
const backupCertPath = (dir: string, generation: number) => join(dir, `${backupName(generation)}.pem`);

/** SHA-256 of a key's DER SPKI, hex: what appliances pin. */
export function pinOf(key: KeyObject): string {
  const publicHalf = key.type === 'private' ? createPublicKey(key) : key;
  return createHash('sha256')
    .update(publicHalf.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** A CA certificate as a trust root names it: DER in base64. */
export const derText = (pem: string): string => new X509Certificate(pem).raw.toString('base64');

const newP256 = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

/** Makes CA key, CA certificate and server key in the server's key folder. @throws central_exists */
export async function createAuthority(keysDir: string, o: { partnerId: string; now: number }): Promise<void> {
  const key = newP256();
  const pem = await selfSigned(key, `CN=Central Command CA of ${o.partnerId}`, o.now);
  writeKeyFile(caKeyPath(keysDir, FIRST_GENERATION), key);
  writeNewFile(caCertPath(keysDir, FIRST_GENERATION), pem, 0o644);
  writeKeyFile(serverKeyPath(keysDir, FIRST_GENERATION), newP256());
}

/**
 * Puts a CA that people kept where the server reads it, as a generation of its own beside the one in use, with a new server key.
 * Done again after an interruption, it ends what was begun; nothing is overwritten.
 *
 * @throws key_malformed where other files of that generation are there
 */
export function installAuthority(keysDir: string, generation: number, key: KeyObject, pem: string): void {
  writeOnce(caKeyPath(keysDir, generation), () => writeKeyFile(caKeyPath(keysDir, generation), key));
  writeOnce(caCertPath(keysDir, generation), () => writeNewFile(caCertPath(keysDir, generation), pem, 0o644));
  writeOnce(serverKeyPath(keysDir, generation), () => writeKeyFile(serverKeyPath(keysDir, generation), newP256()));
  const place = caKeyPath(keysDir, generation);
  const isSame = pinOf(readKeyFile(place)) === pinOf(key) && readCertificate(caCertPath(keysDir, generation)) === pem;
  if (!isSame) throw new AgentError('key_malformed', 'files of another CA are there already', { place });
}

function writeOnce(path: string, write: () => void): void {
  if (!existsSync(path)) write();
}

/**
 * Makes the backup CA, key and certificate, in a folder of people. Its name differs from that of the CA in use, so that
 * a chain leads to one of them only.
 *
 * @throws central_exists
 */
export async function createBackupAuthority(
  keysDir: string,
  o: { partnerId: string; now: number; generation?: number },
): Promise<{ pin: string; pem: string }> {
  const { generation = FIRST_GENERATION + 1 } = o;
  const key = newP256();
  const number = generation === FIRST_GENERATION + 1 ? '' : ` ${generation}`;
  const pem = await selfSigned(key, `CN=Central Command backup CA${number} of ${o.partnerId}`, o.now);
  writeKeyFile(backupKeyPath(keysDir, generation), key);
  writeNewFile(backupCertPath(keysDir, generation), pem, 0o600);
  return { pin: pinOf(key), pem };
}

/** What everybody may know of a CA: its certificate and pin. Its key stays where it is, sealed or not. @throws key_unreadable */
export function readPublicAuthority(keysDir: string, generation: number): { caPem: string; pin: string } {
  const caPem = readCertificate(caCertPath(keysDir, generation));
  return { caPem, pin: pinOf(new X509Certificate(caPem).publicKey) };
}

/** What createBackupAuthority made before; null where there is none. @throws key_…, central_damaged */
export function readBackupAuthority(keysDir: string, generation: number): { pin: string; pem: string } | null {
  if (!existsSync(backupCertPath(keysDir, generation))) return null;
  const pem = readCertificate(backupCertPath(keysDir, generation));
  return { pin: pinOf(readKeyFile(backupKeyPath(keysDir, generation))), pem };
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
export function loadServerKey(keysDir: string, generation = FIRST_GENERATION): KeyObject {
  return readKeyFile(serverKeyPath(keysDir, generation));
}

/**
 * @param formerPem certificates of CAs that were in use before: what they issued to appliances counts until it lapses
 * @throws key_unreadable, key_permissions, key_malformed
 */
export async function loadAuthority(
  keysDir: string,
  generation = FIRST_GENERATION,
  formerPem = '',
): Promise<CertificateAuthority> {
  const key = readKeyFile(caKeyPath(keysDir, generation));
  const caPem = readCertificate(caCertPath(keysDir, generation));
  const ca = new x509.X509Certificate(caPem);
  if (pinOf(new X509Certificate(caPem).publicKey) !== pinOf(key)) {
    throw new AgentError('key_malformed', 'the CA certificate is of another key', {
      place: caKeyPath(keysDir, generation),
    });
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
    clientCaPem: caPem + formerPem,
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
