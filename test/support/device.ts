// A device as Central Command sees one: keys, claim, check-in requests, evidence lines, TLS requests. All signatures are real.
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { Agent, request } from 'node:https';
import { gzipSync } from 'node:zlib';
import { signingKey, publicKey, SIGNING, x509 } from '../../central/ca/x509.ts';
import { parseDocument, signDocument, type DocumentOf } from '../../agent/wire/document.ts';
import { encodeEnvelope, parseEnvelope, toEmbedded, envelopeFromEmbedded, type Signer } from '../../agent/wire/dsse.ts';
import { leafHash } from '../../agent/wire/merkle.ts';
import { generateEd25519 } from '../../agent/wire/node-signature.ts';
import type { Claim, ClaimAnswer } from '../../agent/wire/schemas/enrolment.ts';
import type { CheckinAnswer, CheckinRequest, Receipt } from '../../agent/wire/schemas/checkin.ts';
import type { DocumentName } from '../../agent/wire/schemas/payload-types.ts';
import type { Role } from '../../agent/wire/schemas/root.ts';
import { openDocument } from '../../agent/trust/open-document.ts';
import { PREDICATE_TYPE, STATEMENT_TYPE } from '../../agent/wire/schemas/entry.ts';
import { openRecords } from '../../central/service/central.ts';
import { confirmDevice, findDevice } from '../../central/service/confirm-appliance.ts';
import { newToken } from '../../central/service/enrolment-token.ts';
import { fingerprint } from '../../agent/wire/fingerprint.ts';
import { checkResponse } from './openapi-check.ts';
import type { TestCentral } from './central-process.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** Code of a problem document; null otherwise. */
  readonly code: string | null;
}

export interface Sending {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** Client certificate; null for none. */
  readonly tls?: { readonly cert: string; readonly key: string } | null;
}

/** One request on its own connection; the response is held against openapi.yaml. */
export async function send(central: TestCentral, url: string, path: string, o: Sending = {}): Promise<Answer> {
  // Named here, because Node otherwise expects the certificate to be for the Host header.
  const agent = new Agent({ ca: central.caPem, servername: 'localhost', ...(o.tls ?? {}), keepAlive: false });
  const method = o.method ?? 'POST';
  const answer = await new Promise<Answer>((done, fail) => {
    const outgoing = request(new URL(path, url), { method, agent, headers: o.headers ?? {} }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', fail);
      incoming.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        const problem = incoming.headers['content-type']?.startsWith('application/problem+json') === true;
        const code = problem ? String((JSON.parse(body) as { code: unknown }).code) : null;
        done({ status: incoming.statusCode ?? 0, headers: incoming.headers, body, code });
      });
    });
    outgoing.on('error', fail);
    outgoing.end(o.body);
  });
  agent.destroy();
  checkResponse({ method, path: path.split('?')[0] ?? '', ...answer });
  return answer;
}

export interface Device {
  readonly signer: Signer;
  readonly tlsSpki: string;
  readonly tlsKeyPem: string;
  readonly csr: string;
}

export async function makeDevice(): Promise<Device> {
  const { signer } = generateEd25519();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=device',
    keys: { privateKey: await signingKey(privateKey), publicKey: await publicKey(spki) },
    signingAlgorithm: SIGNING,
  });
  return {
    signer,
    tlsSpki: spki.toString('base64'),
    tlsKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    csr: Buffer.from(csr.rawData).toString('base64'),
  };
}

const unixNow = (): number => Math.floor(Date.now() / 1_000);
const DSSE_HEADERS = { 'content-type': 'application/vnd.dsse+json' };

export function claimOf(device: Device, token: string, change: Partial<Claim> = {}): Claim {
  return {
    schema: 'compliance-agent/claim/v1',
    source: 'usb',
    token,
    device_spki: device.signer.spki,
    tls_spki: device.tlsSpki,
    csr: device.csr,
    hardware: { serial: 'SN-1', macs: ['02:00:00:00:00:01'] },
    agent_version: '0.1.0',
    nonce: randomBytes(16).toString('hex'),
    sent_at: unixNow(),
    ...change,
  };
}

/** Sends a claim and opens the signed answer. */
export async function claim(
  central: TestCentral,
  url: string,
  device: Device,
  token: string,
  change: Partial<Claim> = {},
): Promise<ClaimAnswer> {
  const body = encodeEnvelope(signDocument('claim', claimOf(device, token, change), [device.signer]));
  const answer = await send(central, url, '/api/v1/enrolments', { headers: DSSE_HEADERS, body });
  return open(central, 'timestamp', 'claimAnswer', answer);
}

/** Verifies a signed response under the root of the Central. */
export function open<N extends DocumentName>(central: TestCentral, role: Role, name: N, answer: Answer): DocumentOf<N> {
  if (answer.status !== 200) throw new Error(`status ${answer.status}: ${answer.body}`);
  return openDocument(central.root.root, role, name, answer.body).value;
}

export interface Enrolled {
  readonly device: Device;
  readonly applianceId: string;
  readonly siteId: string;
  readonly origin: string;
  readonly epoch: number;
  readonly bindingLine: string;
  readonly tls: { readonly cert: string; readonly key: string };
}

/** Enrols a device at site `north`: token, claim, confirmation, claim. Token and confirmation go past the command line, which takes its time to start. */
export async function enrolDevice(central: TestCentral, url: string, applianceId: string): Promise<Enrolled> {
  const device = await makeDevice();
  const records = openRecords(central.dataDir);
  try {
    const { token } = newToken(records, 'north', 1);
    await claim(central, url, device, token);
    const pending = findDevice(records, fingerprint(device.signer.spki, central.root.digest));
    confirmDevice(records, pending, { approver: 'jane', applianceId });
    const { enrolled } = await claim(central, url, device, token);
    if (enrolled === undefined) throw new Error('not confirmed');
    return enrolledFrom(device, enrolled);
  } finally {
    records.close();
  }
}

export function enrolledFrom(device: Device, enrolled: NonNullable<ClaimAnswer['enrolled']>): Enrolled {
  const envelope = envelopeFromEmbedded(enrolled.binding);
  const binding = parseDocument('binding', envelope.payload);
  return {
    device,
    applianceId: enrolled.appliance_id,
    siteId: enrolled.site_id,
    origin: binding.origin,
    epoch: binding.epoch,
    bindingLine: encodeEnvelope(envelope),
    tls: { cert: enrolled.certificate, key: device.tlsKeyPem },
  };
}

let counter = 0;
export const BOOT_ID = 'a3bb189e-8bf9-4f67-8f3a-9a4f1b2c3d4e';

export function checkinRequestOf(me: Enrolled, change: Partial<CheckinRequest> = {}): CheckinRequest {
  counter += 1;
  return {
    schema: 'compliance-agent/checkin-request/v1',
    accepts: ['compliance-agent/checkin-answer/v1'],
    appliance_id: me.applianceId,
    site_id: me.siteId,
    epoch: me.epoch,
    counter,
    nonce: randomBytes(16).toString('hex'),
    sent_at: unixNow(),
    boot_id: BOOT_ID,
    uptime_s: 60,
    agent_version: '0.1.0',
    nixos_revision: null,
    root_version: 1,
    content_version: null,
    policy_version_applied: null,
    revocations_version: null,
    order_floor: 0,
    results: [],
    witness_request: null,
    last_cosigned: null,
    hpke_public_key: randomBytes(32).toString('base64'),
    health: {
      results: [],
      queue: { entries: 0, bytes: 0, oldest_at: null },
      targets: [],
      disk: { free_bytes: 1, total_bytes: 2 },
      memory: { rss_bytes: 1 },
      clock: { source: 'ntp', synchronized: true, skew_ms: 0 },
    },
    ...change,
  };
}

/** Sends a signed check-in request; `signer` and `tls` may be somebody else's. */
export async function postCheckin(
  central: TestCentral,
  url: string,
  me: Enrolled,
  o: { change?: Partial<CheckinRequest>; signer?: Signer; tls?: Sending['tls']; body?: string } = {},
): Promise<Answer> {
  const body =
    o.body ??
    encodeEnvelope(signDocument('checkinRequest', checkinRequestOf(me, o.change), [o.signer ?? me.device.signer]));
  const tls = o.tls === undefined ? me.tls : o.tls;
  return await send(central, url, '/api/v1/appliances/checkin', { headers: DSSE_HEADERS, body, tls });
}

export async function checkIn(
  central: TestCentral,
  url: string,
  me: Enrolled,
  change: Partial<CheckinRequest> = {},
): Promise<CheckinAnswer> {
  return open(central, 'timestamp', 'checkinAnswer', await postCheckin(central, url, me, { change }));
}

/** Valid evidence lines 0 … count−1 of an appliance, each without its LF. The same call gives the same lines. */
export function evidenceLines(me: Enrolled, count: number, at = 1_790_000_000): string[] {
  const lines: string[] = [];
  let prev = '0'.repeat(64);
  const binding = parseDocument('binding', parseEnvelope(me.bindingLine, { maxBytes: 65_536 }).payload);
  const common = (seq: number) => ({
    schema: 'compliance-agent/evidence/v1' as const,
    origin: me.origin,
    seq,
    prev,
    bundle_id: `019e0000-0000-7000-8000-${seq.toString(16).padStart(12, '0')}`,
    partner_id: binding.partner_id,
    customer_id: binding.customer_id,
    site_id: me.siteId,
    appliance_id: me.applianceId,
    deployment_mode: binding.deployment_mode,
    ...(binding.reseller_id === undefined ? {} : { reseller_id: binding.reseller_id }),
    agent_version: '0.1.0',
    nixos_revision: null,
    derivation_digest: null,
    observed_from: at + seq,
    observed_to: at + seq,
    clock: { source: 'ntp' as const, synchronized: true, skew_ms: 0, boot_id: BOOT_ID },
    root_version: 1,
    policy_version: null,
    ruleset_digest: null,
    redaction: { policy_digest: '0'.repeat(64), counts: {} },
  });
  for (let seq = 0; seq < count; seq++) {
    const predicate: DocumentOf<'entry'>['predicate'] =
      seq === 0
        ? {
            ...common(seq),
            kind: 'epoch',
            binding: toEmbedded(parseEnvelope(me.bindingLine, { maxBytes: 65_536 })),
            status: 'confirmed',
          }
        : {
            ...common(seq),
            kind: 'alert',
            code: 'dns_failed',
            state: seq % 2 === 1 ? 'raised' : 'cleared',
            severity: 'medium',
            sentence: 'A host name did not resolve.',
            remedy: 'Check the DNS server.',
            details: {},
          };
    const statement: DocumentOf<'entry'> = {
      _type: STATEMENT_TYPE,
      subject: [{ name: 'entry', digest: { sha256: prev } }],
      predicateType: PREDICATE_TYPE,
      predicate,
    };
    const line = encodeEnvelope(signDocument('entry', statement, [me.device.signer]));
    lines.push(line);
    prev = leafHash(line).toString('hex');
  }
  return lines;
}

/** Uploads lines; `raw` replaces the compressed body. */
export async function postEvidence(
  central: TestCentral,
  url: string,
  me: Enrolled,
  firstSeq: number,
  lines: readonly string[],
  o: { origin?: string; raw?: Buffer; tls?: Sending['tls']; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return await send(central, url, '/api/v1/appliances/evidence', {
    headers: {
      'content-type': 'application/x-ndjson',
      'content-encoding': 'gzip',
      'x-evidence-origin': o.origin ?? me.origin,
      'x-evidence-first-seq': String(firstSeq),
      ...o.headers,
    },
    body: o.raw ?? gzipSync(lines.map((line) => `${line}\n`).join('')),
    tls: o.tls === undefined ? me.tls : o.tls,
  });
}

export async function upload(
  central: TestCentral,
  url: string,
  me: Enrolled,
  firstSeq: number,
  lines: readonly string[],
): Promise<Receipt> {
  return open(central, 'receipt', 'receipt', await postEvidence(central, url, me, firstSeq, lines));
}
