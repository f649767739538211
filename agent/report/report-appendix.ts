// The end of the report: what the checks support, how to verify the evidence, and the words. Pure.
import { html, type Html } from './html.ts';
import type { ReportInput, ReportNames } from './report-input.ts';
import type { ReportModel } from './report-model.ts';
import { plural, resultBadge, table } from './report-parts.ts';

interface Requirement {
  readonly map: string;
  readonly cite: string;
  readonly checks: readonly ReportModel['current'][number][];
}

/** Which requirements the checks support; nothing says that one is met. */
export function requirements(model: ReportModel, names: ReportNames): Html {
  const byCite = new Map<string, Requirement>();
  for (const one of model.current) {
    for (const { map, cite } of one.finding.controls) {
      const key = `${map} ${cite}`;
      const known = byCite.get(key) ?? { map, cite, checks: [] };
      byCite.set(key, { ...known, checks: [...known.checks, one] });
    }
  }
  const rows = [...byCite]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, row]) => ({ ...row, title: names.requirements.get(key) }));
  if (rows.length === 0) return html``;
  return html`<h2>What the checks support</h2>
    <p>
      A check supports a requirement. It never satisfies one by itself: policies, people and places are not seen by a
      machine.
    </p>
    ${table(
      plural(rows.length, 'requirement'),
      [
        {
          head: 'Requirement',
          cell: (row) =>
            html`${row.cite}${row.title === undefined ? null : html` <span class="soft">${row.title}</span>`}`,
        },
        { head: 'From', cell: (row) => row.map },
        {
          head: 'Supported by',
          cell: (row) =>
            html`<ul class="plain">
              ${row.checks.map(({ finding }) => html`<li>${resultBadge(finding.result)} ${finding.check.id} on ${finding.target.id}</li>`)}
            </ul>`,
        },
      ],
      { rows, more: 0 },
    )}`;
}

export function howToCheck({ rootSha256 }: ReportInput): Html {
  return html`<h2 id="check">How to check this without trusting us</h2>
    <p>
      This page is a summary. The evidence is in the folder <code>logs</code> beside it: lines that the appliance signed
      one by one. On any computer with Python 3.11 and OpenSSL 3:
    </p>
    <ol>
      <li>
        Ask the partner for the <b>SHA-256 of its trust root</b> in a way that does not go through this folder: the
        contract annex, its public page, a phone call. This bundle says it is <code>${rootSha256}</code>; that alone
        proves nothing.
      </li>
      <li>
        In this folder, run
        <pre>python3 verify.py . --root-sha256 DIGEST</pre>
      </li>
      <li>
        <b>VERIFIED</b> means: every entry is there, in order, unchanged, and signed by this appliance. Anything else
        names the first entry that does not hold. Without the digest the best it says is <b>UNTRUSTED ROOT</b>.
      </li>
      <li>
        Hold any line of this page against its entry: <code>views/entries.csv</code> names the same numbers, and line
        <i>n</i> + 1 of the log is entry <i>n</i>.
      </li>
    </ol>
    <p>
      <code>verify.py</code> is a page of code; take it from a place you trust rather than from here, or read it first.
    </p>`;
}

const WORDS: readonly (readonly [string, string])[] = [
  ['Pass, Fail', 'The facts that were read fit, or do not fit, what was agreed for this site.'],
  ['Unknown', 'The facts could not be read. Never counted as a pass.'],
  ['Waived', 'It fails, and people signed that they accept this for a time.'],
  ['Not applicable', 'The check has no meaning on this machine.'],
  ['Not observed', 'A result was expected at this time and there is none.'],
  ['Entry', 'One signed line of the log; its number is its place. An entry is never changed, only followed by others.'],
  ['Facts', 'What was read from the machine: numbers, versions and settings. No patient data.'],
  ['Unanchored', 'Nobody but the appliance vouches for these entries yet.'],
  ['Receipt', 'Central Command’s signed word that it stores the log up to an entry.'],
  ['Witness', 'A server that signs how far the log reached, and only if nothing before was changed.'],
];

export function words(): Html {
  return html`<h2>Words</h2>
    <dl class="facts">
      ${WORDS.map(
        ([word, meaning]) =>
          html`<dt>${word}</dt>
            <dd>${meaning}</dd>`,
      )}
    </dl>`;
}
