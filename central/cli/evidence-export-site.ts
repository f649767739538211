import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { LogSource } from '../../agent/bundle/log-source.ts';
import { writeBundle } from '../../agent/bundle/write-bundle.ts';
import { parseControlMap } from '../../agent/checks/controls.ts';
import { CHECKS } from '../../agent/checks/registry.ts';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { EXIT } from '../../agent/errors/exit-codes.ts';
import { parsePeriod } from '../../agent/report/parse-period.ts';
import { reportNames, type ReportNames } from '../../agent/report/report-input.ts';
import { streamLog } from '../evidence-store/evidence-store.ts';
import type { Records } from '../service/central.ts';
import { print, type Common } from './output.ts';
import { withSegments } from './with-segments.ts';
import type { WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly site: string;
  readonly out: string;
  readonly from?: string;
  readonly to?: string;
}

type Segments = Parameters<typeof streamLog>[0];

/** Entries handed on at once. */
const PAGE_ENTRIES = 500;
const REPO = join(import.meta.dirname, '..', '..');

/** One log as it is stored here, up to its newest receipt: nothing was promised of what is beyond. */
function storedLog(
  { store }: Records,
  segments: Segments,
  origin: string,
  bound: { appliance_id: string; epoch: number },
): LogSource {
  const receipts = store.evidence.receipts(origin);
  const size = receipts.at(-1)?.size ?? 0;
  return {
    origin,
    applianceId: bound.appliance_id,
    epoch: bound.epoch,
    size,
    async *pages() {
      let page: { seq: number; line: string; leaf: null }[] = [];
      let seq = 0;
      for await (const line of streamLog(segments, origin)) {
        page.push({ seq, line: line.toString('utf8'), leaf: null });
        seq += 1;
        if (page.length < PAGE_ENTRIES) continue;
        yield page;
        page = [];
      }
      yield page;
    },
    receipts,
    checkpoints: store.witness.days(origin).filter((row) => row.size <= size),
    // The appliance keeps its timestamps; its own export holds them.
    timestamps: [],
  };
}

function names(): ReportNames {
  const dir = join(REPO, 'runbooks', 'controls');
  const maps = readdirSync(dir).filter((name) => name.endsWith('.yaml'));
  return reportNames(
    CHECKS,
    maps.toSorted().map((name) => parseControlMap(readFileSync(join(dir, name)), join(dir, name))),
  );
}

/** The bundle for an auditor, of all appliances of a site. Exit 4 where a log does not verify; it is written all the same. */
export async function exportSite(o: Options): Promise<void> {
  const period = parsePeriod(o.from, o.to);
  await withSegments(o, async (records, segments) => {
    const { store, trust } = records;
    if (store.appliances.site(o.site) === null) {
      throw new AgentError('site_unknown', 'there is no such site', { place: o.site });
    }
    const stored = await segments.origins();
    const logs = stored.flatMap((origin) => {
      const bound = store.appliances.bindingOf(origin);
      return bound?.site_id === o.site ? [storedLog(records, segments, origin, bound)] : [];
    });
    logs.sort((a, b) => (a.applianceId === b.applianceId ? a.epoch - b.epoch : a.applianceId < b.applianceId ? -1 : 1));
    const filled = logs.filter((log) => log.size > 0);
    if (filled.length === 0) {
      throw new AgentError('origin_not_bound', 'no log of this site is stored', { place: o.site });
    }
    const newest = trust.root().root.version;
    const written = await writeBundle({
      out: resolve(o.out),
      roots: Array.from({ length: newest }, (_, i) => store.documents.byVersion('root', '', i + 1)?.line ?? ''),
      revocations: trust.revocations()?.line ?? null,
      logs: filled,
      period,
      names: names(),
      verifier: readFileSync(join(REPO, 'docs', 'verify', 'verify.py'), 'utf8'),
      agentVersion: (JSON.parse(readFileSync(join(REPO, 'package.json'), 'utf8')) as { version: string }).version,
      progress: () => undefined,
    });
    const standing = written.verified ? 'EXPORTED' : 'EXPORTED, BUT A LOG DOES NOT VERIFY';
    print(
      o,
      { site: o.site, logs: filled.map((log) => log.origin), ...written },
      [
        `${standing}: ${written.lines} of ${written.entries} entries of ${filled.length} logs, in ${written.out}`,
        `MANIFEST    SHA-256 ${written.manifest_sha256}`,
        `trust root  SHA-256 ${written.root_sha256}: give it to the auditor in another way than this folder`,
      ].join('\n'),
    );
    if (!written.verified) process.exitCode = EXIT.verification;
  });
}
