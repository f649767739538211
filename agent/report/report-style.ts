// How the report looks: one column that a phone can show, tables that become cards there, black on white on paper. No colour
// says anything that a word does not say too. Nothing is fetched.

export const REPORT_STYLE = `
:root { color-scheme: light; --ink: #1b2430; --soft: #53606f; --line: #d5dbe3; --paper: #fff; --wash: #f4f6f9;
  --bad: #9b1c1c; --bad-wash: #fdf0ef; --warn: #7a4b00; --warn-wash: #fff6e3; --good: #14532d; --good-wash: #edf7f0; }
* { box-sizing: border-box; }
html { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", Arial, sans-serif; color: var(--ink); background: var(--wash); }
body { margin: 0; }
main { max-width: 68rem; margin: 0 auto; padding: 2.5rem 3rem 4rem; background: var(--paper); }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--paper); padding: .5rem 1rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 2.75rem 0 .5rem; padding-top: 1rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .35rem; }
p { margin: .4rem 0 .8rem; max-width: 46rem; }
a { color: #0b4f9e; }
.lead { font-size: 1.1rem; color: var(--soft); margin: 0 0 1.25rem; }
.soft, dt, caption { color: var(--soft); }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem; margin: 1rem 0 1.5rem; }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.box { border: 1px solid var(--line); border-left-width: .4rem; border-radius: .35rem; padding: .75rem 1.1rem; margin: 1rem 0; }
.box p:last-child { margin-bottom: 0; }
.box.bad { border-color: var(--bad); background: var(--bad-wash); }
.box.warn { border-color: #c98a16; background: var(--warn-wash); }
.box.good { border-color: #2f7d4b; background: var(--good-wash); }
.tiles { display: grid; grid-template-columns: repeat(6, 1fr); gap: .75rem; padding: 0; margin: 1.25rem 0; list-style: none; }
.tiles li { border: 1px solid var(--line); border-radius: .35rem; padding: .6rem .75rem; line-height: 1.25; }
.tiles b { display: block; font-size: 1.7rem; }
.tiles .bad { border-color: var(--bad); background: var(--bad-wash); color: var(--bad); }
.tiles .warn { border-color: #c98a16; background: var(--warn-wash); color: var(--warn); }
.tiles .good { border-color: #2f7d4b; background: var(--good-wash); color: var(--good); }
table { width: 100%; border-collapse: collapse; margin: .75rem 0 1.25rem; font-size: .94rem; }
caption { text-align: left; padding: 0 0 .35rem; }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { font-weight: 600; }
thead th { border-bottom: 1.5px solid var(--ink); font-size: .85rem; overflow-wrap: normal; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; padding: 0; margin: .25rem 0 1rem; color: var(--soft); font-size: .88rem; }
.key, .days li { display: inline-flex; align-items: center; justify-content: center; width: 1.35rem; height: 1.35rem; border: 1px solid; border-radius: .2rem; font-size: .8rem; line-height: 1; }
.key { margin-right: .15rem; }
.days { display: grid; grid-template-columns: minmax(12rem, 20rem) minmax(0, 1fr); gap: .45rem 1.25rem; align-items: center; margin: 0 0 1.25rem; }
.days dt { color: var(--ink); font-size: .94rem; line-height: 1.35; }
.days dd { margin: 0; }
.days ol { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem; padding: 0; margin: 0; }
.days li { margin: 0; position: relative; }
.good:is(.key, .days li) { color: var(--good); background: var(--good-wash); }
.bad:is(.key, .days li) { color: #fff; background: var(--bad); border-color: var(--bad); }
.warn:is(.key, .days li) { color: var(--warn); background: var(--warn-wash); border-color: #c98a16; }
.plain:is(.key, .days li) { color: var(--soft); background: var(--wash); }
.empty:is(.days li) { border-style: dashed; border-color: var(--line); }
h2.log { font-size: 1.5rem; overflow-wrap: anywhere; }
td.when { min-width: 6.5rem; }
tbody th { min-width: 9.5rem; }
td.wide { width: 40%; }
.cite { display: block; white-space: nowrap; }
time span { white-space: nowrap; }
code, .mono { font: .88em/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
pre { background: var(--wash); border: 1px solid var(--line); border-radius: .35rem; padding: .75rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.result { display: inline-block; font-weight: 600; white-space: nowrap; border: 1px solid; border-radius: .3rem; padding: 0 .45rem; }
.result.bad { color: var(--bad); background: var(--bad-wash); }
.result.warn { color: var(--warn); background: var(--warn-wash); }
.result.good { color: var(--good); background: var(--good-wash); }
.result.plain { color: var(--soft); background: var(--wash); }
.proof { display: block; font-weight: 400; margin-top: .25rem; color: var(--soft); font-size: .85rem; }
details { margin-top: .35rem; font-size: .88rem; }
summary { cursor: pointer; color: var(--soft); }
ul.plain { list-style: none; padding: 0; margin: .25rem 0; }
ol li, ul li { margin: .2rem 0; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1rem; color: var(--soft); font-size: .88rem; }
@media screen and (max-width: 50rem) {
  main { padding: 1.5rem 1.1rem 3rem; }
  h1 { font-size: 1.6rem; }
  .tiles { grid-template-columns: repeat(2, 1fr); }
  dl.facts, .days { grid-template-columns: 1fr; gap: 0; }
  .days dt { margin-top: .7rem; }
  .days dd { margin-top: .2rem; }
  dl.facts dd { margin-bottom: .5rem; }
  table, tbody, tr, td, th, caption { display: block; }
  thead { position: absolute; left: -999rem; }
  tbody tr { border: 1px solid var(--line); border-radius: .35rem; padding: .5rem .8rem; margin: 0 0 .75rem; }
  tbody th, td { border: 0; padding: .2rem 0; }
  tbody th { font-size: 1.02rem; }
  td.wide { width: auto; }
  tbody th { min-width: 0; }
  td[data-label] { display: grid; grid-template-columns: 6.75rem minmax(0, 1fr); gap: .5rem; }
  td[data-label]::before { content: attr(data-label); color: var(--soft); font-size: .84rem; padding-top: .1rem; }
  td.wide[data-label] { display: block; }
  td.wide[data-label]::before { display: block; }
}
@page { size: A4; margin: 18mm 16mm 20mm; @bottom-right { content: counter(page) " / " counter(pages); font: 9pt sans-serif; } }
@media print {
  html { font-size: 9.5pt; background: none; }
  main { max-width: none; padding: 0; }
  .skip { display: none; }
  h2 { margin-top: 1.6rem; }
  h2, h3, caption, h2 + p, h3 + p { break-after: avoid; }
  tr, .box, .tiles, pre, .days dt, .days dd { break-inside: avoid; }
  .days dt { break-after: avoid; }
  h2.log { break-before: page; }
  thead { display: table-header-group; break-after: avoid; }
  tbody tr:first-child { break-before: avoid; }
  .tiles { grid-template-columns: repeat(6, 1fr); }
  a { color: inherit; text-decoration: none; }
  details:not([open]) { display: none; }
  td.wide { width: 35%; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
