// A box is stolen with its keys. What it writes afterwards is well signed; the partner says from where on it does not count.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeAddCheckpoint } from '../../agent/wire/add-checkpoint.ts';
import { signCheckpoint } from '../../agent/wire/checkpoint.ts';
import { payloadDigest } from '../../agent/wire/document.ts';
import { parseEnvelope } from '../../agent/wire/dsse.ts';
import { leafHash, rootOfLeaves } from '../../agent/wire/merkle.ts';
import { makeCentral, type RunningCentral, type TestCentral } from '../support/central-process.ts';
import { checkIn, enrolDevice, evidenceLines, upload, type Enrolled } from '../support/device.ts';
import { cli } from '../support/run-cli.ts';

const HONEST = 6;
const STOLEN = 10;
interface Verdict {
  readonly verdict: string;
  readonly code: string | null;
  readonly seq: number | null;
  readonly size: number;
  readonly sentence: string;
  readonly origin: string;
  readonly ranges: readonly { from_seq: number; to_seq: number; range: string }[];
  readonly trust_root: { readonly revocations_version: number | null };
  readonly earlier_epochs: readonly Verdict[];
}

let central: TestCentral;
let server: RunningCentral;
let stolen: Enrolled;
let other: Enrolled;
let lines: string[];
const dir = mkdtempSync(join(tmpdir(), 'revoked-origin-'));
const [before, after] = [join(dir, 'before'), join(dir, 'after')];

async function cosigned(me: Enrolled, leaves: readonly Buffer[]): Promise<void> {
  const root = rootOfLeaves(leaves);
  const checkpoint = signCheckpoint({ origin: me.origin, size: leaves.length, root, extensions: [] }, me.device.signer);
  const witness_request = encodeAddCheckpoint({ oldSize: 0, proof: [], checkpoint });
  const { witness } = await checkIn(central, server.url, me, { witness_request });
  expect(witness?.verdict).toBe('cosigned');
}

const exportTo = async (out: string): Promise<{ verified: boolean }> => {
  const run = await central.cli('evidence', 'export', '--site', stolen.siteId, '--out', out, '--json');
  return JSON.parse(run.stdout) as { verified: boolean };
};

/** As an auditor, who has the digest from elsewhere. */
async function audit(
  bundle: string,
  ...more: string[]
): Promise<{ code: number; logs: readonly Verdict[]; verdict: Verdict }> {
  const [rootLine = ''] = readFileSync(join(bundle, 'root.json'), 'utf8').split('\n');
  const digest = payloadDigest(parseEnvelope(rootLine, { maxBytes: 1_048_576 }));
  const { code, json } = await cli(['evidence', 'verify', bundle, '--root-sha256', digest, '--json', ...more]);
  const verdict = json<Verdict>();
  return { code, verdict, logs: [verdict, ...verdict.earlier_epochs] };
}

beforeAll(async () => {
  central = await makeCentral();
  server = await central.serve();
  stolen = await enrolDevice(central, server.url, 'box-a');
  other = await enrolDevice(central, server.url, 'box-b');
  lines = evidenceLines(stolen, STOLEN + 2);
  await upload(central, server.url, other, 0, evidenceLines(other, 3));
  await upload(central, server.url, stolen, 0, lines.slice(0, HONEST));
  await cosigned(stolen, lines.slice(0, HONEST).map(leafHash));
  // From here on the thief has device key and certificate.
  await upload(central, server.url, stolen, HONEST, lines.slice(HONEST, STOLEN));
}, 120_000);
afterAll(async () => {
  await central.remove();
  rmSync(dir, { recursive: true, force: true });
});

describe('a stolen box that goes on signing', () => {
  it('is believed as long as nobody revokes its log', async () => {
    expect(await exportTo(before)).toMatchObject({ verified: true });
    const { code, verdict, logs } = await audit(before);
    expect([code, verdict.verdict, verdict.trust_root.revocations_version]).toEqual([0, 'verified', null]);
    expect(logs.map(({ size }) => size).toSorted((a, b) => a - b)).toEqual([3, STOLEN]);
  }, 60_000);

  it('is trusted up to the last cosigned checkpoint once the partner revoked its log, and the rest is named', async () => {
    const revoked = await central.json<{ trust_until_size: number; root: string; version: number; published: boolean }>(
      ...['revoke', 'origin', stolen.origin, '--keys', central.keysDir],
    );
    const root = rootOfLeaves(lines.slice(0, HONEST).map(leafHash)).toString('hex');
    expect(revoked).toMatchObject({ trust_until_size: HONEST, root, version: 1, published: true });
    expect(await exportTo(after)).toMatchObject({ verified: false });
    const { code, verdict, logs } = await audit(after);
    expect([code, verdict.verdict, verdict.trust_root.revocations_version]).toEqual([4, 'failed', 1]);
    const mine = logs.find(({ origin }) => origin === stolen.origin);
    expect(mine).toMatchObject({ code: 'origin_revoked', seq: HONEST, size: HONEST });
    expect(mine?.ranges).toMatchObject([{ from_seq: 0, to_seq: HONEST, range: 'witnessed=1' }]);
    expect(logs.find(({ origin }) => origin === other.origin)).toMatchObject({ code: null, size: 3 });
  }, 60_000);

  it('is found in a bundle from before, by an auditor who brings the list', async () => {
    const { code, logs } = await audit(before, '--revocations', join(after, 'revocations.json'));
    const mine = logs.find(({ origin }) => origin === stolen.origin);
    expect([code, mine?.code, mine?.seq]).toEqual([4, 'origin_revoked', HONEST]);
  }, 60_000);

  it('has what it sends afterwards stored, and receipted as not verified', async () => {
    const receipt = await upload(central, server.url, stolen, STOLEN, lines.slice(STOLEN));
    expect(receipt.size).toBe(STOLEN + 2);
    expect(receipt.stored_unverified).toEqual([
      { seq: STOLEN, code: 'origin_revoked' },
      { seq: STOLEN + 1, code: 'origin_revoked' },
    ]);
  }, 60_000);

  it('is named by Central Command itself when it verifies what is stored', async () => {
    const run = await central.cli('evidence', 'verify', '--origin', stolen.origin, '--json');
    const { logs } = JSON.parse(run.stdout) as { logs: { code: string; seq: number; size: number }[] };
    expect([run.code, logs]).toMatchObject([4, [{ code: 'origin_revoked', seq: HONEST, size: HONEST }]]);
  }, 60_000);

  it('is trusted less by a second list, and never more', async () => {
    const revoke = async (size: number): Promise<{ trust_until_size: number; version: number; published: boolean }> =>
      await central.json('revoke', 'origin', stolen.origin, '--keys', central.keysDir, '--size', String(size));
    expect(await revoke(8)).toMatchObject({ trust_until_size: HONEST, version: 1, published: false });
    expect(await revoke(3)).toMatchObject({ trust_until_size: 3, version: 2, published: true });
    const { logs } = await audit(before, '--revocations', join(after, 'revocations.json'));
    expect(logs.find(({ origin }) => origin === stolen.origin)).toMatchObject({ seq: HONEST });
    const list = await central.json<{ origins: object[] }>('revoke', 'list');
    expect(list.origins).toMatchObject([{ origin: stolen.origin, trust_until_size: 3 }]);
  }, 60_000);

  it('keeps what the auditor may rely on in a bundle of a later period, where only hashes stand for it', async () => {
    const out = join(dir, 'later');
    await central.cli('evidence', 'export', '--site', stolen.siteId, '--out', out, '--from', '2036-01-01');
    const { logs } = await audit(out);
    const mine = logs.find(({ origin }) => origin === stolen.origin);
    expect(mine).toMatchObject({ code: 'origin_revoked', seq: 3, size: 3 });
  }, 60_000);

  it('cannot be revoked at a size that is not stored, without a cosigned checkpoint, or in the name of no appliance', async () => {
    const revoke = async (...argv: string[]): Promise<string> => {
      const { code, stderr } = await central.cli('revoke', 'origin', ...argv, '--keys', central.keysDir);
      return `${code} ${stderr.split(':')[0]}`;
    };
    expect(await revoke(stolen.origin, '--size', '99')).toBe('2 usage');
    expect(await revoke(other.origin)).toBe('2 usage');
    expect(await revoke('logs.elsewhere.example/box-a/1')).toMatch(/^\d origin_not_bound$/);
  }, 60_000);
});
