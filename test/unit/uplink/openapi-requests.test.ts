import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recoverCertificate, renewCertificate } from '../../../agent/identity/certificate-request.ts';
import { loadOrCreateKeys } from '../../../agent/identity/keys.ts';
import { exchangeSigned } from '../../../agent/identity/signed-exchange.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { fakeIds } from '../../support/fakes/fake-ids.ts';
import { checkinInput } from '../../support/enrolled-appliance.ts';
import {
  openScriptedAppliance,
  startScriptedCentral,
  type ScriptedAppliance,
  type ScriptedCentral,
  type ScriptedRequest,
} from '../../support/scripted-central.ts';
import { NOW } from '../../support/trust-fixtures.ts';

interface Parameter {
  readonly $ref?: string;
  readonly name: string;
  readonly in: 'header' | 'path';
  readonly required?: boolean;
  readonly schema: { readonly $ref?: string; readonly type?: string };
}
interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly $ref?: string; readonly content: Readonly<Record<string, unknown>> };
}
interface Api {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const api = parse(readFileSync(new URL('../../../central/openapi.yaml', import.meta.url), 'utf8')) as Api;
const ajv = new Ajv2020({ strict: false });
ajv.addSchema({ $id: 'openapi', ...api });
const resolve = <T extends { $ref?: string }>(node: T): T =>
  node.$ref === undefined
    ? node
    : (node.$ref
        .slice(2)
        .split('/')
        .reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], api) as T);

/** The operation that a request is, with the values of its path. */
function operationOf(request: ScriptedRequest): { operation: Operation; values: Record<string, string> } {
  for (const [template, operations] of Object.entries(api.paths)) {
    const pattern = new RegExp(`^${template.replaceAll(/\{([a-z]+)\}/g, '(?<$1>[^/]+)')}$`);
    const match = pattern.exec(request.path);
    const operation = operations[request.method.toLowerCase()];
    if (match !== null && operation !== undefined) return { operation, values: { ...match.groups } };
  }
  return expect.fail(`${request.method} ${request.path} is not in the contract`);
}

function assertInContract(request: ScriptedRequest): void {
  const { operation, values } = operationOf(request);
  for (const given of operation.parameters ?? []) {
    const parameter = resolve(given);
    const value = parameter.in === 'path' ? values[parameter.name] : request.headers[parameter.name.toLowerCase()];
    if (value === undefined && parameter.required !== true) continue;
    const typed = parameter.schema.type === 'integer' ? Number(value) : value;
    const schema = parameter.schema.$ref === undefined ? parameter.schema : { $ref: `openapi${parameter.schema.$ref}` };
    expect(ajv.validate(schema, typed), `${request.path}: ${parameter.name} = ${String(value)}`).toBe(true);
  }
  const body = operation.requestBody === undefined ? undefined : resolve(operation.requestBody);
  expect(request.body.length > 0).toBe(body !== undefined);
  if (body === undefined) return;
  const type = String(request.headers['content-type']);
  expect(Object.keys(body.content)).toContain(type);
  const envelopes =
    type === 'application/x-ndjson'
      ? gunzipSync(request.body).toString().trimEnd().split('\n')
      : [request.body.toString()];
  for (const line of envelopes) {
    expect(ajv.validate({ $ref: 'openapi#/components/schemas/envelope' }, JSON.parse(line))).toBe(true);
  }
}

let central: ScriptedCentral;
let appliance: ScriptedAppliance;
const signal = new AbortController().signal;

beforeAll(async () => {
  central = await startScriptedCentral();
  appliance = openScriptedAppliance(central);
});
afterAll(async () => {
  await appliance.close();
  await central.server.close();
});

describe('what the agent sends, held against central/openapi.yaml', () => {
  it('check-ins, uploads and requests for documents are in the contract', async () => {
    const { answer } = await appliance.uplink.checkIn(checkinInput(appliance.uplink.queue()), signal);
    await appliance.uplink.uploadOnce(signal);
    const named = { version: 1, sha256: 'ab'.repeat(32) };
    await appliance.uplink.syncTrust(
      { ...answer, root_version: 2, content: named, policy: named, revocations: named },
      appliance.evidence,
      signal,
    );
    expect(central.requests.map((request) => request.path.split('/').slice(3, 6).join('/'))).toEqual([
      'appliances/checkin',
      'appliances/evidence',
      'appliances/documents/root',
      'appliances/documents/revocations',
      'appliances/documents/content',
      'appliances/documents/policy',
    ]);
    for (const request of central.requests) assertInContract(request);
  });

  it('requests for certificates are in the contract', async () => {
    central.requests.length = 0;
    central.documents = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ challenge: 'ab'.repeat(16), expires_in_s: 300 }));
    };
    const dir = mkdtempSync(join(tmpdir(), 'contract-'));
    const https = central.client();
    const { clock, identity } = appliance;
    const deps = { https, clock, ids: fakeIds(1, clock), keys: loadOrCreateKeys(dir), identity, nowT: null };
    await expectCodeAsync(renewCertificate(deps, signal, 'run-1'), 'response_not_expected');
    await expectCodeAsync(recoverCertificate(deps, signal, 'run-2'), 'response_not_expected');
    await https.close();
    rmSync(dir, { recursive: true, force: true });
    expect(central.requests.map((request) => request.path.split('/').slice(4).join('/'))).toEqual([
      'certificate',
      `certificate/challenges/${identity.applianceId}`,
      'certificate',
    ]);
    for (const request of central.requests) assertInContract(request);
  });

  it('claims are in the contract', async () => {
    central.requests.length = 0;
    const claim = {
      schema: 'compliance-agent/claim/v1' as const,
      source: 'usb' as const,
      token: Buffer.alloc(32).toString('base64'),
      device_spki: central.trust.keys['device']!.spki,
      tls_spki: central.trust.binding().tls_spki,
      csr: 'AAAA',
      hardware: { serial: null, macs: [] },
      agent_version: '0.1.0',
      nonce: '0'.repeat(32),
      sent_at: NOW,
    };
    const https = central.client();
    const deps = { https, clock: appliance.clock, signer: central.trust.keys['device']!, root: central.trust.root };
    await exchangeSigned(
      deps,
      { path: '/api/v1/enrolments', name: 'claim', question: claim, correlationId: 'run-1' },
      signal,
    ).catch(() => undefined);
    await https.close();
    expect(central.requests).toHaveLength(1);
    for (const request of central.requests) assertInContract(request);
  });
});
