import { resolve } from 'node:path';
import { pino } from 'pino';
import * as v from 'valibot';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { partnerSchema } from '../../agent/wire/schemas/root.ts';
import { listen } from '../http/listen.ts';
import { openCentral } from '../service/central.ts';
import { watchEvidence } from '../service/watch-evidence.ts';
import { print, type Common } from './output.ts';

interface Options extends Common {
  readonly data: string;
  readonly listen: string;
  readonly url?: string;
  readonly checkinInterval: number;
  readonly claimInterval: number;
  readonly logLevel: string;
  readonly plainKeys?: boolean;
  readonly evidenceStore?: string;
}

const MAX_INTERVAL_S = 3_600;

export async function serve(o: Options): Promise<void> {
  const { host, port } = parseListen(o.listen);
  const publicUrl = o.url?.replace(/\/+$/, '');
  if (publicUrl !== undefined && !v.is(partnerSchema.entries.central_url, publicUrl)) {
    throw new AgentError('usage', '--url is no plain https:// address');
  }
  for (const interval of [o.checkinInterval, o.claimInterval]) {
    if (interval < 1 || interval > MAX_INTERVAL_S) throw new AgentError('usage', 'intervals are 1 to 3600 seconds');
  }
  const dataDir = resolve(o.data);
  // Standard output carries the one line that says where it listens; the log goes to standard error.
  const logger = pino(
    { level: o.logLevel, base: null, redact: ['*.token', 'token', '*.authorization', 'authorization', 'headers'] },
    pino.destination({ dest: 2, sync: false }),
  );
  const stopped = stopSignal();
  const startedAt = performance.now();
  const central = await openCentral(dataDir, {
    intervals: { checkinS: o.checkinInterval, claimS: o.claimInterval },
    evidenceStore: o.evidenceStore,
    sealedOnly: o.plainKeys !== true,
    onFinding: (kind, origin, sentence) => logger.error({ kind, origin, sentence }, 'stored evidence does not fit'),
  });
  const logs = central.evidence.origins();
  const entries = logs.reduce((sum, origin) => sum + central.evidence.state(origin).size, 0);
  logger.info({ logs: logs.length, entries, ms: Math.round(performance.now() - startedAt) }, 'stored evidence checked');
  logger.info({ protection: central.evidence.segments.protection }, 'evidence is kept');
  const running = await listen(central, { dataDir, host, port, publicUrl, logger });
  print(o, { listening: running.url }, `listening on ${running.url}`);
  const watch = watchEvidence(central, {
    onFinding: (finding) => logger.error({ ...finding }, 'audit of stored evidence'),
    onFailure: (error) => logger.error({ err: error }, 'audit of stored evidence stopped'),
  });
  await stopped;
  await running.close();
  await watch.stop();
  central.close();
}

function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port > 65_535) throw new AgentError('usage', '--listen is host:port');
  return { host, port };
}

function stopSignal(): Promise<void> {
  return new Promise((done) => {
    process.once('SIGTERM', () => done());
    process.once('SIGINT', () => done());
  });
}
