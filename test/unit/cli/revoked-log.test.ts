// The list of revoked logs on its way: from the appliance into a bundle, from the auditor's own file, and not from just anybody.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadChecks } from '../../../agent/daemon/load-checks.ts';
import { payloadDigest } from '../../../agent/wire/document.ts';
import { parseEnvelope } from '../../../agent/wire/dsse.ts';
import { leafHash, rootOfLeaves } from '../../../agent/wire/merkle.ts';
import type { Revocations } from '../../../agent/wire/schemas/root.ts';
import { ROOT_SHA256 } from '../../support/cli-state.ts';
import { linesOf, openLog, trust } from '../../support/evidence-fixtures.ts';
import { makeReportState, type ReportState } from '../../support/report-state.ts';
import { cli } from '../../support/run-cli.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const REPO = join(import.meta.dirname, '..', '..', '..');
const deps = { loadChecks: (path: string | null) => loadChecks(join(REPO, 'runbooks'), path) };
const HOURS = 3;
let state: ReportState;
let dir: string;
beforeEach(() => {
  state = makeReportState(HOURS);
  dir = mkdtempSync(join(tmpdir(), 'revoked-log-'));
});
afterEach(() => {
  for (const path of [state.dir, dir]) rmSync(path, { recursive: true, force: true });
});

const listOf = (size: number, root: string, change: Partial<Revocations> = {}): string =>
  trust.sign('revocations', {
    schema: 'compliance-agent/revocations/v1',
    partner_id: trust.root.root.partner_id,
    version: 1,
    issued_at: NOW,
    keys: [],
    origins: [{ origin: state.origin, trust_until_size: size, root, revoked_at: NOW }],
    ...change,
  });

/** The root over the first entries, as the log itself has it. */
function rootAt(size: number): string {
  const { store } = openLog(state.dir);
  try {
    return rootOfLeaves(linesOf(store).slice(0, size).map(leafHash)).toString('hex');
  } finally {
    store.close();
  }
}

const verify = async (...argv: string[]) => {
  const { code, json } = await cli(['evidence', 'verify', ...argv, '--root-sha256', ROOT_SHA256, '--json']);
  const out = json<{ code?: string; seq?: number; size?: number; error?: { code: string } }>();
  return { exit: code, code: out.error?.code ?? out.code, seq: out.seq, size: out.size };
};

describe('a log that the partner revoked', () => {
  it('is judged by the list that the appliance has, in its own store and in the bundle that it exports', async () => {
    const line = listOf(5, rootAt(5));
    const { store } = openLog(state.dir);
    const digest = payloadDigest(parseEnvelope(line, { maxBytes: 1_048_576 }));
    store.trust.putDocument({ kind: 'revocations', version: 1, digest, line, at: NOW });
    store.close();
    const found = { exit: 4, code: 'origin_revoked', seq: 5, size: 5 };
    expect(await verify('--state', state.dir)).toEqual(found);
    const out = join(dir, 'bundle');
    expect((await cli(['evidence', 'export', '--state', state.dir, '--out', out], { deps })).code).toBe(4);
    expect(readFileSync(join(out, 'revocations.json'), 'utf8')).toBe(`${line}\n`);
    expect(await verify(out)).toEqual(found);
  });

  it('is judged by the newest of the lists at hand, and people are told which that is', async () => {
    const out = join(dir, 'bundle');
    expect((await cli(['evidence', 'export', '--state', state.dir, '--out', out], { deps })).code).toBe(0);
    const file = join(dir, 'lists');
    writeFileSync(file, `${listOf(4, rootAt(4))}\n${listOf(3, rootAt(3), { version: 2 })}\n`);
    expect(await verify(out, '--revocations', file)).toMatchObject({ code: 'origin_revoked', seq: 3 });
    const text = async (...argv: string[]): Promise<string> =>
      (await cli(['evidence', 'verify', out, '--root-sha256', ROOT_SHA256, ...argv])).out;
    expect(await text()).toContain('no list of revoked logs is at hand');
    expect(await text('--revocations', file)).toContain('list 2 of the partner');
    expect(await text('--revocations', file)).toContain('the 3 entries below verify');
  });

  it('is not revoked by a list that the content role did not sign', async () => {
    const out = join(dir, 'bundle');
    await cli(['evidence', 'export', '--state', state.dir, '--out', out], { deps });
    const file = join(dir, 'lists');
    const { payload } = JSON.parse(listOf(3, rootAt(3))) as { payload: string };
    const forged = trust.sign('receipt', {
      schema: 'compliance-agent/receipt/v1',
      origin: state.origin,
      size: 3,
      root: rootAt(3),
      stored_at: NOW,
      store: 'files',
      object_id: 'x',
      retain_until: NOW,
      stored_unverified: [],
    });
    const { signatures } = JSON.parse(forged) as { signatures: object[] };
    const payloadType = 'application/vnd.compliance-agent.revocations+json';
    writeFileSync(file, `${JSON.stringify({ payload, payloadType, signatures })}\n`);
    expect(await verify(out, '--revocations', file)).toMatchObject({ exit: 4, code: 'signature_invalid' });
    writeFileSync(file, `${listOf(3, rootAt(3), { partner_id: 'somebody-else' })}\n`);
    expect(await verify(out, '--revocations', file)).toMatchObject({ exit: 4, code: 'revocations_invalid' });
  });
});
