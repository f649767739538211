// `npm run lab:record [runbook …]`: runs every step of every scenario in real PowerShell and writes what came of it. A step of
// which nothing has changed keeps its recording; remove the folder of recordings to make them all again. Needs PowerShell 7.4
// or later (`PWSH`, else `pwsh` on the PATH).
import { findPowerShell } from '../test/lab/powershell.ts';
import { BURNERS, burnerStep, CPU_BUDGET_RECORDING, FRUGAL } from '../test/lab/cpu-budget.ts';
import { IDENTITIES, IDENTITIES_RECORDING, identityStep } from '../test/lab/identities.ts';
import { judgeWithout, playScenario, propertiesRead } from '../test/lab/play-scenario.ts';
import { Recordings } from '../test/lab/recordings.ts';
import { REFUSALS, REFUSALS_RECORDING, refusalStep } from '../test/lab/refusals.ts';
import { SCENARIO_BOOKS } from '../test/lab/scenarios/books.ts';
import { readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const powershell = findPowerShell();
if (powershell === null) {
  process.stderr.write('there is no PowerShell here: set PWSH or put pwsh on the PATH\n');
  process.exit(1);
}
const wanted = process.argv.slice(2);
if (wanted.length === 0 || wanted.includes('lab')) {
  const refusals = new Recordings(REFUSALS_RECORDING, 'record', powershell);
  for (const refusal of REFUSALS) await refusals.outcome(refusalStep(refusal));
  refusals.write();
  const burners = new Recordings(CPU_BUDGET_RECORDING, 'record', powershell);
  for (const step of [FRUGAL, ...BURNERS.map((burner) => burnerStep(burner))]) await burners.outcome(step);
  burners.write();
  const identities = new Recordings(IDENTITIES_RECORDING, 'record', powershell);
  for (const asked of IDENTITIES) await identities.outcome(identityStep(asked));
  identities.write();
}
for (const book of SCENARIO_BOOKS) {
  if (wanted.length > 0 && !wanted.some((part) => book.runbook.includes(part))) continue;
  for (const scenario of book.scenarios) {
    const recordings = new Recordings(`${book.runbook}/${scenario.name}`, 'record', powershell);
    const played = await playScenario(book, scenario, recordings);
    recordings.write();
    process.stdout.write(`${book.runbook} ${scenario.name}: ${played.length} steps\n`);
  }
  const healthy = book.scenarios.find(({ name }) => name === book.removal);
  if (healthy === undefined) throw new Error(`${book.runbook} has no scenario ${book.removal}`);
  const recordings = new Recordings(`${book.runbook}/without-a-property`, 'record', powershell);
  for (const phase of ['detect', 'verify'] as const) {
    const properties = await propertiesRead(book, healthy, phase, recordings);
    for (const property of properties) await judgeWithout(book, healthy, phase, property, recordings);
    process.stdout.write(`${book.runbook} ${phase} without each of ${properties.length} properties\n`);
  }
  recordings.write();
  removeOthers(book.runbook, [...book.scenarios.map(({ name }) => name), 'without-a-property']);
}

/** Recordings of scenarios that are gone. */
function removeOthers(runbook: string, names: readonly string[]): void {
  const folder = fileURLToPath(new URL(`../test/lab/recordings/${runbook}/`, import.meta.url));
  for (const file of readdirSync(folder)) {
    if (!names.includes(file.replace(/\.json$/, ''))) rmSync(`${folder}${file}`);
  }
}
