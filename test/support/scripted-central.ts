// A Central Command that says what a test tells it to, over real TLS, with the keys of the trust fixtures; and an enrolled
// appliance in front of it with a fake clock. For tests only.
import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { createEvidenceLog, type EvidenceLog } from '../../agent/evidence/log.ts';
import { createHttpsClient, type HttpsClient } from '../../agent/https/client.ts';
import { openStore, type EnrolledIdentity, type Store } from '../../agent/store/open-store.ts';
import { openBinding } from '../../agent/trust/binding.ts';
import type { UplinkDeps } from '../../agent/uplink/uplink-deps.ts';
import { createUplink, type Uplink } from '../../agent/uplink/create-uplink.ts';
import { sha256Hex } from '../../agent/wire/digest.ts';
import { leafHash, rootOfLeaves } from '../../agent/wire/merkle.ts';
import type { CheckinAnswer, Receipt } from '../../agent/wire/schemas/checkin.ts';
import { fakeClock, type FakeClock } from './fakes/fake-clock.ts';
import { fakeIds } from './fakes/fake-ids.ts';
import { memoryLog, type MemoryLog } from './fakes/memory-log.ts';
import { makeTestCa, type TestCa } from './test-ca.ts';
import { startHttpsServer, type RunningServer } from './tls-server.ts';
import { APPLIANCE, CUSTOMER, makeTrust, NOW, PARTNER, SITE, type Trust } from './trust-fixtures.ts';

export interface ScriptedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  /** SHA-256 of the payload of the envelope in the body; empty where there is none. */
  readonly payloadSha256: string;
}

/** Answers one request: with a signed line (200), or by hand. */
export type Script = (request: ScriptedRequest, response: ServerResponse) => string | void | Promise<string | void>;

export interface ScriptedCentral {
  readonly trust: Trust;
  readonly ca: TestCa;
  readonly server: RunningServer;
  readonly requests: ScriptedRequest[];
  /** By path; replaced by tests. Honest at first for check-in and evidence. */
  checkin: Script;
  evidence: Script;
  documents: Script;
  enrolments: Script;
  /** What it holds of the log. */
  stored: string[];
  /** An honest answer with changes. */
  answer(request: ScriptedRequest, change?: Partial<CheckinAnswer>): CheckinAnswer;
  /** An honest receipt over `stored` with changes. */
  receipt(change?: Partial<Receipt>): Receipt;
  client(): HttpsClient;
}

export const ORIGIN = `logs.northern-it.example/${APPLIANCE}/1`;

export async function startScriptedCentral(): Promise<ScriptedCentral> {
  const trust = makeTrust();
  const ca = await makeTestCa();
  const requests: ScriptedRequest[] = [];
  const rootHex = (): string => rootOfLeaves(central.stored.map((line) => leafHash(line))).toString('hex');
  const server = await startHttpsServer(await ca.issueServer(), (message, response, sent) => {
    // Uploads are compared as they were sent.
    const packed = message.headers['content-encoding'] === 'gzip' && message.url?.endsWith('/checkin') === true;
    const body = packed ? gunzipSync(sent) : sent;
    const request: ScriptedRequest = {
      method: message.method ?? '',
      path: message.url ?? '',
      headers: message.headers,
      body,
      payloadSha256: payloadDigestOf(body),
    };
    requests.push(request);
    const [, , , area, kind] = request.path.split('/');
    const script =
      area === 'enrolments'
        ? central.enrolments
        : kind === 'checkin'
          ? central.checkin
          : kind === 'evidence'
            ? central.evidence
            : central.documents;
    void Promise.resolve(script(request, response)).then((line) => {
      if (typeof line === 'string') reply(response, line);
    });
  });
  const central: ScriptedCentral = {
    trust,
    ca,
    server,
    requests,
    stored: [],
    checkin: (request) => trust.sign('checkinAnswer', central.answer(request)),
    evidence: (request) => {
      const first = Number(request.headers['x-evidence-first-seq']);
      const lines = gunzipSync(request.body).toString().split('\n').slice(0, -1);
      central.stored.splice(first, lines.length, ...lines);
      return trust.sign('receipt', central.receipt());
    },
    documents: (_request, response) => problem(response, 404, 'document_unknown'),
    enrolments: (_request, response) => problem(response, 404, 'route_unknown'),
    answer: (request, change = {}) => ({
      schema: 'compliance-agent/checkin-answer/v1',
      appliance_id: APPLIANCE,
      request_sha256: request.payloadSha256,
      server_time: NOW,
      expires_at: NOW + 300,
      root_version: 1,
      content: null,
      policy: null,
      revocations: null,
      config: { checkin_interval_s: 60, log_level: 'info' },
      orders: [],
      witness: null,
      stored: { size: central.stored.length, root: rootHex() },
      receipts: [],
      next_checkin_s: 60,
      ...change,
    }),
    receipt: (change = {}) => ({
      schema: 'compliance-agent/receipt/v1',
      origin: ORIGIN,
      size: central.stored.length,
      root: rootHex(),
      stored_at: NOW,
      store: 'files',
      object_id: 'object',
      retain_until: NOW + 1_000_000,
      stored_unverified: [],
      ...change,
    }),
    client: () =>
      createHttpsClient({
        baseUrl: `https://127.0.0.1:${server.port}`,
        caPem: ca.caPem,
        caPins: [ca.caPin, 'f'.repeat(64)],
      }),
  };
  return central;
}

/** A 200 answer with a signed line. */
export function reply(response: ServerResponse, line: string): void {
  response.writeHead(200, { 'content-type': 'application/vnd.dsse+json' });
  response.end(line);
}

/** A problem document (RFC 9457). */
export function problem(
  response: ServerResponse,
  status: number,
  code: string,
  more: { headers?: Record<string, string>; fields?: Record<string, unknown> } = {},
): void {
  response.writeHead(status, { 'content-type': 'application/problem+json', ...more.headers });
  response.end(JSON.stringify({ type: 'about:blank', status, code, ...more.fields }));
}

export interface ScriptedAppliance {
  /** Its state directory. */
  readonly dir: string;
  readonly store: Store;
  readonly clock: FakeClock;
  readonly log: MemoryLog;
  readonly evidence: EvidenceLog;
  readonly uplink: Uplink;
  readonly identity: EnrolledIdentity;
  append(count: number): void;
  /** Everything that an answer may change. */
  kept(): unknown;
  /** The same appliance after a restart of its process. */
  restarted(): Uplink;
  close(): Promise<void>;
}

export function openScriptedAppliance(
  central: ScriptedCentral,
  o: { revokedKeyids?: ReadonlySet<string> } & Partial<Pick<UplinkDeps, 'targets' | 'judgeContent'>> = {},
): ScriptedAppliance {
  const { trust } = central;
  const dir = mkdtempSync(join(tmpdir(), 'scripted-'));
  const clock = fakeClock({ wallMs: NOW * 1000 });
  const ids = fakeIds(1, clock);
  const store = openStore({ dir, clock });
  const log = memoryLog();
  const https = central.client();
  const bindingLine = trust.sign('binding', trust.binding());
  const identity: EnrolledIdentity = {
    applianceId: APPLIANCE,
    siteId: SITE,
    customerId: CUSTOMER,
    partnerId: PARTNER,
    deploymentMode: 'reseller',
    resellerId: PARTNER,
    origin: ORIGIN,
    epoch: 1,
    bindingLine,
    certificatePem: '',
    centralUrl: `https://127.0.0.1:${central.server.port}`,
    caPem: central.ca.caPem,
    caPins: [central.ca.caPin, 'f'.repeat(64)],
  };
  store.trust.addRoot({ version: 1, digest: trust.root.digest, line: trust.root.line });
  const evidence = createEvidenceLog({
    store,
    clock,
    ids,
    signer: trust.keys['device']!,
    binding: openBinding(trust.root.root, bindingLine),
    context: () => ({
      agent_version: '0.1.0',
      nixos_revision: null,
      derivation_digest: null,
      clock: { source: 'central', synchronized: true, skew_ms: 0, boot_id: clock.bootId() },
      root_version: 1,
      policy_version: null,
      ruleset_digest: null,
    }),
  });
  const makeUplink = (): Uplink =>
    createUplink({
      store,
      https,
      clock,
      ids,
      signer: trust.keys['device']!,
      identity,
      root: () => trust.root,
      revokedKeyids: () => o.revokedKeyids ?? new Set(),
      agentVersion: '0.1.0',
      nixosRevision: null,
      log,
      targets: o.targets,
      judgeContent: o.judgeContent,
    });
  return {
    dir,
    store,
    clock,
    log,
    evidence,
    identity,
    uplink: makeUplink(),
    restarted: makeUplink,
    append(count) {
      for (let i = 0; i < count; i++) {
        evidence.append('alert', {
          code: 'disk_low',
          state: 'raised',
          severity: 'low',
          sentence: `Volume ${i} has little space left.`,
          remedy: 'Free some space.',
          details: {},
        });
      }
    },
    kept: () => ({
      time: store.trust.signedTime(),
      pointer: store.uplink.pointer(ORIGIN),
      receipts: store.uplink.receipts(ORIGIN),
      parked: store.uplink.parked(ORIGIN),
      roots: store.trust.roots(),
      content: store.trust.document('content'),
      policy: store.trust.document('policy'),
      revocations: store.trust.document('revocations'),
      log: [evidence.size(), evidence.root()],
    }),
    async close() {
      await https.close();
      store.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function payloadDigestOf(body: Buffer): string {
  try {
    const { payload } = JSON.parse(body.toString()) as { payload: string };
    return sha256Hex(Buffer.from(payload, 'base64'));
  } catch {
    return '';
  }
}
