import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadChecks } from '../../agent/daemon/load-checks.ts';
import { chromiumMissing, startChromium, type Browser, type Look } from '../support/chromium.ts';
import { makeReportState, type ReportState } from '../support/report-state.ts';
import { cli } from '../support/run-cli.ts';

const REPO = join(import.meta.dirname, '..', '..');
const PHONE: Look = { width: 390, media: 'screen' };
/** A4 at 96 pixels an inch, without the margins of the page. */
const PAPER: Look = { width: 673, media: 'print' };
const DESK: Look = { width: 1_280, media: 'screen' };
/** What nobody may have to look for, in this order. */
const SECTIONS = [
  'Evidence report',
  'verified when this report was made',
  'Look at these first',
  'Gaps in the record',
  'Within these times more than two runs',
  'Not confirmed by anybody else',
  'Checks that fail or are unknown',
  'Refused orders',
  'Who vouches for these entries',
  'Day by day',
  'Results at the end of the period',
  'What changed in this period',
  'What the checks support',
  'How to check this without trusting us',
  'Words',
];

const missing = chromiumMissing();
const folder = mkdtempSync(join(tmpdir(), 'pages-'));
/** Name a folder in this variable to keep the pictures, for somebody to look at them. */
const KEPT = process.env['REPORT_PICTURES'];
let state: ReportState | null = null;
let browser: Browser | null = null;
const report = join(folder, 'bundle', 'report.html');

beforeAll(async () => {
  if (missing !== null) return;
  state = makeReportState();
  const deps = { loadChecks: (path: string | null) => loadChecks(join(REPO, 'runbooks'), path) };
  const { code } = await cli(['evidence', 'export', '--state', state.dir, '--out', join(folder, 'bundle')], { deps });
  expect(code).toBe(0);
  browser = await startChromium();
});
afterAll(async () => {
  await browser?.close();
  if (state !== null) rmSync(state.dir, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
});

const keep = (name: string, data: Buffer): void => {
  if (KEPT === undefined) return;
  mkdirSync(KEPT, { recursive: true });
  writeFileSync(join(KEPT, name), data);
};

describe('the report in a browser', () => {
  it.for<[string, Look]>([
    ['on a phone', PHONE],
    ['on paper', PAPER],
    ['on a desk', DESK],
  ])(
    'shows every section without scrolling sideways and asks the network for nothing %s',
    async ([where, look], { skip }) => {
      skip(missing !== null, missing ?? '');
      const seen = await browser!.look(report, look);
      keep(`${where.replaceAll(' ', '-')}.png`, seen.png);
      expect(seen.tooWide).toEqual([]);
      expect(seen.contentWidth).toBeLessThanOrEqual(look.width);
      expect(seen.requests).toEqual([pathToFileURL(report).href]);
      const places = SECTIONS.map((section) => [section, seen.text.indexOf(section)] as const);
      expect(places.filter(([, at]) => at < 0)).toEqual([]);
      expect(places.map(([section]) => section)).toEqual(
        places.toSorted((a, b) => a[1] - b[1]).map(([section]) => section),
      );
      expect(seen.png.subarray(1, 4).toString()).toBe('PNG');
    },
  );

  it('finds a table that is too wide and a picture from elsewhere: what it is held against can fail', async ({
    skip,
  }) => {
    skip(missing !== null, missing ?? '');
    const bad = join(folder, 'bad.html');
    const text = readFileSync(report, 'utf8')
      .replace(/<meta\s+http-equiv="Content-Security-Policy"[^>]*>/, '')
      .replace('<main>', '<main><img src="http://127.0.0.1:9/x.png"><div style="width: 900px">too wide</div>');
    writeFileSync(bad, text);
    const seen = await browser!.look(bad, PHONE);
    expect(seen.contentWidth).toBeGreaterThan(PHONE.width);
    expect(seen.tooWide.length).toBeGreaterThan(0);
    expect(seen.requests).toContain('http://127.0.0.1:9/x.png');
  });

  it('prints on pages', async ({ skip }) => {
    skip(missing !== null, missing ?? '');
    const pdf = await browser!.pdf(report);
    keep('report.pdf', pdf);
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
    const pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b(?!s)/g)?.length ?? 0;
    expect(pages).toBeGreaterThan(2);
    expect(pages).toBeLessThan(12);
  });
});
