// `evidence export`: the bundle for an auditor, of the logs of this appliance.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeBundle, type WrittenBundle } from '../bundle/write-bundle.ts';
import { AgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { CHECKS } from '../checks/registry.ts';
import { reportNames } from '../report/report-input.ts';
import { readFileLimited } from '../system/files.ts';
import type { CliContext } from './deps.ts';
import { stateDirOf, withEnrolledStore } from './open-state.ts';
import { parsePeriod } from '../report/parse-period.ts';
import { print } from './print.ts';
import { createProgress } from './progress.ts';
import { storeSource } from './store-source.ts';
import { columns, painter } from './style.ts';

export interface ExportOptions {
  readonly out?: string;
  readonly from?: string;
  readonly to?: string;
  readonly site?: string;
}

const MAX_VERIFIER_BYTES = 262_144;
/** In the source tree and in a build the program lies two folders below the top. */
const VERIFIER = join(import.meta.dirname, '..', '..', 'docs', 'verify', 'verify.py');

/** Exit 4 where the exported log does not verify: the bundle is written all the same, and says so first. */
export async function evidenceExport(context: CliContext, options: ExportOptions): Promise<number> {
  const { out, site } = options;
  if (out === undefined) throw new AgentError('usage', 'name the folder for the bundle: --out DIR');
  const period = parsePeriod(options.from, options.to);
  if (!existsSync(VERIFIER))
    throw new AgentError('file_missing', 'the verifier for the bundle is missing', { place: VERIFIER });
  return withEnrolledStore(context, stateDirOf(context), async (store, identity) => {
    if (site !== undefined && site !== identity.siteId) {
      throw new AgentError('usage', `this appliance is at the site ${identity.siteId}, not at ${site}`);
    }
    const progress = createProgress(context, 'exported entries');
    const written = await writeBundle({
      out,
      roots: store.trust.roots().map((row) => row.line),
      revocations: store.trust.document('revocations')?.line ?? null,
      logs: store.entries.epochs().map((epoch) => storeSource(store, identity, epoch)),
      period,
      names: reportNames(CHECKS, context.loadChecks(null).controls),
      verifier: readFileLimited(VERIFIER, MAX_VERIFIER_BYTES).toString('utf8'),
      agentVersion: context.build.version,
      progress: (done, total) => progress.at(done, total),
    });
    progress.end();
    print(context, 'evidence-export', written, () => textOf(context, written));
    return written.verified ? EXIT.ok : EXIT.verification;
  });
}

function textOf(context: CliContext, value: WrittenBundle): string[] {
  const paint = painter(context.stdout, context.env);
  const entries = value.lines === value.entries ? String(value.entries) : `${value.lines} of ${value.entries}`;
  return [
    value.verified ? paint('green', 'EXPORTED') : paint('red', 'EXPORTED, BUT THE LOG DOES NOT VERIFY'),
    ...columns([
      ['folder', value.out],
      ['entries', entries],
      ['files', `${value.files} and MANIFEST`],
      ['MANIFEST', `SHA-256 ${value.manifest_sha256}`],
      ['trust root', `SHA-256 ${value.root_sha256}: give it to the auditor in another way than this folder`],
    ]),
  ];
}
