import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { payloadDigest } from '../../agent/wire/document.ts';
import { parseEnvelope } from '../../agent/wire/dsse.ts';
import { makeCentral, type RunningCentral, type TestCentral } from '../support/central-process.ts';
import { enrolDevice, evidenceLines, upload, type Enrolled } from '../support/device.ts';
import { cli } from '../support/run-cli.ts';

let central: TestCentral;
let server: RunningCentral;
let boxes: Enrolled[] = [];
const dir = mkdtempSync(join(tmpdir(), 'site-export-'));
const out = join(dir, 'bundle');

beforeAll(async () => {
  central = await makeCentral();
  server = await central.serve();
  boxes = [await enrolDevice(central, server.url, 'box-a'), await enrolDevice(central, server.url, 'box-b')];
  for (const [i, box] of boxes.entries()) await upload(central, server.url, box, 0, evidenceLines(box, 5 + i));
}, 120_000);
afterAll(async () => {
  await central.remove();
  rmSync(dir, { recursive: true, force: true });
});

describe('central-command evidence export', () => {
  it('writes one bundle for all appliances of a site, which verifies under the digest from outside', async () => {
    const site = boxes[0]!.siteId;
    const made = await central.json<{ logs: string[]; root_sha256: string; verified: boolean }>(
      ...['evidence', 'export', '--site', site, '--out', out],
    );
    expect(made).toMatchObject({ logs: boxes.map((box) => box.origin), lines: 11, entries: 11, verified: true });
    const [rootLine = ''] = readFileSync(join(out, 'root.json'), 'utf8').split('\n');
    const digest = payloadDigest(parseEnvelope(rootLine, { maxBytes: 1_048_576 }));
    const { code, json } = await cli(['evidence', 'verify', out, '--root-sha256', digest, '--json']);
    const verdict = json<{ origin: string; size: number; earlier_epochs: { origin: string; size: number }[] }>();
    expect([code, verdict]).toMatchObject([0, { verdict: 'verified', origin: boxes[1]!.origin, size: 6, receipts: 1 }]);
    expect(verdict.earlier_epochs).toMatchObject([{ origin: boxes[0]!.origin, size: 5 }]);
    const report = readFileSync(join(out, 'report.html'), 'utf8');
    expect(report).toContain('Logs in this bundle');
    for (const box of boxes) expect(report).toContain(box.origin);
  }, 60_000);

  it('says that there is no such site, overwrites nothing, and leaves nothing behind', async () => {
    const nowhere = await central.cli('evidence', 'export', '--site', 'no-such-site', '--out', join(dir, 'x'));
    expect([nowhere.code, nowhere.stderr.split(':')[0]]).toEqual([2, 'site_unknown']);
    const again = await central.cli('evidence', 'export', '--site', boxes[0]!.siteId, '--out', dir);
    expect([again.code, again.stderr.split(':')[0]]).toEqual([2, 'export_refused']);
  }, 60_000);
});
