// `runbook list`: what this agent could run, and by which digest orders and content lists name it.
import { basename } from 'node:path';
import { isAgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { classOfRunbook } from '../execution/runbook.ts';
import type { CliContext } from './deps.ts';
import { load, shippedFolders } from './find-runbook.ts';
import { print } from './print.ts';
import { columns } from './style.ts';

/** One with mistakes is shown as such, since the daemon leaves it out too; exit 2 then. */
export function runbookList(context: CliContext): number {
  const loaded = shippedFolders(context.contentDir).map((folder) => {
    try {
      const { runbook, sha256, bytes } = load(folder);
      const { id, version, title, platform } = runbook;
      return { id, version, title, platform, class: classOfRunbook(runbook), sha256, size: bytes.length };
    } catch (error) {
      if (!isAgentError(error) || error.code === 'internal') throw error;
      const code: string = error.code;
      return { id: basename(folder), code };
    }
  });
  const runbooks = loaded.flatMap((one) => ('code' in one ? [] : [one]));
  const broken = loaded.flatMap((one) => ('code' in one ? [one] : []));
  print(context, 'runbook-list', { runbooks, broken }, () =>
    columns([
      ['RUNBOOK', 'VERSION', 'CLASS', 'SHA256', 'TITLE'],
      ...runbooks.map((one) => [one.id, String(one.version), one.class, one.sha256.slice(0, 16), one.title]),
      ...broken.map(({ id, code }) => [id, '-', '-', '-', `${code}: see compliance-agent runbook lint`]),
    ]),
  );
  return broken.length === 0 ? EXIT.ok : EXIT.usage;
}
