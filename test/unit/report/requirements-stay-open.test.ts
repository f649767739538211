import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { controlsOf } from '../../../agent/checks/controls.ts';
import { CHECKS } from '../../../agent/checks/registry.ts';
import { loadChecks } from '../../../agent/daemon/load-checks.ts';
import { CSV_HEAD, csvRow } from '../../../agent/report/entries-csv.ts';
import { ocsfLine } from '../../../agent/report/ocsf.ts';
import { oscalResults } from '../../../agent/report/oscal.ts';
import { reportHtml } from '../../../agent/report/report-html.ts';
import { reportNames } from '../../../agent/report/report-input.ts';
import { createReportCollector } from '../../../agent/report/report-model.ts';
import { createLogVerifier } from '../../../agent/verify/log-verifier.ts';
import { parseDocument } from '../../../agent/wire/document.ts';
import { parseEnvelope } from '../../../agent/wire/dsse.ts';
import { MAX_ENTRY_BYTES } from '../../../agent/wire/schemas/entry.ts';
import { makeLog, TARGET } from '../../support/sample-log.ts';
import { makeTrust, NOW } from '../../support/trust-fixtures.ts';

const { controls } = loadChecks(join(import.meta.dirname, '../../../runbooks'), null);
const names = reportNames(CHECKS, controls);
const CITES = controls.flatMap((map) => map.lines.map((line) => line.cite));
/** Words that say of a requirement that it is done with. */
const CLOSING =
  /\b(?:satisf(?:y|ies|ied)|fulfil\w*|compliant|complies|is met|are met|attested|certif(?:y|ies|ied))\b/gi;

/** Evidence in which every check passes that supports any requirement: there is no better one. */
function bestEvidence() {
  const trust = makeTrust();
  const log = makeLog(trust);
  for (const { id } of CHECKS) {
    log.add('finding', {
      target: TARGET,
      check: { id, version: 1 },
      baseline: { id: 'appliance', version: 1, sha256: 'b1'.repeat(32) },
      controls: controlsOf(id, controls),
      severity: 'info',
      result: 'pass',
      previous_result: null,
      sentence: 'All is as declared.',
      facts: {},
      facts_digest: 'f1'.repeat(32),
      facts_read_at: NOW,
    });
  }
  const period = { from: null, to: null };
  const collector = createReportCollector(period);
  const verifier = createLogVerifier({ root: trust.root.root });
  const entries = log.lines.map(
    (line) => parseDocument('entry', parseEnvelope(line, { maxBytes: MAX_ENTRY_BYTES }).payload).predicate,
  );
  for (const entry of entries) collector.push(entry);
  for (const line of log.lines) verifier.push(line);
  const input = {
    logs: [{ model: collector.finish(), verdict: verifier.finish(), stored: 0, leftOut: 0 }],
    period,
    names,
    rootSha256: trust.root.digest,
    agentVersion: '0.1.0',
  };
  return { entries, input };
}

describe('machine evidence in which every check passes', () => {
  const { entries, input } = bestEvidence();
  const supported = new Set(
    entries.flatMap((entry) => (entry.kind === 'finding' ? entry.controls.map(({ cite }) => cite) : [])),
  );

  it('supports requirements, administrative ones among them', () => {
    const administrative = controls.flatMap((map) =>
      map.lines.filter((line) => line.safeguard !== 'technical').map((line) => line.cite),
    );
    expect(administrative.filter((cite) => supported.has(cite)).length).toBeGreaterThan(0);
  });

  it('closes no requirement in the HTML report, which names each and says that a check satisfies none', () => {
    const page = reportHtml(input);
    for (const cite of supported) expect(page).toContain(cite);
    const said = page.replace('It never satisfies one by itself', '');
    expect(said).not.toBe(page);
    expect(said.match(CLOSING) ?? []).toEqual([]);
  });

  it('closes no requirement in the OSCAL results: what is satisfied is the objective of a check, never a control', () => {
    const { 'assessment-results': document } = JSON.parse(oscalResults(input)) as {
      'assessment-results': {
        results: {
          'reviewed-controls': {
            description: string;
            'control-selections': { 'include-controls': { 'control-id': string }[] }[];
          };
          findings: { target: { type: string; 'target-id': string; status: { state: string } } }[];
        }[];
      };
    };
    const [result] = document.results;
    const reviewed = result!['reviewed-controls'];
    const ids = new Set(
      reviewed['control-selections'].flatMap((one) => one['include-controls'].map((c) => c['control-id'])),
    );
    expect(ids.size).toBeGreaterThanOrEqual(supported.size);
    expect(reviewed.description).toContain('never satisfies');
    const targets = result!.findings.map(({ target }) => target);
    expect(targets).toHaveLength(CHECKS.length);
    for (const target of targets) {
      expect(target).toMatchObject({ type: 'objective-id', 'target-id': expect.stringMatching(/^check-/) as string });
      expect(ids).not.toContain(target['target-id']);
    }
  });

  it('closes no requirement in the OCSF findings: their status is that of a check', () => {
    for (const entry of entries) {
      if (entry.kind !== 'finding') continue;
      const { compliance } = JSON.parse(ocsfLine(entry, names)) as { compliance: Record<string, unknown> };
      expect(compliance).toMatchObject({ control: entry.check.id, status: 'Pass' });
      for (const cite of CITES) expect(JSON.stringify(compliance)).not.toContain(cite);
    }
  });

  it('closes no requirement in the CSV: a row is of an entry, and its result that of a check', () => {
    expect(CSV_HEAD.trim().split(',')).not.toContain('requirement');
    for (const row of entries.map(csvRow)) expect(row.match(CLOSING) ?? []).toEqual([]);
  });
});
