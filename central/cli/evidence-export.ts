import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { resolve } from 'node:path';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { streamLog } from '../evidence-store/evidence-store.ts';
import { print, type Common } from './output.ts';
import { withSegments } from './with-segments.ts';
import type { WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly origin: string;
  readonly out?: string;
}

/** The bytes that were uploaded, one entry per line; `compliance-agent evidence verify` reads them. */
export async function exportLines(o: Options): Promise<void> {
  await withSegments(o, async (_records, segments) => {
    const stored = await segments.origins();
    if (!stored.includes(o.origin))
      throw new AgentError('origin_not_bound', 'no such log is stored', { place: o.origin });
    const out = o.out === undefined ? process.stdout : createWriteStream(o.out, { flags: 'wx', mode: 0o600 });
    let count = 0;
    for await (const line of streamLog(segments, o.origin)) {
      count += 1;
      if (!out.write(Buffer.concat([line, LF]))) await once(out, 'drain');
    }
    if (o.out === undefined) return;
    out.end();
    await once(out, 'finish');
    print(o, { origin: o.origin, entries: count, file: resolve(o.out) }, `${count} entries written to ${o.out}`);
  });
}

const LF = Buffer.from('\n');
