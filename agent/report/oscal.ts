// NIST OSCAL 1.0.6 assessment-results: one result per log, one observation and (where there is something to conclude) one finding
// per check. A view: the signed entries are the evidence, and each observation names its own. Pure.
import { createHash } from 'node:crypto';
import type { CheckResult } from '../wire/schemas/primitives.ts';
import type { ReportInput, ReportLog, ReportNames } from './report-input.ts';
import type { Current, Period } from './report-model.ts';

const OSCAL_VERSION = '1.0.6';
/** Names of our own properties; a name, not an address. */
const NS = 'https://compliance-agent.example/ns/oscal';

/** A UUID of version 5's form from a name: the same evidence gives the same document. */
function uuidOf(...parts: readonly (string | number)[]): string {
  const hash = createHash('sha256').update(parts.join('\n')).digest();
  hash[6] = (hash[6]! & 0x0f) | 0x50;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const hex = hash.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

/** An XML NCName: what OSCAL takes for an id. */
const token = (text: string): string =>
  `_${text}`
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^_(?=[A-Za-z])/, '')
    .replace(/-+$/, '');

const at = (unixSeconds: number): string => new Date(unixSeconds * 1_000).toISOString().replace('.000Z', 'Z');

const property = (name: string, value: string | number): object => ({ name, ns: NS, value: String(value) });

/** A check concludes on its own objective, never on a requirement: that is for people. Null where there is no conclusion. */
const STATUS: Readonly<Record<CheckResult, { readonly state: string; readonly reason: string } | null>> = {
  pass: { state: 'satisfied', reason: 'pass' },
  fail: { state: 'not-satisfied', reason: 'fail' },
  waived: { state: 'not-satisfied', reason: 'other' },
  unknown: { state: 'not-satisfied', reason: 'other' },
  not_applicable: null,
};

const REMARKS: Readonly<Partial<Record<CheckResult, string>>> = {
  waived: 'It fails, and people signed that they accept this for a time.',
  unknown: 'The facts could not be read. It is not a pass.',
};

export function oscalResults(input: ReportInput): string {
  const { logs, period, names } = input;
  const ends = logs.map(({ model }) => model.lastAt ?? 0);
  const origins = logs.map(({ verdict }) => verdict.origin ?? 'unknown');
  const document = {
    'assessment-results': {
      uuid: uuidOf(
        'assessment-results',
        ...origins,
        ...logs.map(({ verdict }) => verdict.root),
        JSON.stringify(period),
      ),
      metadata: {
        title: 'Automated checks of a compliance agent',
        // Not the time of the export: the same entries make the same bytes.
        'last-modified': at(Math.max(0, ...ends)),
        version: input.agentVersion,
        'oscal-version': OSCAL_VERSION,
        remarks: 'A view of signed evidence. What counts is the evidence itself, in the folder logs of this bundle.',
      },
      'import-ap': {
        href: '../README.txt',
        remarks: 'The plan is in the evidence: entries of kind scope say what is observed, and how often.',
      },
      results: logs.length === 0 ? [emptyResult()] : logs.map((log) => resultOf(log, names, period)),
    },
  };
  return `${JSON.stringify(document, null, 1)}\n`;
}

const emptyResult = (): object => ({
  uuid: uuidOf('no log'),
  title: 'No log',
  description: 'There is no evidence in this bundle.',
  start: at(0),
  'reviewed-controls': { 'control-selections': [{ description: 'none' }] },
});

function resultOf({ model, verdict }: ReportLog, names: ReportNames, period: Period): object {
  const origin = verdict.origin ?? 'unknown';
  const cites = new Map(
    model.current.flatMap(({ finding }) => finding.controls.map((c) => [token(`${c.map}_${c.cite}`), c] as const)),
  );
  const controls = [...cites.keys()].toSorted().map((id) => ({ 'control-id': id }));
  const observations = model.current.map((one) => observationOf(origin, one, names));
  const findings = model.current.flatMap((one) => findingOf(origin, one, names));
  const [start, end] = [period.from ?? model.firstAt ?? 0, model.lastAt];
  return {
    uuid: uuidOf('result', origin, verdict.root, JSON.stringify(period)),
    title: `Checks of ${model.epoch?.appliance_id ?? origin}`,
    description: `Last known result of each check in the log ${origin}, ${model.size} entries.`,
    start: at(start),
    ...(end === null || end < start ? {} : { end: at(end) }),
    props: [
      property('log-origin', origin),
      property('log-size', model.size),
      property('log-root', verdict.root),
      property('verified', verdict.ok ? 'yes' : 'no'),
      property('not-observed', model.unobserved.rows.length + model.unobserved.more),
      property('gaps', model.gaps.rows.length + model.gaps.more),
    ],
    'reviewed-controls': {
      description: 'Requirements that the checks support. A check never satisfies one by itself.',
      'control-selections': [controls.length === 0 ? { description: 'none' } : { 'include-controls': controls }],
    },
    ...(observations.length === 0 ? {} : { observations }),
    ...(findings.length === 0 ? {} : { findings }),
  };
}

const observationId = (origin: string, { finding }: Current): string => uuidOf('observation', origin, finding.seq);

function observationOf(origin: string, one: Current, names: ReportNames): object {
  const { finding, lastReadAt, lastSeq } = one;
  return {
    uuid: observationId(origin, one),
    title: names.checks.get(finding.check.id) ?? finding.check.id,
    description: finding.sentence,
    props: [
      property('check', finding.check.id),
      property('check-version', finding.check.version),
      property('result', finding.result),
      property('severity', finding.severity),
      property('last-entry', lastSeq),
      property('facts-sha256', finding.facts_digest),
    ],
    methods: ['TEST'],
    subjects: [
      { 'subject-uuid': uuidOf('target', origin, finding.target.id), type: 'component', title: finding.target.id },
    ],
    'relevant-evidence': [
      {
        href: '../logs',
        description: `Entry ${finding.seq} of the log ${origin}; last confirmed by entry ${lastSeq}.`,
      },
    ],
    collected: at(lastReadAt),
  };
}

function findingOf(origin: string, one: Current, names: ReportNames): object[] {
  const { finding } = one;
  const status = STATUS[finding.result];
  if (status === null) return [];
  const remarks = REMARKS[finding.result];
  const title = names.checks.get(finding.check.id) ?? finding.check.id;
  return [
    {
      uuid: uuidOf('finding', origin, finding.seq),
      title: `${title} on ${finding.target.id}`,
      description: finding.sentence,
      target: {
        type: 'objective-id',
        'target-id': token(`check-${finding.check.id}-${finding.target.id}`),
        title,
        status: { ...status, ...(remarks === undefined ? {} : { remarks }) },
      },
      'related-observations': [{ 'observation-uuid': observationId(origin, one) }],
    },
  ];
}
