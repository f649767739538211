// The report that people read: what was checked, when, on what, with what result and proof; what needs attention comes first.
// A view of the evidence and never the evidence itself. Pure: the same model gives the same bytes.
import { attention } from './report-attention.ts';
import { howToCheck, requirements, words } from './report-appendix.ts';
import { dayByDay } from './report-days.ts';
import { anchorOf, overview } from './report-overview.ts';
import { vouchers } from './report-vouchers.ts';
import { html, type Html } from './html.ts';
import type { ReportInput, ReportLog, ReportNames } from './report-input.ts';
import type { Current, Period, ReportModel } from './report-model.ts';
import { number, plural, proof, resultBadge, resultTone, resultWord, table, time } from './report-parts.ts';
import { REPORT_STYLE } from './report-style.ts';

const RESULT_ORDER = ['fail', 'unknown', 'pass', 'waived', 'not_applicable'] as const;

export function reportHtml(input: ReportInput): string {
  const last = input.logs.at(-1);
  const subject = last?.model.epoch ?? null;
  const title = subject === null ? 'Evidence report' : `Evidence report: ${subject.site_id}`;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <meta name="referrer" content="no-referrer" />
        <title>${title}</title>
        <style>
          ${{ html: REPORT_STYLE }}
        </style>
      </head>
      <body>
        <a class="skip" href="#first">Skip to what needs attention</a>
        <main>
          <h1>${title}</h1>
          <p class="lead">What the compliance agent checked on site, what it found, and how to prove it.</p>
          ${overview(input)} ${input.logs.map((log) => section(log, input, input.logs.length > 1))} ${howToCheck(input)}
          ${words()}
          <footer>
            Made by compliance-agent ${input.agentVersion} from the signed entries beside it. The same entries make the
            same report, byte for byte.
          </footer>
        </main>
      </body>
    </html> `;
  return page.html;
}

function section(log: ReportLog, input: ReportInput, isOneOfMany: boolean): Html {
  const { model, verdict } = log;
  return html`${isOneOfMany ? html`<h2 class="log" id="${anchorOf(verdict)}">Log ${verdict.origin ?? 'unknown'}</h2>` : null}
    ${about(log, input.period)} ${standing(log)} ${tiles(model)} ${attention(log, input.names)} ${vouchers(log)}
    ${dayByDay(model, input.names)}
    <h2>Results at the end of the period</h2>
    <p>
      Each line is the last known result of one check. Times are when the facts were read. The entry is where the proof
      stands.
    </p>
    ${results(model, input.names)} ${changes(model, input.names)} ${acts(model)} ${requirements(model, input.names)}`;
}

function about({ model, verdict, leftOut }: ReportLog, { from, to }: Period): Html {
  const { epoch, firstAt, lastAt } = model;
  const period =
    firstAt === null || lastAt === null
      ? 'nothing was recorded'
      : html`${time(from ?? firstAt)} to ${time(to === null ? lastAt : Math.min(to, lastAt))}`;
  const who =
    epoch === null
      ? null
      : html`<dt>Site</dt>
          <dd>${epoch.site_id}, customer ${epoch.customer_id}</dd>
          <dt>Appliance</dt>
          <dd>${epoch.appliance_id}</dd>
          <dt>Operated by</dt>
          <dd>
            ${epoch.partner_id}${epoch.deployment_mode === 'direct' ? ' (its owner)' : ` (reseller ${epoch.reseller_id ?? 'not named'})`}
          </dd>`;
  return html`<dl class="facts">
    ${who}
    <dt>Period</dt>
    <dd>${period}</dd>
    <dt>Log</dt>
    <dd>
      <code>${verdict.origin ?? 'unknown'}</code>, ${plural(model.size, 'entry', 'entries')}, ${number(model.inPeriod)}
      of them in this period
    </dd>
    ${
      leftOut > 0 &&
      html`<dt>In this bundle</dt>
        <dd>
          ${plural(model.size - leftOut, 'entry', 'entries')}: those of the period, and those before it that still
          count. The other ${number(leftOut)} are here as hashes, which prove the place of each one that is here.
        </dd>`
    }
  </dl>`;
}

function standing({ verdict, model }: ReportLog): Html {
  if (!verdict.ok) {
    return html`<div class="box bad">
      <p>
        <b>This log does not verify.</b>
        ${verdict.seq === null ? '' : `First fault at entry ${number(verdict.seq)}: `}${verdict.sentence}
        (<code>${verdict.code}</code>). Trust nothing below from there on.
      </p>
    </div>`;
  }
  return html`<div class="box good">
    <p>
      <b>All ${plural(model.size, 'entry', 'entries')} verified when this report was made:</b> each is signed by this
      appliance, none is missing or out of order. Whoever relies on it should verify it again,
      <a href="#check">with tools of their own</a>.
    </p>
  </div>`;
}

function tiles(model: ReportModel): Html {
  const counts = RESULT_ORDER.map((result) => ({
    word: resultWord(result),
    count: model.current.filter(({ finding }) => finding.result === result).length,
    tone: resultTone(result),
  }));
  const silent = model.unobserved.rows.filter((row) => !row.ended).length;
  const all = [...counts, { word: 'Not observed at the end', count: silent, tone: 'warn' }];
  return html`<ul class="tiles" aria-label="Checks by result">
    ${all.map(
      ({ word, count, tone }) => html`<li class="${count === 0 ? 'none' : tone}"><b>${number(count)}</b> ${word}</li>`,
    )}
  </ul>`;
}

const checkName = (names: ReportNames, id: string): Html => {
  const title = names.checks.get(id);
  return title === undefined ? html`${id}` : html`${title} <span class="soft">(${id})</span>`;
};

function results(model: ReportModel, names: ReportNames): Html {
  const order = (one: Current): number => RESULT_ORDER.indexOf(one.finding.result);
  const targets = [...new Set(model.current.map((one) => one.finding.target.id))];
  if (targets.length === 0) return html`<p>No check has a result yet.</p>`;
  return html`${targets.map((target) => {
    const rows = model.current
      .filter((one) => one.finding.target.id === target)
      .toSorted((a, b) => order(a) - order(b));
    const { role, os_build: build } = rows[0]!.finding.target;
    return html`<h3>${target} <span class="soft">(${role}${build === null ? '' : `, ${build}`})</span></h3>
      ${table(
        `${plural(rows.length, 'check')} on ${target}`,
        [
          { head: 'Check', cell: ({ finding }) => checkName(names, finding.check.id) },
          { head: 'Result', cell: ({ finding }) => resultBadge(finding.result) },
          { head: 'What was seen', kind: 'wide', cell: (one) => seen(one) },
          { head: 'Last read', cell: (one) => time(one.lastReadAt) },
          {
            head: 'Supports',
            cell: ({ finding }) =>
              finding.controls.length === 0
                ? 'no requirement'
                : html`${finding.controls.map((c) => html`<span class="cite">${c.cite}</span>`)}`,
          },
        ],
        { rows, more: 0 },
      )}`;
  })}`;
}

function seen({ finding, lastSeq }: Current): Html {
  const facts = Object.entries(finding.facts);
  const remedy = finding.remedy === undefined ? null : html`<span class="proof">To mend it: ${finding.remedy}</span>`;
  const waiver = finding.waiver_id === undefined ? null : html`<span class="proof">Waiver ${finding.waiver_id}</span>`;
  const unchanged = lastSeq === finding.seq ? null : html`; unchanged as of entry ${number(lastSeq)}`;
  return html`${finding.sentence}${remedy}${waiver}<span class="proof"
      >Proof: ${proof(finding.seq, finding.facts_digest)}${unchanged}</span
    >${
      facts.length === 0
        ? null
        : html`<details>
            <summary>Facts (${facts.length})</summary>
            <ul class="plain">
              ${facts.map(([key, value]) => html`<li><code>${key} = ${JSON.stringify(value)}</code></li>`)}
            </ul>
          </details>`
    }`;
}

function changes(model: ReportModel, names: ReportNames): Html {
  return html`<h2>What changed in this period</h2>
    ${
      model.changes.rows.length === 0
        ? html`<p>No result changed.</p>`
        : table(
            'Every change of a result or of the facts it rests on, oldest first',
            [
              { head: 'When', cell: (row) => time(row.observed_to), kind: 'when' },
              { head: 'Check', cell: (row) => html`${checkName(names, row.check.id)} on ${row.target.id}` },
              {
                head: 'Result',
                cell: (row) =>
                  html`${resultBadge(row.result)}${row.previous_result === null || row.previous_result === row.result ? '' : html`<span class="proof">was ${resultWord(row.previous_result)}</span>`}`,
              },
              {
                head: 'What was seen',
                kind: 'wide',
                cell: (row) => html`${row.sentence}<span class="proof">${proof(row.seq, row.facts_digest)}</span>`,
              },
            ],
            model.changes,
          )
    }`;
}

function acts(model: ReportModel): Html {
  const { orders, actions, waivers, trust } = model;
  if ([orders, actions, waivers, trust].every((list) => list.rows.length === 0)) return html``;
  return html`<h2>Orders, actions and rules</h2>
    ${
      orders.rows.length > 0 &&
      table(
        'Orders of the operator that were not refused',
        [
          { head: 'When', cell: (row) => time(row.observed_to), kind: 'when' },
          { head: 'Order', cell: (row) => row.order_kind ?? 'unreadable' },
          { head: 'State', cell: (row) => `${row.state}${row.outcome === undefined ? '' : `: ${row.outcome}`}` },
          {
            head: 'What happened',
            kind: 'wide',
            cell: (row) => html`${row.sentence}<span class="proof">${proof(row.seq)}</span>`,
          },
        ],
        orders,
      )
    }
    ${
      actions.rows.length > 0 &&
      table(
        'Changes that the appliance made',
        [
          { head: 'When', cell: (row) => time(row.observed_to), kind: 'when' },
          { head: 'Target', cell: (row) => row.target.id },
          { head: 'Phase', cell: (row) => `${row.phase}${row.outcome === undefined ? '' : `: ${row.outcome}`}` },
          {
            head: 'What was done',
            kind: 'wide',
            cell: (row) => html`${row.actions.join('; ') || 'nothing'}<span class="proof">${proof(row.seq)}</span>`,
          },
        ],
        actions,
      )
    }
    ${
      waivers.rows.length > 0 &&
      table(
        'Waivers: results that people decided to accept for a time',
        [
          { head: 'When', cell: (row) => time(row.observed_to), kind: 'when' },
          { head: 'Waiver', cell: (row) => html`${row.waiver_id}: ${row.check_id} on ${row.target_id}` },
          { head: 'State', cell: (row) => row.state },
          {
            head: 'Approved',
            kind: 'wide',
            cell: (row) =>
              html`by ${row.approver}, until ${time(row.expires_at)}<span class="proof">${proof(row.seq)}</span>`,
          },
        ],
        waivers,
      )
    }
    ${
      trust.rows.length > 0 &&
      table(
        'Rules that came into force',
        [
          { head: 'When', cell: (row) => time(row.observed_to), kind: 'when' },
          { head: 'What', cell: (row) => `${row.what} version ${row.version}` },
          {
            head: 'Said',
            kind: 'wide',
            cell: (row) =>
              html`${row.sentence}<span class="proof"
                  >${proof(row.seq)}, SHA-256 <code>${row.sha256.slice(0, 16)}…</code></span
                >`,
          },
        ],
        trust,
      )
    }`;
}
