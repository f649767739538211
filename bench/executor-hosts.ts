// The Windows machines that bench/executor.ts looks at, in a process of their own: a WinRM server of the lab for each, which answers
// detect of every runbook as real PowerShell did on a healthy machine. Usage: node executor-hosts.ts MACHINES. Prints the ports, and
// its counters for each line that it reads.
import { createInterface } from 'node:readline';
import { labRunbook } from '../test/lab/play-scenario.ts';
import { Recordings } from '../test/lab/recordings.ts';
import { replayHost } from '../test/lab/replay-host.ts';
import { SCENARIO_BOOKS } from '../test/lab/scenarios/books.ts';
import { asMachine, readBootstrapInput } from '../test/lab/windows-host.ts';
import type { CommandHandler } from '../test/lab/winrm-server/remote-command.ts';
import { startWinRmServer, type WinRmServer } from '../test/lab/winrm-server/start-winrm-server.ts';
import { ACCOUNT, addressOf, sidOf } from './executor-site.ts';

const machines = Number(process.argv[2] ?? '1');

/** By the text of the script: a machine is not told which runbook it is asked for. */
const handlers = new Map<string, CommandHandler>(
  SCENARIO_BOOKS.map((book) => {
    const scenario = book.scenarios.find(({ name, params }) => name === 'healthy' && params === undefined);
    if (scenario === undefined) throw new Error(`${book.runbook} has no healthy machine with default params`);
    const recordings = new Recordings(`${book.runbook}/${scenario.name}`, 'replay', null);
    const script = labRunbook(book.runbook).loaded.scripts.get('detect.ps1') ?? '';
    return [script, replayHost(book, scenario, recordings).handler];
  }),
);

const answer: CommandHandler = async (run) => {
  const stdin = await run.stdin();
  const handler = handlers.get(readBootstrapInput(stdin).script);
  return handler === undefined ? 1 : handler({ ...run, stdin: () => Promise.resolve(stdin) });
};

const servers: WinRmServer[] = [];
for (let n = 0; n < machines; n += 1) {
  const handler = asMachine(answer, () => sidOf(n));
  servers.push(await startWinRmServer({ users: [ACCOUNT], handler, host: addressOf(n) }));
}
process.stdout.write(`${JSON.stringify({ ports: servers.map(({ port }) => port) })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'end') break;
  const sum = (of: (server: WinRmServer) => number) => servers.reduce((all, one) => all + of(one), 0);
  const requests = sum(({ operations }) => Object.values(operations).reduce((all, count) => all + count, 0));
  const counts = { requests, logons: sum(({ logons }) => logons), shells: sum(({ liveShells }) => liveShells) };
  process.stdout.write(`${JSON.stringify(counts)}\n`);
}
process.exit(0);
