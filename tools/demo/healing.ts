// `npm run demo -- --healing`: a Windows server of the lab drifts, and the agent heals what it was granted, when it may, as long as it
// holds. The server answers from memory; everything else is real.
import { healingHost, type HealingHost, type Part } from '../../test/lab/healing-host.ts';
import { startWinRmServer } from '../../test/lab/winrm-server/start-winrm-server.ts';
import { ACCOUNT, healingSite, TARGET, WINDOWS, type HealingSite } from '../../test/support/healing-site.ts';
import { until } from './process.ts';
import type { Report } from './report.ts';
import type { Site } from './site.ts';

const ON = '{ mode: on, runbooks: [] }';
const PATIENCE_MS = 60_000;

export interface HealingPart {
  readonly site: Site;
  readonly report: Report;
  readonly repo: string;
  /** A folder for what is made here. */
  readonly dir: string;
}

/** The site is provisioned and its appliance confirmed. */
export async function healingShown({ site, report, repo, dir }: HealingPart): Promise<void> {
  const host = healingHost({ firewall: false, logging: true, av: true });
  const healing = healingSite(site, dir, repo);
  const server = await startWinRmServer({ users: [ACCOUNT], handler: host.handler });
  try {
    report.section('Drift that nobody has let it heal');
    await healing.addTarget(server.port);
    await healing.signContent([]);
    await healing.signPolicy({ windows: WINDOWS.closed(), healing: ON });
    const found = await healing.untilState('firewall', 'ticketed');
    report.item('fail', `${TARGET}: ${found.checkId}: ${healing.story('firewall')[0]?.sentence ?? ''}`);
    nothingChanged(host, 'firewall');
    report.seen(`it goes to people: ${found.held?.sentence ?? ''}`);
    report.section('Standing grants, signed offline with the content list');
    await healing.signContent(['firewall', 'logging', 'av']);
    const deferred = await healing.untilState('firewall', 'waiting');
    nothingChanged(host, 'firewall');
    const opens = new Date((deferred.nextStepAt ?? 0) * 1_000).toISOString().slice(0, 16);
    report.seen(`disruptive, and ${deferred.held?.sentence ?? ''}: deferred until ${opens} UTC`);
    await rolledBack(host, healing, report);
    await healedInTheWindow(healing, report);
    await stopped(host, healing, report);
    // A look may be under way at this moment; between two looks nothing is left.
    await until('no shell is left on the machine', () => (server.liveShells === 0 ? true : null), PATIENCE_MS);
  } finally {
    await server.close();
  }
}

const changes = (host: HealingHost, part: Part): string[] =>
  host.phases.filter((phase) => phase.startsWith(`${part} `) && !/detect|verify|plan/.test(phase));

function nothingChanged(host: HealingHost, part: Part): void {
  if (changes(host, part).length > 0) throw new Error(`something was changed: ${changes(host, part).join()}`);
}

async function rolledBack(host: HealingHost, healing: HealingSite, report: Report): Promise<void> {
  report.section('A fix that does not hold');
  host.undone.add('logging');
  host.good.logging = false;
  const ticket = await until(
    'a ticket says what was tried',
    () => healing.tickets('windows_logging').find(({ tried = [] }) => tried.length > 1) ?? null,
    PATIENCE_MS,
    () => JSON.stringify(healing.story('logging')),
  );
  if (changes(host, 'logging').join() !== 'logging remediate,logging rollback')
    throw new Error('it was not rolled back');
  for (const line of ticket.tried ?? []) report.item('', line);
  report.seen('changed, seen not to hold, rolled back; it is not tried again, and one ticket says what was done');
}

async function healedInTheWindow(healing: HealingSite, report: Report): Promise<void> {
  report.section('The window opens');
  await healing.signPolicy({ windows: WINDOWS.open(), healing: ON });
  const { id } = await healing.untilState('firewall', 'healed');
  for (const { what, sentence, evidenceSeq } of healing.story('firewall').slice(-3)) {
    report.item(what, `${sentence} (entry ${evidenceSeq ?? '?'})`);
  }
  const actions = healing.entries().flatMap((one) => (one.kind === 'action' && one.incident_id === id ? [one] : []));
  if (actions.map(({ phase }) => phase).join() !== 'intent,result')
    throw new Error('intent and result are not in the log');
  report.seen('healed: planned, changed, confirmed over a new connection, verified by a look of its own');
}

async function stopped(host: HealingHost, healing: HealingSite, report: Report): Promise<void> {
  report.section('Drift that comes back again and again');
  host.good.firewall = false;
  await healing.untilState('firewall', 'waiting');
  host.good.firewall = true;
  await healing.untilState('firewall', 'passing');
  host.good.firewall = false;
  const { held } = await healing.untilState('firewall', 'ticketed');
  if (changes(host, 'firewall').length !== 2)
    throw new Error(`it was healed again: ${changes(host, 'firewall').join()}`);
  report.seen(`stopped, and with people: ${held?.sentence ?? ''}`);
}
