// The first page of a bundle with several logs: which appliances, and how each stands. Pure.
import type { LogVerdict } from '../verify/log-verifier.ts';
import { html, type Html } from './html.ts';
import type { ReportInput } from './report-input.ts';
import { number, table } from './report-parts.ts';

/** Fragment of the section of a log. */
export const anchorOf = ({ origin }: Pick<LogVerdict, 'origin'>): string =>
  `log-${(origin ?? 'unknown').replace(/[^a-z0-9]+/g, '-')}`;

export function overview({ logs }: ReportInput): Html {
  if (logs.length < 2) return html``;
  return html`<h2>Logs in this bundle</h2>
    ${table(
      `${number(logs.length)} logs`,
      [
        {
          head: 'Appliance',
          cell: ({ model, verdict }) =>
            html`<a href="#${anchorOf(verdict)}"
              >${model.epoch?.appliance_id ?? 'unknown'}, epoch ${(verdict.origin ?? '').split('/').at(-1)}</a
            >`,
        },
        {
          head: 'Verified',
          cell: ({ verdict }) =>
            verdict.ok
              ? html`<span class="result good">✓ all entries</span>`
              : html`<span class="result bad">✗ ${verdict.code}</span>`,
        },
        {
          head: 'Fail or unknown',
          cell: ({ model }) =>
            number(model.current.filter(({ finding }) => ['fail', 'unknown'].includes(finding.result)).length),
        },
        {
          head: 'Times not observed',
          cell: ({ model }) => number(model.unobserved.rows.length + model.unobserved.more),
        },
        { head: 'Gaps', cell: ({ model }) => number(model.gaps.rows.length + model.gaps.more) },
        {
          head: 'Unanchored',
          cell: ({ verdict }) =>
            number(
              verdict.ranges
                .filter((range) => range.range === 'unanchored')
                .reduce((sum, range) => sum + range.to_seq - range.from_seq, 0),
            ),
        },
      ],
      { rows: logs, more: 0 },
    )}`;
}
