// Documents that are generated from source, whole or between two markers; `--check` compares instead of writing.
import { readFileSync, writeFileSync } from 'node:fs';

/** Cell of a markdown table: no line may break and no bar may end it. */
export const cell = (text: string): string => text.replace(/\s*\n\s*/g, ' ').replaceAll('|', '\\|');

/** A markdown table. The formatter leaves it alone: padding every row to the widest would change all lines for one. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  const lines = [line(head), line(head.map(() => '---')), ...rows.map(line)];
  return ['<!-- prettier-ignore-start -->', '', ...lines, '', '<!-- prettier-ignore-end -->'].join('\n');
}

/** `document` with what stands between `<!-- name -->` and `<!-- /name -->` replaced by `text`. */
export function replaceBetween(document: string, name: string, text: string): string {
  const open = `<!-- ${name} -->`;
  const close = `<!-- /${name} -->`;
  const start = document.indexOf(open);
  const end = document.indexOf(close);
  if (start < 0 || end < start) throw new Error(`the document lacks the markers ${open} and ${close}`);
  return `${document.slice(0, start + open.length)}\n\n${text}\n\n${document.slice(end)}`;
}

/** Writes `text` to `file`, or with `--check` on the command line sets a failing exit code when it differs. */
export function writeOrCheck(file: URL, text: string, argv: readonly string[]): void {
  if (!argv.includes('--check')) {
    writeFileSync(file, text);
    return;
  }
  if (readFileSync(file, 'utf8') === text) return;
  const name = file.pathname.split('/').slice(-2).join('/');
  console.error(`${name} is stale: run node ${argv[1]?.split('/').slice(-2).join('/') ?? 'the generator'}`);
  process.exitCode = 1;
}
