// `runbook show`: what a runbook reads, changes and may be told, in words; `--package` writes its one blob.
import { writeFileSync } from 'node:fs';
import { EXIT } from '../errors/exit-codes.ts';
import { AgentError } from '../errors/agent-error.ts';
import { classOfRunbook, scriptsOf, type Runbook } from '../execution/runbook.ts';
import type { CliContext } from './deps.ts';
import { findRunbook } from './find-runbook.ts';
import { print } from './print.ts';
import { columns, harmless } from './style.ts';

export function runbookShow(context: CliContext, idOrFolder: string, o: { readonly package?: string }): number {
  const { runbook, sha256, bytes } = findRunbook(context.contentDir, idOrFolder);
  const orderClass = classOfRunbook(runbook);
  if (o.package !== undefined) writeNew(o.package, bytes);
  const value = { ...runbook, class: orderClass, sha256, size: bytes.length, scripts: scriptsOf(runbook) };
  print(context, 'runbook', { runbook: value }, () => [
    `${runbook.id} version ${runbook.version}: ${harmless(runbook.title)}`,
    ...columns([
      ['class', orderClass],
      ['sha256', sha256],
      ['check', runbook.check],
      ['for', runbook.applies_if.role.join(', ')],
      ['risk', `${runbook.risk}, reboot: ${runbook.reboot}, dry run: ${runbook.dry_run}, window: ${runbook.window}`],
      ['remediate', remediation(runbook)],
      ['verify', `within ${runbook.verify.within_s} s, then stable for ${runbook.verify.stable_for_s} s`],
      ['rollback', rollback(runbook)],
      ['controls', runbook.controls.map(({ map, cite, role }) => `${map} ${cite} (${role})`).join(', ')],
    ]),
    ...listed('reads', runbook.reads),
    ...listed('changes', runbook.changes),
    ...listed(
      'preconditions',
      runbook.preconditions.map(({ fact, is, why }) => `${fact} is ${String(is)}: ${why}`),
    ),
    ...listed('params', Object.entries(runbook.params).map(paramLine)),
  ]);
  return EXIT.ok;
}

const remediation = ({ remediate }: Runbook): string =>
  remediate.by === 'none' ? `nothing by itself: ${remediate.reason}` : `by ${remediate.by}`;
const rollback = ({ rollback: back }: Runbook): string =>
  back.how === 'none' ? `none: ${back.reason}` : `by ${back.how}`;
const listed = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${harmless(line)}`)];

function paramLine([key, param]: [string, Runbook['params'][string]]): string {
  const range = param.type === 'integer' ? ` ${param.min}–${param.max}` : '';
  const values = param.type === 'choice' ? ` of ${param.values.join(', ')}` : '';
  return `${key}: ${param.type}${range}${values}, default ${JSON.stringify(param.default)}: ${param.why}`;
}

function writeNew(path: string, bytes: Buffer): void {
  try {
    writeFileSync(path, bytes, { flag: 'wx' });
  } catch (cause) {
    throw new AgentError('usage', 'the file exists already or cannot be written', { place: path, cause });
  }
}
