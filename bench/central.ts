// Check-ins that a real `central-command serve` process answers over mTLS: how many per second with two clients busy, how
// long one takes, and what CPU it costs, for 50 and 500 appliances with a log each.
import { readFileSync } from 'node:fs';
import { Client } from 'undici';
import { signDocument } from '../agent/wire/document.ts';
import { encodeEnvelope } from '../agent/wire/dsse.ts';
import { openCentral } from '../central/service/central.ts';
import { bindDevice } from '../test/support/central-in-process.ts';
import { makeCentral, type RunningCentral, type TestCentral } from '../test/support/central-process.ts';
import { checkinRequestOf, type Enrolled } from '../test/support/device.ts';
import { rowOf, type BenchRow } from './bench-row.ts';

interface Sizes {
  /** Appliances, small and large. */
  readonly appliances: readonly [number, number];
  readonly runs: number;
  readonly checkinsPerRun: number;
}
const FULL: Sizes = { appliances: [50, 500], runs: 5, checkinsPerRun: 500 };
const SMOKE: Sizes = { appliances: [2, 4], runs: 1, checkinsPerRun: 8 };
/** Requests in flight: the server has one thread, two keep it busy. */
const IN_FLIGHT = 2;
/** Linux USER_HZ. */
const TICKS_PER_S = 100;

export async function benchCentral({ smoke = false } = {}): Promise<BenchRow[]> {
  const sizes = smoke ? SMOKE : FULL;
  const rows: BenchRow[] = [];
  let smallest: number | null = null;
  for (const size of sizes.appliances) {
    const measured = await measure(size, sizes);
    const rate = rowOf(`central check-ins, ${size} appliances`, '1/s', measured.rates);
    smallest ??= rate.value;
    rows.push(
      { ...rate, against: `central check-ins, ${sizes.appliances[0]} appliances`, ratio: rate.value / smallest },
      rowOf(`central check-in p99, ${size} appliances`, 'ms', measured.p99s),
      rowOf(`central CPU per check-in, ${size} appliances`, 'ms', measured.cpus),
    );
  }
  return rows;
}

interface Measured {
  readonly rates: readonly number[];
  readonly p99s: readonly number[];
  readonly cpus: readonly number[];
}

async function measure(size: number, { runs, checkinsPerRun }: Sizes): Promise<Measured> {
  const central = await makeCentral();
  try {
    const appliances = await bindAll(central, size);
    const server = await central.serve('--log-level', 'error');
    const clients = await connectAll(central, server, appliances);
    const results: { rate: number; p99: number; cpu: number }[] = [];
    for (let run = 0; run <= runs; run++) results.push(await oneRun(server, clients, checkinsPerRun));
    await Promise.all(clients.map(({ client }) => client.destroy()));
    // The first run warms up connections and the compiler.
    const kept = results.slice(1);
    return {
      rates: kept.map(({ rate }) => rate),
      p99s: kept.map(({ p99 }) => p99),
      cpus: kept.map(({ cpu }) => cpu),
    };
  } finally {
    await central.remove();
  }
}

/** Binds appliances in this process, before the server starts. */
async function bindAll(central: TestCentral, size: number): Promise<Enrolled[]> {
  const opened = await openCentral(central.dataDir);
  const appliances: Enrolled[] = [];
  for (let i = 0; i < size; i++) appliances.push(await bindDevice(opened, `bench-${i}`));
  opened.close();
  return appliances;
}

interface Connected {
  readonly client: Client;
  readonly me: Enrolled;
}

async function connectAll(central: TestCentral, server: RunningCentral, appliances: Enrolled[]): Promise<Connected[]> {
  const clients: Connected[] = [];
  for (const me of appliances) {
    const connect = { ca: central.caPem, cert: me.tls.cert, key: me.tls.key, servername: 'localhost' };
    const client = new Client(server.url, { connect, keepAliveTimeout: 300_000 });
    await post({ client, me });
    clients.push({ client, me });
  }
  return clients;
}

async function oneRun(
  server: RunningCentral,
  clients: readonly Connected[],
  checkinsPerRun: number,
): Promise<{ rate: number; p99: number; cpu: number }> {
  const bodies = Array.from({ length: checkinsPerRun }, (_, i) => {
    const connected = clients[i % clients.length] as Connected;
    return { connected, body: bodyOf(connected.me) };
  });
  const times: number[] = [];
  const cpuBefore = cpuSeconds(server);
  const start = performance.now();
  const worker = async (): Promise<void> => {
    for (let next = bodies.shift(); next !== undefined; next = bodies.shift()) {
      const sent = performance.now();
      await post(next.connected, next.body);
      times.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  const seconds = (performance.now() - start) / 1_000;
  const sorted = times.sort((a, b) => a - b);
  return {
    rate: checkinsPerRun / seconds,
    p99: sorted[Math.floor(sorted.length * 0.99)] as number,
    cpu: ((cpuSeconds(server) - cpuBefore) / checkinsPerRun) * 1_000,
  };
}

const bodyOf = (me: Enrolled): string =>
  encodeEnvelope(signDocument('checkinRequest', checkinRequestOf(me), [me.device.signer]));

async function post({ client, me }: Connected, body = bodyOf(me)): Promise<void> {
  const path = '/api/v1/appliances/checkin';
  const headers = { 'content-type': 'application/vnd.dsse+json' };
  const answer = await client.request({ method: 'POST', path, headers, body });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`check-in answered with ${answer.statusCode}: ${text}`);
}

function cpuSeconds(server: RunningCentral): number {
  const fields = readFileSync(`/proc/${server.process.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}
