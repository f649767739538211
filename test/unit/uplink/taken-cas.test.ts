import { X509Certificate } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { spkiPin } from '../../../agent/https/pin-check.ts';
import { acceptedCas } from '../../../agent/identity/central-cas.ts';
import type { EnrolledIdentity } from '../../../agent/store/open-store.ts';
import type { CheckinAnswer } from '../../../agent/wire/schemas/checkin.ts';
import type { Root } from '../../../agent/wire/schemas/root.ts';
import { parseRoot } from '../../../agent/trust/root.ts';
import { CA_1, CA_2, CA_3, CA_4 } from '../../../tools/vectors/ca-certificates.ts';
import {
  openScriptedAppliance,
  problem,
  reply,
  startScriptedCentral,
  type ScriptedAppliance,
  type ScriptedCentral,
} from '../../support/scripted-central.ts';

const signal = new AbortController().signal;
const served = new Map<string, string>();
const certificate = (ca: string): X509Certificate => new X509Certificate(Buffer.from(ca, 'base64'));
const pinOf = (ca: string): string => spkiPin(certificate(ca));
let central: ScriptedCentral;
let appliance: ScriptedAppliance;
/** The CA that the server is under, as a root names it. */
let own: string;

beforeAll(async () => {
  central = await startScriptedCentral();
  own = new X509Certificate(central.ca.caPem).raw.toString('base64');
  central.documents = (request, response) => {
    const line = served.get(request.path.split('/').slice(-2).join('/'));
    if (line === undefined) problem(response, 404, 'document_unknown');
    else reply(response, line);
  };
});
beforeEach(() => {
  served.clear();
  appliance = openScriptedAppliance(central);
});
afterEach(() => appliance.close());
afterAll(() => central.server.close());

function serveRoot(version: number, cas: string[] | undefined, ...signers: string[]): void {
  const root: Root = { ...central.trust.root.root, version, ...(cas === undefined ? {} : { central_cas: cas }) };
  const by = signers.map((name) => central.trust.keys[name]!);
  served.set(`root/${version}`, central.trust.sign('root', root, ...by));
}
const named = (change: Partial<CheckinAnswer>): CheckinAnswer => ({
  ...central.answer({ method: '', path: '', headers: {}, body: Buffer.alloc(0), payloadSha256: '0'.repeat(64) }),
  ...change,
});
const walkTo = (version: number) =>
  appliance.uplink.syncTrust(named({ root_version: version }), appliance.evidence, signal);
/** As if the files of this appliance had named this CA alone. */
const enrolledUnder = (ca: string): EnrolledIdentity => {
  const identity = { ...appliance.identity, caPem: certificate(ca).toString(), caPins: [pinOf(ca)] };
  appliance.store.trust.saveIdentity(identity);
  return identity;
};
const heldPins = (): readonly string[] => appliance.store.trust.identity()!.caPins;
const acceptedPins = (): readonly string[] => {
  const { line } = appliance.store.trust.roots().at(-1)!;
  return acceptedCas(appliance.store.trust.identity()!, parseRoot(line).root).caPins;
};

describe('an enrolled appliance that takes roots which name CAs', () => {
  it('takes those of the newest one beside its own, and none of a version between', async () => {
    appliance.store.trust.saveIdentity(appliance.identity);
    serveRoot(2, [CA_1, CA_4]);
    serveRoot(3, [CA_2, CA_3]);
    expect(await walkTo(3)).toMatchObject({ rootChanged: true, failures: [] });
    expect(heldPins()).toEqual(appliance.identity.caPins);
    expect(acceptedPins()).toEqual([...appliance.identity.caPins, pinOf(CA_2), pinOf(CA_3)]);
  });

  it('keeps the CA that it is connected under where the next root does not name it', async () => {
    enrolledUnder(CA_4);
    serveRoot(2, [own, CA_1]);
    serveRoot(3, [CA_2, CA_3]);
    expect(await walkTo(3)).toMatchObject({ rootChanged: true, failures: [] });
    expect(acceptedPins()).toEqual([pinOf(CA_4), central.ca.caPin, pinOf(CA_2), pinOf(CA_3)]);
  });

  it('does so too where it catches up because no answer verifies', async () => {
    enrolledUnder(CA_4);
    serveRoot(2, [own, CA_1]);
    serveRoot(3, [CA_2, CA_3]);
    expect(await appliance.uplink.catchUpRoots(appliance.evidence, signal)).toBe(true);
    expect(acceptedPins()).toEqual([pinOf(CA_4), central.ca.caPin, pinOf(CA_2), pinOf(CA_3)]);
  });

  it.each<[string, string, readonly string[]]>([
    ['one of two persons signed', 'threshold_not_met', ['root:alice']],
    ['the timestamp key signed', 'signature_invalid', ['timestamp']],
    ['content signers signed', 'signature_invalid', ['content:alice', 'content:bob']],
  ])('takes none of a root that %s', async (_what, code, signers) => {
    const before = enrolledUnder(CA_4);
    serveRoot(2, [own, CA_1], ...signers);
    const { failures } = await walkTo(2);
    expect(failures.map((failure) => failure.code)).toEqual([code]);
    expect(appliance.store.trust.identity()).toEqual(before);
    expect(acceptedPins()).toEqual([pinOf(CA_4)]);
  });

  it('is brought back to no earlier root, whoever signed that one', async () => {
    appliance.store.trust.saveIdentity(appliance.identity);
    serveRoot(2, [CA_3, CA_4]);
    served.set('root/3', served.get('root/2')!);
    serveRoot(2, [CA_1, CA_2]);
    const { failures } = await walkTo(3);
    expect(failures.map((failure) => failure.code)).toEqual(['root_version']);
    expect(acceptedPins()).toEqual([...appliance.identity.caPins, pinOf(CA_1), pinOf(CA_2)]);
  });

  it('loses none by a server that is not there, or refuses', async () => {
    const before = enrolledUnder(CA_4);
    central.checkin = (_request, response) => problem(response, 503, 'central_unavailable');
    await expect(appliance.uplink.catchUpRoots(appliance.evidence, signal)).resolves.toBe(false);
    const { failures } = await walkTo(2);
    expect(failures.map((failure) => failure.code)).toEqual(['http_refused']);
    expect(appliance.store.trust.identity()).toEqual(before);
  });
});
