import { describe, expect, it } from 'vitest';
import { CSV_HEAD, csvRow } from '../../../agent/report/entries-csv.ts';
import { escapeHtml, html } from '../../../agent/report/html.ts';
import { encodeManifest, parseManifest } from '../../../agent/report/manifest.ts';
import { createReportCollector, MAX_ROWS, type Period } from '../../../agent/report/report-model.ts';
import { reportHtml } from '../../../agent/report/report-html.ts';
import { parseDocument } from '../../../agent/wire/document.ts';
import { parseEnvelope } from '../../../agent/wire/dsse.ts';
import { createLogVerifier } from '../../../agent/verify/log-verifier.ts';
import { MAX_ENTRY_BYTES, type Predicate } from '../../../agent/wire/schemas/entry.ts';
import { expectCode } from '../../support/expect-code.ts';
import { alertBody, makeLog, TARGET, type SampleLog } from '../../support/sample-log.ts';
import { makeTrust, NOW } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const ALL: Period = { from: null, to: null };

const predicates = (log: SampleLog): Predicate[] =>
  log.lines.map((line) => parseDocument('entry', parseEnvelope(line, { maxBytes: MAX_ENTRY_BYTES }).payload).predicate);

function report(log: SampleLog, period = ALL): string {
  const collector = createReportCollector(period);
  for (const predicate of predicates(log)) collector.push(predicate);
  const verifier = createLogVerifier({ root: trust.root.root });
  for (const line of log.lines) verifier.push(line);
  return reportHtml({
    logs: [{ model: collector.finish(), verdict: verifier.finish(), stored: 0, leftOut: 0 }],
    period,
    names: { checks: new Map([['disk', 'Room on the disk']]), requirements: new Map() },
    rootSha256: trust.root.digest,
    agentVersion: '0.1.0',
  });
}

const finding = (result: 'pass' | 'fail' | 'unknown', sentence: string) => ({
  target: TARGET,
  check: { id: 'disk', version: 1 },
  baseline: { id: 'appliance', version: 1, sha256: 'b1'.repeat(32) },
  controls: [{ map: 'hipaa-2013', cite: '164.312(b)' }],
  severity: 'high' as const,
  result,
  previous_result: null,
  sentence,
  facts: { free_percent: 3 },
  facts_digest: 'f1'.repeat(32),
  facts_read_at: NOW,
});

describe('the report', () => {
  it('fetches nothing, runs nothing and refers to nothing outside', () => {
    const page = report(makeLog(trust));
    expect(page).not.toMatch(/(?:src|href)="(?!#)/);
    expect(page).not.toMatch(/<script|@import|url\(|<link|<img|<iframe/i);
    expect(page).toContain("default-src 'none'");
  });

  it('escapes what others wrote, markup and direction characters alike', () => {
    const log = makeLog(trust);
    log.add('finding', finding('fail', '<img src=x onerror="alert(1)"> & \u202etxt.exe'));
    const page = report(log);
    expect(page).not.toContain('<img');
    expect(page).not.toContain('\u202e');
    expect(page).toContain('&lt;img src=x onerror=&quot;alert(1)&quot;&gt; &amp; \\u202etxt.exe');
  });

  it('puts what needs attention before every result', () => {
    const log = makeLog(trust);
    log.add('finding', finding('unknown', 'could not be read'));
    log.add('alert', alertBody(1));
    log.add('gap', {
      reason: 'disk_full',
      sentence: 'left out',
      gap_from: NOW,
      gap_to: NOW + 1,
      dropped: { heartbeat: 2 },
    });
    const page = report(log);
    const at = (text: string): number => page.indexOf(text);
    expect(at('Look at these first')).toBeGreaterThan(0);
    for (const part of ['Gaps in the record', 'Alerts about', 'could not be read', 'unanchored']) {
      expect(at(part), part).toBeGreaterThan(at('Look at these first'));
      expect(at(part), part).toBeLessThan(at('Results at the end of the period'));
    }
  });

  it('names entry and digest of the facts as the proof of a result', () => {
    const log = makeLog(trust);
    log.add('finding', finding('pass', 'Enough room.'));
    const page = report(log);
    expect(page).toContain(`SHA-256 of the judged facts: ${'f1'.repeat(32)}`);
    expect(page).toMatch(/entry <b>1<\/b>/);
  });

  it('says supports, and satisfies only to deny it', () => {
    const log = makeLog(trust);
    log.add('finding', finding('pass', 'Enough room.'));
    expect([...report(log).matchAll(/satisf\w*/gi)].map((match) => match[0])).toEqual(['satisfies']);
    expect(report(log)).toMatch(/It\s+never\s+satisfies/);
  });

  it('says first that a log does not verify', () => {
    const log = makeLog(trust);
    log.add('finding', finding('pass', 'Enough room.'));
    log.add('alert', alertBody(1), (statement) => void (statement.predicate.seq += 1));
    const page = report(log);
    expect(page).toContain('This log does not verify.');
    expect(page.indexOf('This log does not verify.')).toBeLessThan(page.indexOf('Look at these first'));
    expect(page).not.toContain('verified when this report was made');
  });

  it('is the same for the same entries, and says when there is nothing to say', () => {
    const log = makeLog(trust);
    expect(report(log)).toBe(report(log));
    expect(report(log)).toContain('No check has a result yet.');
  });

  it('carries the last result before the period into it, and leaves out what came after', () => {
    const log = makeLog(trust);
    log.add('finding', finding('fail', 'before the period'));
    for (let n = 0; n < 5; n++) log.add('alert', alertBody(n));
    log.add('finding', finding('pass', 'after the period'));
    const page = report(log, { from: NOW + 3, to: NOW + 6 });
    expect(page).toContain('before the period');
    expect(page).not.toContain('after the period');
    expect(page).toContain('No result changed.');
  });

  it('tells alerts of several targets apart, names them, and says when one became more severe', () => {
    const log = makeLog(trust);
    const alert = (state: 'raised' | 'cleared', severity: 'low' | 'high', target: string): void =>
      void log.add('alert', { ...alertBody(1), state, severity, details: { target } });
    alert('raised', 'low', 'srv-1');
    alert('raised', 'low', 'srv-2');
    alert('raised', 'high', 'srv-1');
    alert('cleared', 'low', 'srv-2');
    const collector = createReportCollector(ALL);
    for (const predicate of predicates(log)) collector.push(predicate);
    const rows = collector
      .finish()
      .alerts.rows.map(({ raised, cleared }) => [
        ...[raised.details['target'], raised.severity, raised.seq, cleared?.seq ?? null],
      ]);
    expect(rows).toEqual([
      ['srv-1', 'low', 1, 3],
      ['srv-2', 'low', 2, 4],
      ['srv-1', 'high', 3, null],
    ]);
    expect(report(log)).toContain('<code>disk_low</code> on <code>srv-2</code>');
    expect(csvRow(predicates(log)[2]!)).toContain(',srv-2,');
  });

  it('lists a bounded number of rows and says how many it leaves out', () => {
    const collector = createReportCollector(ALL);
    const log = makeLog(trust);
    log.add('gap', { reason: 'disk_full', sentence: 'left out', gap_from: NOW, gap_to: NOW, dropped: {} });
    const [, gap] = predicates(log);
    for (let n = 0; n < MAX_ROWS + 7; n++) collector.push(gap!);
    expect(collector.finish().gaps).toMatchObject({ more: 7 });
    expect(collector.finish().gaps.rows.length).toBe(MAX_ROWS);
  });
});

describe('values in HTML', () => {
  it('are escaped unless they are HTML already', () => {
    expect(html`<p>${'<b>'}${html`<i>${'&'}</i>`}${null}${[1, 'a']}</p>`.html).toBe('<p>&lt;b&gt;<i>&amp;</i>1a</p>');
    expect(escapeHtml('\u0007\n')).toBe('\\u0007\\u000a');
  });
});

describe('the table of entries', () => {
  it('quotes what needs it and makes no cell a formula', () => {
    const log = makeLog(trust);
    log.add('finding', finding('fail', '=HYPERLINK("http://x","y"), said'));
    const row = csvRow(predicates(log)[1]!);
    expect(row).toContain(`"'=HYPERLINK(""http://x"",""y""), said"`);
    expect(row.endsWith('\r\n')).toBe(true);
    expect(CSV_HEAD.split(',').length).toBe(14);
  });
});

describe('MANIFEST', () => {
  const files = [
    { path: 'b/c.txt', sha256: 'b'.repeat(64) },
    { path: 'a.txt', sha256: 'a'.repeat(64) },
  ];

  it('has the form of sha256sum, sorted, and reads back', () => {
    expect(encodeManifest(files)).toBe(`${'a'.repeat(64)}  a.txt\n${'b'.repeat(64)}  b/c.txt\n`);
    expect(parseManifest(encodeManifest(files), 'M')).toEqual(files.toReversed());
  });

  it.each(['../a', '/a', 'a//b', 'a/../b', '.a', 'a/.b', 'a b', 'ä', ''])('names no path like "%s"', (path) => {
    expectCode(() => parseManifest(`${'a'.repeat(64)}  ${path}\n`, 'M'), 'bundle_invalid');
  });
});
