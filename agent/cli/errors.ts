// `errors [CODE]`: what a code means and what to do about it.
import { AgentError } from '../errors/agent-error.ts';
import type { CodeInfo } from '../errors/code-info.ts';
import { CODES } from '../errors/codes.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { closestName } from '../errors/closest-name.ts';
import type { CliContext } from './deps.ts';
import { print } from './print.ts';
import { columns } from './style.ts';

const TABLE: Readonly<Record<string, CodeInfo>> = CODES;

export function errors(context: CliContext, code: string | undefined): number {
  if (code === undefined) {
    const rows = Object.entries(TABLE).toSorted(([a], [b]) => (a < b ? -1 : 1));
    print(context, 'errors', { errors: rows.map(([name, info]) => ({ code: name, ...info })) }, () =>
      columns(rows.map(([name, info]) => [name, info.when])),
    );
    return EXIT.ok;
  }
  const info = Object.hasOwn(TABLE, code) ? TABLE[code] : undefined;
  if (info === undefined) {
    const close = closestName(code, Object.keys(TABLE));
    throw new AgentError('error_code_unknown', `there is no error code "${code}"`, {
      ...(close === null ? {} : { remedy: `did you mean ${close}?` }),
    });
  }
  print(context, 'errors', { errors: [{ code, ...info }] }, () => [
    code,
    ...columns([
      ['  when', info.when],
      ['  remedy', info.remedy],
      ['  exit', String(info.exit)],
      ['  retry', info.retryable ? 'may succeed later by itself' : 'needs somebody to change something'],
    ]),
  ]);
  return EXIT.ok;
}
