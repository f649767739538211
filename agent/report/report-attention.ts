// "Look at these first": everything in the evidence that speaks against relying on the rest of the report. Pure.
import { alertTarget } from './alert-target.ts';
import type { Unobserved } from './coverage.ts';
import { html, type Html } from './html.ts';
import type { ReportLog, ReportNames } from './report-input.ts';
import { duration, number, plural, proof, resultBadge, table, time } from './report-parts.ts';

type AttentionInput = ReportLog & { readonly names: ReportNames };

interface Point {
  /** For the list of what there is none of. */
  readonly none: string;
  readonly body: Html | null;
}

export function attention(log: ReportLog, names: ReportNames): Html {
  const input = { ...log, names };
  const points = [
    provisional(input),
    gaps(input),
    unobserved(input),
    unanchored(input),
    bad(input),
    refused(input),
    alerts(input),
  ];
  const found = points.filter((point) => point.body !== null);
  const none = points.filter((point) => point.body === null).map((point) => point.none);
  return html`<h2 id="first">Look at these first</h2>
    ${found.length === 0 ? html`<p>Nothing here speaks against relying on the results below.</p>` : found.map((point) => point.body)}
    ${none.length === 0 ? null : html`<p class="soft">None of these: ${none.join(', ')}.</p>`}`;
}

function provisional({ verdict }: AttentionInput): Point {
  const body =
    verdict.status === 'provisional'
      ? html`<h3>Provisional log</h3>
          <div class="box warn">
            <p>
              The appliance opened this log by itself after its former one was damaged or contradicted. It counts as
              provisional until people have confirmed it, as many as the trust root asks for.
            </p>
          </div>`
      : null;
  return { none: 'provisional log', body };
}

function bad({ model, names }: AttentionInput): Point {
  const rows = model.current.filter(({ finding }) => finding.result === 'fail' || finding.result === 'unknown');
  const body = html`<h3>Checks that fail or are unknown</h3>
    <p>Unknown means that the facts could not be read. It is not a pass.</p>
    ${table(
      `${plural(rows.length, 'check')} at the end of the period`,
      [
        {
          head: 'Check',
          cell: ({ finding }) =>
            html`${names.checks.get(finding.check.id) ?? finding.check.id} on ${finding.target.id}`,
        },
        {
          head: 'Result',
          cell: ({ finding }) =>
            html`${resultBadge(finding.result)}<span class="proof">severity ${finding.severity}</span>`,
        },
        { head: 'Since', cell: ({ finding }) => time(finding.observed_to), kind: 'when' },
        {
          head: 'What was seen',
          kind: 'wide',
          cell: ({ finding }) =>
            html`${finding.sentence}<span class="proof">Proof: ${proof(finding.seq, finding.facts_digest)}</span>`,
        },
      ],
      { rows, more: 0 },
    )}`;
  return { none: 'checks that fail or are unknown', body: rows.length === 0 ? null : body };
}

interface Silence extends Unobserved {
  /** All that were missing in the very same time. */
  readonly checks: readonly string[];
}

/** An appliance that was off misses every check at once: that is one row. */
function silences(rows: readonly Unobserved[]): Silence[] {
  const groups = new Map<string, Silence>();
  for (const row of rows) {
    const key = JSON.stringify([row.target, row.from, row.to, row.expectedRuns, row.recordedRuns]);
    const known = groups.get(key);
    groups.set(key, { ...row, checks: [...(known?.checks ?? []), row.check] });
  }
  return [...groups.values()].toSorted((a, b) => a.from - b.from);
}

function unobserved({ model, names }: AttentionInput): Point {
  const rows = silences(model.unobserved.rows);
  const record = ({ recordedRuns, expectedRuns }: Silence): string =>
    `${recordedRuns === null ? 'none' : number(Math.max(0, recordedRuns))} of ${plural(expectedRuns, 'run')}`;
  const body = html`<h3>Not observed</h3>
    <p>
      Within these times more than two runs of a check are missing: the appliance was off for a while, or the check did
      not run. The results before and after say nothing about such a time.
    </p>
    ${table(
      plural(rows.length + model.unobserved.more, 'time without observation', 'times without observation'),
      [
        {
          head: 'Check',
          cell: (row) =>
            row.checks.length === 1
              ? html`${names.checks.get(row.check) ?? row.check} on ${row.target}`
              : html`${plural(row.checks.length, 'check')} on ${row.target}<span class="proof"
                    >${row.checks.join(', ')}</span
                  >`,
        },
        { head: 'Between', cell: (row) => time(row.from), kind: 'when' },
        {
          head: 'And',
          cell: (row) =>
            html`${time(row.to)}${row.ended ? null : html`<span class="proof">the end: not seen since</span>`}`,
          kind: 'when',
        },
        {
          head: 'On record',
          cell: (row) =>
            html`${record(row)} in ${duration(row.to - row.from)}<span class="proof"
                >expected every ${duration(row.cadenceS)}</span
              >`,
        },
      ],
      { rows, more: model.unobserved.more },
    )}`;
  return { none: 'times without observation', body: rows.length === 0 ? null : body };
}

function gaps({ model }: AttentionInput): Point {
  const dropped = (row: { readonly dropped: Readonly<Record<string, number>> }): string =>
    Object.entries(row.dropped)
      .map(([kind, count]) => `${number(count)} ${kind}`)
      .join(', ') || 'nothing named';
  const body = html`<h3>Gaps in the record</h3>
    <p>Entries that could not be written. The appliance signed that they are missing, and why.</p>
    ${table(
      plural(model.gaps.rows.length + model.gaps.more, 'gap'),
      [
        { head: 'From', cell: (row) => time(row.gap_from) },
        { head: 'To', cell: (row) => time(row.gap_to), kind: 'when' },
        { head: 'Left out', cell: dropped },
        {
          head: 'Why',
          kind: 'wide',
          cell: (row) => html`${row.sentence} (<code>${row.reason}</code>)<span class="proof">${proof(row.seq)}</span>`,
        },
      ],
      model.gaps,
    )}`;
  return { none: 'gaps in the record', body: model.gaps.rows.length === 0 ? null : body };
}

function refused({ model }: AttentionInput): Point {
  const body = html`<h3>Refused orders</h3>
    <p>
      Orders that reached the appliance and were not obeyed: too old, not signed by enough people, meant for another
      appliance, or forged.
    </p>
    ${table(
      plural(model.refused.rows.length + model.refused.more, 'refused order'),
      [
        { head: 'Order', cell: (row) => row.order_kind ?? 'unreadable' },
        { head: 'When', cell: (row) => time(row.observed_to), kind: 'when' },
        {
          head: 'Why',
          kind: 'wide',
          cell: (row) =>
            html`${row.sentence}${row.code === undefined ? '' : html` (<code>${row.code}</code>)`}<span class="proof"
                >${proof(row.seq)}, order <code>${row.order_digest.slice(0, 16)}…</code></span
              >`,
        },
      ],
      model.refused,
    )}`;
  return { none: 'refused orders', body: model.refused.rows.length === 0 ? null : body };
}

function alerts({ model }: AttentionInput): Point {
  const body = html`<h3>Alerts about the appliance and its contact with targets</h3>
    ${table(
      plural(model.alerts.rows.length + model.alerts.more, 'alert'),
      [
        {
          head: 'Alert',
          cell: (row) => {
            const target = alertTarget(row.raised);
            const where = target === null ? '' : html` on <code>${target}</code>`;
            return html`<code>${row.code}</code>${where}<span class="proof">severity ${row.raised.severity}</span>`;
          },
        },
        { head: 'Raised', cell: (row) => time(row.raised.observed_to), kind: 'when' },
        {
          head: 'Over',
          cell: (row) => (row.cleared === null ? html`<b>still open</b>` : time(row.cleared.observed_to)),
          kind: 'when',
        },
        {
          head: 'What it means',
          kind: 'wide',
          cell: (row) =>
            html`${row.raised.sentence}<span class="proof"
                >To mend it: ${row.raised.remedy}. ${proof(row.raised.seq)}</span
              >`,
        },
      ],
      model.alerts,
    )}`;
  return { none: 'alerts', body: model.alerts.rows.length === 0 ? null : body };
}

function unanchored({ model, verdict, stored }: AttentionInput): Point {
  const witnessed = Math.max(0, ...verdict.ranges.filter((range) => range.by.length > 0).map((range) => range.to_seq));
  const open = model.size - witnessed;
  const seenAt =
    verdict.witnessed === null
      ? null
      : html` The operator’s witness last saw the log at ${plural(verdict.witnessed.size, 'entry', 'entries')}, on
        ${time(verdict.witnessed.at)}.`;
  const storedNow =
    stored === 0
      ? 'No receipt says that any of it is stored elsewhere.'
      : `A receipt says that the first ${plural(stored, 'entry', 'entries')} are stored at Central Command.`;
  const body = html`<h3>Not confirmed by anybody else</h3>
    <div class="box warn">
      <p>
        <b
          >${open === model.size ? `All ${plural(open, 'entry', 'entries')}` : `Entries ${number(witnessed)} to ${number(model.size - 1)}`}:
          unanchored.</b
        >
        Only the appliance’s own word stands for them: whoever held its key could have left out or rewritten
        them.${seenAt} ${storedNow}
      </p>
    </div>`;
  return { none: 'entries that nobody else confirmed', body: open > 0 ? body : null };
}
