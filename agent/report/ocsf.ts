// Findings for security tools: one OCSF 1.3.0 event of class Compliance Finding (2003) per `finding` entry, as one JSON line.
// https://schema.ocsf.io/1.3.0/classes/compliance_finding. A view: the entry is the evidence. Pure.
import type { PredicateOf } from '../wire/schemas/entry.ts';
import type { CheckResult, Severity } from '../wire/schemas/primitives.ts';
import type { ReportNames } from './report-input.ts';

const OCSF_VERSION = '1.3.0';
const CATEGORY_FINDINGS = 2;
const CLASS_COMPLIANCE_FINDING = 2003;

const SEVERITY: Readonly<Record<Severity, { readonly id: number; readonly caption: string }>> = {
  info: { id: 1, caption: 'Informational' },
  low: { id: 2, caption: 'Low' },
  medium: { id: 3, caption: 'Medium' },
  high: { id: 4, caption: 'High' },
  critical: { id: 5, caption: 'Critical' },
};

/** `compliance.status_id`. What OCSF has no word for is 99 with our own word. */
const COMPLIANCE: Readonly<Record<CheckResult, { readonly id: number; readonly caption: string }>> = {
  pass: { id: 1, caption: 'Pass' },
  unknown: { id: 2, caption: 'Warning' },
  fail: { id: 3, caption: 'Fail' },
  waived: { id: 99, caption: 'Waived' },
  not_applicable: { id: 99, caption: 'Not applicable' },
};

/** A first result creates, a pass closes, everything else updates. */
function activityOf({ previous_result: before, result }: PredicateOf<'finding'>): { id: number; name: string } {
  if (before === null) return { id: 1, name: 'Create' };
  return result === 'pass' ? { id: 3, name: 'Close' } : { id: 2, name: 'Update' };
}

/** The event of one finding, with its LF. Times are milliseconds, as OCSF has them. */
export function ocsfLine(entry: PredicateOf<'finding'>, names: ReportNames): string {
  const activity = activityOf(entry);
  const severity = SEVERITY[entry.severity];
  const status = COMPLIANCE[entry.result];
  const standards = [...new Set(entry.controls.map((control) => control.map))];
  const event = {
    metadata: {
      version: OCSF_VERSION,
      product: { name: 'compliance-agent', vendor_name: 'compliance-agent', version: entry.agent_version },
      log_name: entry.origin,
      uid: `${entry.origin}#${entry.seq}`,
      sequence: entry.seq,
    },
    category_uid: CATEGORY_FINDINGS,
    category_name: 'Findings',
    class_uid: CLASS_COMPLIANCE_FINDING,
    class_name: 'Compliance Finding',
    activity_id: activity.id,
    activity_name: activity.name,
    type_uid: CLASS_COMPLIANCE_FINDING * 100 + activity.id,
    type_name: `Compliance Finding: ${activity.name}`,
    time: entry.observed_to * 1_000,
    severity_id: severity.id,
    severity: severity.caption,
    message: entry.sentence,
    finding_info: {
      uid: `${entry.appliance_id}/${entry.target.id}/${entry.check.id}`,
      title: names.checks.get(entry.check.id) ?? entry.check.id,
      desc: entry.sentence,
      last_seen_time: entry.facts_read_at * 1_000,
    },
    compliance: {
      // Required, and never empty: a check that supports no requirement is held against the baseline alone.
      standards: standards.length === 0 ? [`baseline ${entry.baseline.id}`] : standards,
      // The check, and no requirement: its status would be read as theirs, and a pass closes none of them.
      control: entry.check.id,
      status_id: status.id,
      status: status.caption,
      status_detail: entry.sentence,
    },
    resources: [
      {
        uid: entry.target.id,
        type: entry.target.role,
        labels: [`site:${entry.site_id}`, `customer:${entry.customer_id}`, `appliance:${entry.appliance_id}`],
      },
    ],
    ...(entry.remedy === undefined ? {} : { remediation: { desc: entry.remedy } }),
    unmapped: {
      facts_digest: entry.facts_digest,
      supports: entry.controls.map((control) => `${control.map} ${control.cite}`),
    },
  };
  return `${JSON.stringify(event)}\n`;
}
