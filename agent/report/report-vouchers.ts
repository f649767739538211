// "Who vouches for these entries": ranges of the log by how many others have seen them. Pure.
import type { AnchoredRange, Voucher } from '../verify/anchored-ranges.ts';
import { html, type Html } from './html.ts';
import type { ReportLog } from './report-input.ts';
import { number, table } from './report-parts.ts';

const WHO: Readonly<Record<Voucher, string>> = {
  witness: 'the operator’s witness',
  timestamp: 'a timestamp authority',
  anchor: 'what the reader brought',
};

const TONE: Readonly<Record<AnchoredRange['range'], string>> = {
  'witnessed>=2': 'good',
  'witnessed=1': 'good',
  unanchored: 'warn',
};

const wordOf = ({ range }: AnchoredRange, isProvisional: boolean): string =>
  `${range === 'witnessed>=2' ? 'witnessed≥2' : range}${isProvisional ? ', provisional' : ''}`;

export function vouchers({ verdict }: ReportLog): Html {
  if (!verdict.ok || verdict.ranges.length === 0) return html``;
  const isProvisional = verdict.status === 'provisional';
  return html`<h2 id="ranges">Who vouches for these entries</h2>
    ${table(
      'The whole log, from its first entry',
      [
        { head: 'Entries', cell: (range) => `${number(range.from_seq)} to ${number(range.to_seq - 1)}` },
        {
          head: 'Standing',
          cell: (range) => html`<span class="result ${TONE[range.range]}">${wordOf(range, isProvisional)}</span>`,
        },
        {
          head: 'Besides the appliance',
          kind: 'wide',
          cell: (range) => (range.by.length === 0 ? 'nobody yet' : range.by.map((one) => WHO[one]).join(', ')),
        },
      ],
      { rows: verdict.ranges, more: 0 },
    )}
    ${
      verdict.timestamps > 0 &&
      html`<p class="soft">
        ${number(verdict.timestamps)} RFC 3161 timestamps lie in <code>timestamps</code> beside the log. Each counts as
        one more voucher when you verify with the certificate of the authority:
        <code>evidence verify --tsa-ca FILE</code>, or <code>openssl ts -verify</code>.
      </p>`
    }`;
}
