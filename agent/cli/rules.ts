// `rules list | lint | test`: the healing rules that are there, whether they are right, and which of them would fire for what was seen.
import { statSync } from 'node:fs';
import type { AgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { loadRules, type LoadedRules } from '../healing/load-rules.ts';
import { readRuleFile, readRules, readRunbooks } from '../healing/read-rules.ts';
import { indexRules } from '../healing/rule-index.ts';
import { whyNotUsable } from '../healing/rule-standing.ts';
import { join } from 'node:path';
import type { Runbook } from '../execution/runbook.ts';
import type { Rule } from '../healing/rule.ts';
import { nowSeconds, type CliContext } from './deps.ts';
import { print } from './print.ts';
import { recordedFindings } from './recorded-findings.ts';
import { columns, painter, utc } from './style.ts';

/** A folder's rules, or those of one file. */
function rulesAt(path: string): LoadedRules {
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch {
    isFolder = false;
  }
  return isFolder ? readRules(path) : loadRules([readRuleFile(path)]);
}

const shippedAt = (context: CliContext): string => join(context.contentDir, 'rules');

const shown = (error: AgentError) => ({ code: error.code, place: error.place ?? null, sentence: error.message });

function described(rule: Rule, runbooks: ReadonlyMap<string, Runbook>) {
  const { id, version, platform, when, runbook, priority, source, title } = rule.file;
  return {
    ...{ id, version, platform, check: when.check, runbook: runbook ?? null, priority, source, title },
    sha256: rule.sha256,
    place: rule.place,
    not_usable: whyNotUsable(rule, runbooks),
  };
}

const refusedLines = (refused: readonly AgentError[]): string[] =>
  refused.map((error) => `refused ${error.place ?? ''}: ${error.message}`);

/** The rules of a folder (those that are shipped, unless one is named), in the order in which they are tried. */
export function rulesList(context: CliContext, dir: string | undefined): number {
  const { rules, refused } = rulesAt(dir ?? shippedAt(context));
  const runbooks = readRunbooks(context.contentDir);
  const rows = rules
    .map((rule) => described(rule, runbooks))
    .toSorted(
      (a, b) =>
        a.platform.localeCompare(b.platform) ||
        a.check.localeCompare(b.check) ||
        b.priority - a.priority ||
        a.id.localeCompare(b.id),
    );
  const paint = painter(context.stdout, context.env);
  print(context, 'rules-list', { rules: rows, refused: refused.map(shown) }, () => [
    ...(rows.length === 0 ? ['no rules'] : []),
    ...columns(
      rows.map((row) => [
        row.platform,
        row.check,
        row.id,
        row.runbook ?? 'alert',
        row.not_usable === null ? row.title : `${row.title} (not usable: ${row.not_usable})`,
      ]),
      (text, column, row) => (column === 4 && rows[row]?.not_usable !== null ? paint('yellow', text) : text),
    ),
    ...refusedLines(refused).map((line) => paint('red', line)),
  ]);
  return EXIT.ok;
}

/** Every mistake in the files; exit 2 where there is one. What is not usable here and no mistake is said as well. */
export function rulesLint(context: CliContext, paths: readonly string[]): number {
  const loaded = (paths.length === 0 ? [shippedAt(context)] : paths).map(rulesAt);
  const rules = loaded.flatMap((part) => part.rules);
  const refused = loaded.flatMap((part) => part.refused);
  const runbooks = readRunbooks(context.contentDir);
  const rows = rules.map((rule) => described(rule, runbooks));
  print(context, 'rules-lint', { valid: refused.length === 0, rules: rows, refused: refused.map(shown) }, () => [
    ...rows.map(
      (row) => `${row.place}: no mistakes${row.not_usable === null ? '' : `; not usable: ${row.not_usable}`}`,
    ),
    ...refusedLines(refused),
  ]);
  return refused.length === 0 ? EXIT.ok : EXIT.usage;
}

/**
 * Holds the rules of a file or folder against recorded findings: those of the local log, or of a file. Nothing is run.
 *
 * @throws rule_invalid where the file is one rule with mistakes
 */
export async function rulesTest(context: CliContext, path: string, options: { findings?: string }): Promise<number> {
  const { rules, refused } = rulesAt(path);
  const [only] = refused;
  if (rules.length === 0 && only !== undefined) throw only;
  const index = indexRules(rules);
  const findings = await recordedFindings(context, options.findings ?? null);
  const now = nowSeconds(context);
  const rows = findings.map(({ subject, target, seq }) => {
    const taken = index.match(subject, now);
    return {
      seq,
      target,
      ...{ check: subject.check, result: subject.result, read_at: subject.readAt },
      taken: taken?.file.id ?? null,
      runbook: taken?.file.runbook ?? null,
      rules: index.explain(subject, now).map(({ rule, fires, because }) => ({ id: rule.file.id, fires, because })),
    };
  });
  const paint = painter(context.stdout, context.env);
  print(context, 'rules-test', { findings: rows, refused: refused.map(shown) }, () => [
    ...(rows.length === 0 ? ['no findings to hold the rules against'] : []),
    ...rows.flatMap((row) => [
      `${row.seq === null ? '' : `#${row.seq} `}${row.check} on ${row.target}: ${row.result}, read ${utc(row.read_at)}`,
      ...(row.rules.length === 0 ? ['  no rule is for this check'] : []),
      ...row.rules.map(({ id, fires, because }) => {
        const word =
          id === row.taken ? paint('green', 'fires') : fires ? 'fires, and another is taken' : 'does not fire';
        return `  ${id}: ${word}: ${because}`;
      }),
    ]),
    ...refusedLines(refused).map((line) => paint('red', line)),
  ]);
  return EXIT.ok;
}
