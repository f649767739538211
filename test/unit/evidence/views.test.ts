import { readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadChecks } from '../../../agent/daemon/load-checks.ts';
import { makeReportState, type ReportState } from '../../support/report-state.ts';
import { cli } from '../../support/run-cli.ts';

const REPO = join(import.meta.dirname, '..', '..', '..');
const require = createRequire(import.meta.url);
const SCHEMA = join(REPO, 'test/vectors/oscal/oscal-1.0.6-assessment-results.schema.json');
let state: ReportState;
const view = (name: string): string => readFileSync(join(state.dir, 'bundle', 'views', name), 'utf8');

beforeAll(async () => {
  state = makeReportState();
  const deps = { loadChecks: (path: string | null) => loadChecks(join(REPO, 'runbooks'), path) };
  const out = join(state.dir, 'bundle');
  expect((await cli(['evidence', 'export', '--state', state.dir, '--out', out], { deps })).code).toBe(0);
});
afterAll(() => {
  rmSync(state.dir, { recursive: true, force: true });
});

interface Oscal {
  'assessment-results': {
    results: {
      observations: object[];
      findings: { target: { type: string; status: { state: string; reason: string } } }[];
    }[];
  };
}

describe('OSCAL assessment results', () => {
  it('are what NIST’s schema asks for', () => {
    const { Ajv } = require('ajv') as typeof import('ajv');
    const addFormats = (require('ajv-formats') as { default: (ajv: unknown) => void }).default;
    const schema = JSON.parse(readFileSync(SCHEMA, 'utf8')) as Record<string, unknown>;
    const ajv = new Ajv({ strict: false, allErrors: true, unicodeRegExp: true });
    addFormats(ajv);
    const validate = ajv.compile(schema);
    const document = JSON.parse(view('oscal-assessment-results.json')) as Oscal;
    validate(document);
    expect(validate.errors).toBeNull();
    // The schema can say no.
    const without = structuredClone(document) as unknown as { 'assessment-results': { metadata?: object } };
    delete without['assessment-results'].metadata;
    expect(validate(without)).toBe(false);
  });

  it('conclude on a check and never on a requirement, and call nothing satisfied that did not pass', () => {
    const { results } = (JSON.parse(view('oscal-assessment-results.json')) as Oscal)['assessment-results'];
    const [result] = results;
    expect(result?.observations).toHaveLength(9);
    const findings = result?.findings ?? [];
    // One of the nine is not applicable: observed, and nothing concluded.
    expect(findings).toHaveLength(8);
    expect(findings.every(({ target }) => target.type === 'objective-id')).toBe(true);
    const satisfied = findings.filter(({ target }) => target.status.state === 'satisfied');
    expect(satisfied.every(({ target }) => target.status.reason === 'pass')).toBe(true);
    expect(satisfied).toHaveLength(5);
  });
});

interface Ocsf {
  class_uid: number;
  category_uid: number;
  type_uid: number;
  activity_id: number;
  severity_id: number;
  time: number;
  metadata: { version: string; product: object };
  finding_info: { uid: string };
  compliance: { status_id: number; standards: string[] };
}

describe('OCSF findings', () => {
  it('are one Compliance Finding per finding entry, with every attribute that the class requires', () => {
    const events = view('ocsf-findings.jsonl')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Ocsf);
    const rows = view('entries.csv')
      .split('\r\n')
      .filter((row) => row.split(',')[5] === 'finding');
    expect(events).toHaveLength(rows.length);
    for (const event of events) {
      expect(event).toMatchObject({ category_uid: 2, class_uid: 2003, metadata: { version: '1.3.0' } });
      expect(event.type_uid).toBe(200_300 + event.activity_id);
      expect(event.compliance.standards.length).toBeGreaterThan(0);
      expect(event.finding_info.uid).toMatch(/^main-street-1\/appliance\//);
      expect(new Date(event.time).getUTCFullYear()).toBe(2026);
    }
    // A firewall that failed and was mended: created, updated, closed.
    const firewall = events.filter((event) => event.finding_info.uid.endsWith('/firewall'));
    expect(firewall.map((event) => [event.activity_id, event.compliance.status_id])).toEqual([
      [1, 1],
      [2, 3],
      [3, 1],
    ]);
  });
});
