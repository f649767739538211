// "Day by day": one line per check, one square per day. Pure.
import { html, type Html } from './html.ts';
import type { ReportNames } from './report-input.ts';
import type { ReportModel } from './report-model.ts';
import type { CalendarCell, DayState } from './calendar.ts';
import { DAY_SIGNS, day } from './report-parts.ts';

const LEGEND: readonly DayState[] = ['pass', 'fail', 'unobserved', 'unknown', 'waived', 'not_applicable'];
const DAY_S = 86_400;

const span = ({ from, to }: CalendarCell): string =>
  to - from === DAY_S ? day(from) : `${day(from)} to ${day(to - DAY_S)}`;

function square(cell: CalendarCell): Html {
  const sign = cell.state === null ? null : DAY_SIGNS[cell.state];
  const title = `${span(cell)}: ${sign === null ? 'not observed yet' : sign.word}`;
  return html`<li class="${sign === null ? 'empty' : sign.tone}" title="${title}">
    <span aria-hidden="true">${sign === null ? '' : sign.sign}</span><span class="unseen">${title}</span>
  </li>`;
}

export function dayByDay(model: ReportModel, names: ReportNames): Html {
  const cells = model.calendar[0]?.cells ?? [];
  const [first, last] = [cells[0], cells.at(-1)];
  if (first === undefined || last === undefined) return html``;
  const days = Math.round((first.to - first.from) / DAY_S);
  const legend = LEGEND.map(
    (state) =>
      html`<li>
        <span class="key ${DAY_SIGNS[state].tone}" aria-hidden="true">${DAY_SIGNS[state].sign}</span>
        ${DAY_SIGNS[state].word}
      </li>`,
  );
  return html`<h2 id="days">Day by day</h2>
    <p>
      The worst of each ${days <= 1 ? 'day' : `${days} days`}, ${day(first.from)} to ${day(last.to - DAY_S)}, in UTC.
      One bad hour makes the whole square bad.
    </p>
    <ul class="legend">
      ${legend}
    </ul>
    <dl class="days">
      ${model.calendar.map(
        (row) =>
          html`<dt>${names.checks.get(row.check) ?? row.check} <span class="soft">on ${row.target}</span></dt>
            <dd>
              <ol>
                ${row.cells.map(square)}
              </ol>
            </dd>`,
      )}
    </dl>`;
}
