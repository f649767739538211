import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { streamLog } from '../evidence-store/evidence-store.ts';
import { originFolder } from '../evidence-store/segment-folder.ts';
import { evidenceDir } from '../service/central.ts';
import { print, type Common } from './output.ts';
import type { WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly origin: string;
  readonly out?: string;
}

/** The bytes that were uploaded, one entry per line; `compliance-agent evidence verify` reads them. */
export async function exportLines(o: Options): Promise<void> {
  const folder = originFolder(evidenceDir(resolve(o.data)), o.origin);
  if (!existsSync(folder)) throw new AgentError('origin_not_bound', 'no such log is stored', { place: o.origin });
  const out = o.out === undefined ? process.stdout : createWriteStream(o.out, { flags: 'wx', mode: 0o600 });
  let count = 0;
  for await (const line of streamLog(folder)) {
    count += 1;
    if (!out.write(Buffer.concat([line, LF]))) await once(out, 'drain');
  }
  if (o.out === undefined) return;
  out.end();
  await once(out, 'finish');
  print(o, { origin: o.origin, entries: count, file: resolve(o.out) }, `${count} entries written to ${o.out}`);
}

const LF = Buffer.from('\n');
