// `npm run demo`: the whole on this host, in a temporary folder, in about a minute; `--healing` shows what it does by itself. Every line that it prints was seen to
// happen; it ends with an error as soon as something did not hold.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { badOrders } from './bad-orders.ts';
import { startLyingCentral } from './lying-central.ts';
import { healingShown } from './healing.ts';
import { listeningSockets } from './listening-sockets.ts';
import { until } from './process.ts';
import { createReport } from './report.ts';
import type { Site } from './site.ts';
import { APPLIANCE, createSite } from './site.ts';
import { windowsHealed } from './windows.ts';

/** Two rounds of checks: the first may come before the first signed time. */
const CLOCK_MS = 8_000;

const { values } = parseArgs({
  options: { keep: { type: 'boolean', default: false }, healing: { type: 'boolean', default: false } },
});
const repo = join(import.meta.dirname, '../..');
const dir = mkdtempSync(join(tmpdir(), 'compliance-demo-'));
const site = createSite({ dir, repo, persons: ['Alex Demo', 'Sam Demo'] });
const report = createReport(process.stdout);

// Children end in an `exit` handler that was set before this one, so nothing writes to the folder any more.
process.on('exit', () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

try {
  await demo();
  report.end();
  if (values.keep) await keep();
} catch (error) {
  report.failed(error);
  process.stderr.write(`\nlast lines of the agent:\n${tail(site.paths.agentLog)}\n`);
  process.exitCode = 1;
} finally {
  await site.end();
}

async function demo(): Promise<void> {
  report.section('Central Command and an appliance on this host');
  await site.provision();
  report.seen(`Central Command listens on ${site.url()} with its own CA; root and operator keys lie in another folder`);
  site.startAgent();
  await site.confirm();
  report.seen(
    'the appliance made its keys, sent its claim with a one-time token, and waited until an operator confirmed',
  );
  if (values.healing) {
    await healingShown({ site, report, repo, dir });
    await verifyEverything();
    return;
  }
  await site.central('content', 'sign', '--dir', join(repo, 'runbooks'), '--keys', site.paths.keys);
  await site.untilStatus('the content list is in force', (s) => s.content_version === 1);
  report.seen('it took over the content list that a person signed offline');

  report.section('Checks on this host');
  const { findings } = await site
    .untilStatus(
      'the clock was held against the signed time',
      (s) => s.findings.length >= 4 && s.findings.some((f) => f.check === 'clock' && f.result !== 'unknown'),
      CLOCK_MS,
    )
    // On some hosts the clock stays unknown: then that is what is shown.
    .catch(() => site.untilStatus('the checks ran', (s) => s.findings.length >= 4));
  for (const finding of findings) report.item(finding.result, `${finding.check}: ${finding.sentence}`);
  noListeningSocket(site);
  report.seen('the agent has no listening socket');

  report.section('One good order');
  const good = await site.issue('run_check', { checks: ['disk'] });
  await untilOrder(good.order_id, 'success');
  report.seen(`order ${good.order_id} was verified, accepted, carried out, and its result is in the log`);

  await sixBadOrders(good.line);
  await windowsHealed({ site, report, repo, dir, persons: ['alex-demo', 'sam-demo'] });
  await centralGoneAndBack();
  await verifyEverything();
}

async function sixBadOrders(good: string): Promise<void> {
  report.section('Six bad orders, from an attacker who holds every online key');
  const { host } = new URL(site.url());
  const [name = '', port = ''] = host.split(':');
  await site.endCentral('SIGTERM');
  const liar = await startLyingCentral(site.paths.data, name, Number(port));
  try {
    const bad = badOrders(good, liar.central.keys.order, liar.central.now());
    liar.slipIn(bad.map((order) => order.envelope));
    const { refusals } = await until(
      'six refusals are in the log',
      async () => {
        const verdict = await verifyLog();
        return bad.every((order) => verdict.refusals[order.code] !== undefined) ? verdict : null;
      },
      20_000,
    );
    for (const order of bad) report.refused(order.code, order.what);
    const total = Object.values(refusals).reduce((sum, count) => sum + count, 0);
    if (total !== bad.length) throw new Error(`six refusals were expected, once each: ${JSON.stringify(refusals)}`);
  } finally {
    await liar.close();
  }
  await site.startCentral();
}

async function centralGoneAndBack(): Promise<void> {
  report.section('Central Command taken away and brought back');
  const before = await site.untilStatus(
    'all is stored',
    (s) => s.stored_size !== null && s.stored_size === s.log?.size,
  );
  await site.endCentral('SIGKILL');
  const sizeBefore = before.log?.size ?? 0;
  const away = await site.untilStatus(
    'the agent goes on by itself',
    (s) => s.blocking_reason !== null && (s.log?.size ?? 0) >= sizeBefore + 2,
  );
  report.seen(`killed: the agent says "${away.blocking_reason?.sentence}"`);
  const waiting = (away.log?.size ?? 0) - (away.stored_size ?? 0);
  report.seen(`it went on checking; ${waiting} entries wait on its own disk`);
  await site.startCentral();
  await site.untilStatus(
    'everything is stored again',
    (s) => s.blocking_reason === null && (s.log?.size ?? 0) > sizeBefore && s.stored_size === s.log?.size,
  );
  report.seen('back: everything that waited was uploaded, with signed receipts');
}

async function verifyEverything(): Promise<void> {
  report.section('What an auditor sees');
  await site.endAgent('SIGTERM');
  const verdict = await verifyLog();
  const stored = (await site.central('evidence', 'verify')) as { logs: { ok: boolean; size: number; root: string }[] };
  const [copy] = stored.logs;
  if (copy?.ok !== true) throw new Error('the copy at Central Command does not verify');
  report.seen(
    `${verdict.size} entries on the appliance verify: signatures, chain, binding; tree root ${verdict.root.slice(0, 16)}…`,
  );
  report.seen(`${copy.size} entries at Central Command verify`);
  const untrusted = await site.cli('evidence', 'verify');
  if (untrusted.code !== 8 || !untrusted.output.includes('UNTRUSTED ROOT')) {
    throw new Error(`evidence verify without a root digest ended with ${untrusted.code}`);
  }
  report.seen("without the root's digest from elsewhere the verdict is UNTRUSTED ROOT, and the command fails");
}

interface Verdict {
  readonly ok: boolean;
  readonly size: number;
  readonly root: string;
  readonly refusals: Readonly<Record<string, number>>;
}

/** What `evidence verify` says of the log as it stands on the appliance: nothing is read back unverified. */
async function verifyLog(): Promise<Verdict> {
  const { code, output } = await site.cli('evidence', 'verify', '--root-sha256', site.rootDigest(), '--json');
  if (code !== 0) throw new Error(`evidence verify ended with ${code}:\n${output}`);
  return JSON.parse(output) as Verdict;
}

/** The journal's word on one order, as `orders` prints it. */
async function untilOrder(orderId: string, outcome: string): Promise<void> {
  await until(
    `order ${orderId} ends with ${outcome}`,
    async () => {
      const { code, output } = await site.cli('orders', '--json');
      if (code !== 0) throw new Error(`orders ended with ${code}:\n${output}`);
      const { orders } = JSON.parse(output) as {
        orders: { order_id: string; state: string; outcome: string | null }[];
      };
      return orders.find((o) => o.order_id === orderId && o.state === 'result' && o.outcome === outcome) ?? null;
    },
    20_000,
  );
}

/** Sockets of the agent's process, by /proc alone. */
function noListeningSocket(of: Site): void {
  const open = listeningSockets(of.agentProcess()?.pid ?? -1);
  if (open.length > 0) throw new Error(`the agent listens: ${JSON.stringify(open)}`);
}

async function keep(): Promise<void> {
  site.startAgent();
  const agent = `npx compliance-agent`;
  process.stdout.write(
    [
      '',
      `Left running until Ctrl-C, which ends both and removes ${dir}. Try:`,
      `  ${agent} status --config ${site.paths.config}`,
      `  ${agent} evidence list --config ${site.paths.config}`,
      `  ${agent} orders --config ${site.paths.config}`,
      `  npx central-command order issue --appliance ${APPLIANCE} --kind run_check --data ${site.paths.data}`,
      `  tail -f ${site.paths.agentLog}`,
      '',
    ].join('\n'),
  );
  await new Promise(() => undefined);
}

function tail(path: string): string {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(-25).join('\n');
  } catch {
    return '(none)';
  }
}
