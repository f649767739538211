// Holds docs/proof.md against what the test runs reported: a promise is proven only by a named test that ran and passed.
// Usage: node tools/proof.ts [--local] [--ledger FILE] 'npm test=results.json' 'test:system=results.json'
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const SUITES = ['npm test', 'test:system'] as const;
export type Suite = (typeof SUITES)[number];

/** One test as tools/results-reporter.ts writes it. */
export interface TestResult {
  readonly file: string;
  /** The last part of the name, as in the source. */
  readonly name: string;
  /** Groups and name, joined by ` > `. */
  readonly fullName: string;
  readonly state: 'passed' | 'failed' | 'skipped' | 'pending';
  /** For `skipped`: what the test gave as its reason, or null. */
  readonly reason: string | null;
  /** Milliseconds that it took. */
  readonly ms?: number;
}

export interface LedgerRow {
  readonly line: number;
  readonly promise: string;
  /** Names of tests; `…` inside one stands for any text, for tables of cases. */
  readonly tests: readonly string[];
  readonly suite: string;
  readonly state: string;
}

export interface ProofVerdict {
  /** `line: what is wrong`; empty when the ledger holds. */
  readonly problems: readonly string[];
  readonly proven: number;
  readonly open: number;
  /** Rows whose tests were skipped for a given reason; allowed in local mode only. */
  readonly skipped: readonly string[];
}

/** Against servers of other people that may stand beside the repository, and are found by an environment variable. */
const INTEROP = /^test\/interop\//;

const HEAD = ['promise', 'test', 'suite', 'state'];

function cellsOf(line: string): string[] {
  return line
    .trim()
    .replace(/^\||(?<!\\)\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
}

const unquoted = (text: string): string =>
  text
    .trim()
    .replace(/^`(.*)`$/, '$1')
    .trim();

/** Rows of every `| promise | test | suite | state |` table in `markdown`. A malformed row is kept and judged later. */
export function readLedger(markdown: string): LedgerRow[] {
  const rows: LedgerRow[] = [];
  let inTable = false;
  markdown.split(/\r?\n/).forEach((text, index) => {
    if (!text.trimStart().startsWith('|')) {
      inTable = false;
      return;
    }
    const cells = cellsOf(text);
    if (HEAD.every((name, at) => cells[at]?.toLowerCase() === name)) inTable = true;
    else if (inTable && !cells.every((cell) => /^:?-+:?$/.test(cell))) {
      const [promise = '', test = '', suite = '', ...state] = cells;
      rows.push({
        line: index + 1,
        promise,
        tests: test
          .split(/<br ?\/?>/)
          .map(unquoted)
          .filter((name) => name !== '' && name !== '–' && name !== '-'),
        suite: unquoted(suite),
        state: state.join('|'),
      });
    }
  });
  return rows;
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function matchesOf(name: string, results: readonly TestResult[]): TestResult[] {
  const pattern = new RegExp(`^${name.split('…').map(escaped).join('.*')}$`, 's');
  return results.filter((test) => pattern.test(test.name) || pattern.test(test.fullName));
}

/** What is wrong with one named test of a `proven` row, or null; `skipped` with the reason where that is allowed. */
function judgeTest(
  name: string,
  results: readonly TestResult[],
  maySkip: (test: TestResult) => boolean,
): { problem: string } | { skipped: string } | null {
  const matches = matchesOf(name, results);
  if (matches.length === 0) return { problem: `the test "${name}" did not run` };
  if (matches.length > 1 && !name.includes('…')) {
    return {
      problem: `the name "${name}" stands for ${matches.length} tests (${matches.map((m) => m.file).join(', ')})`,
    };
  }
  const failed = matches.find((test) => test.state === 'failed' || test.state === 'pending');
  if (failed !== undefined) return { problem: `the test "${failed.fullName}" did not pass` };
  const all = matches.filter((test) => test.state === 'skipped');
  const skipped = all.find((test) => test.reason === null || !maySkip(test)) ?? all[0];
  if (skipped === undefined) return null;
  if (skipped.reason === null) return { problem: `the test "${skipped.fullName}" was skipped without a reason` };
  if (!maySkip(skipped)) return { problem: `the test "${skipped.fullName}" was skipped: ${skipped.reason}` };
  return { skipped: `${skipped.fullName}: ${skipped.reason}` };
}

/**
 * Judges the ledger. `results` holds one list per suite that ran; a row of a suite that did not run is a problem. In local
 * mode tests of test:system may be skipped, each with its reason; those of test/interop always may.
 */
export function judgeLedger(
  rows: readonly LedgerRow[],
  results: ReadonlyMap<string, readonly TestResult[]>,
  options: { readonly local: boolean },
): ProofVerdict {
  const problems: string[] = [];
  const skipped: string[] = [];
  const seen = new Set<string>();
  let proven = 0;
  let open = 0;
  if (rows.length === 0) problems.push('1: the ledger has no rows');
  for (const row of rows) {
    const say = (problem: string): void => void problems.push(`${row.line}: ${problem}`);
    if (row.promise === '') say('the row promises nothing');
    if (seen.has(row.promise)) say(`"${row.promise}" is promised twice`);
    seen.add(row.promise);
    if (/^open: \S/.test(row.state)) {
      open += 1;
      continue;
    }
    if (row.state !== 'proven') {
      say(`the state is "${row.state}", neither \`proven\` nor \`open: why\``);
      continue;
    }
    if (row.tests.length === 0) say('is `proven` and names no test');
    const suite = SUITES.find((name) => name === row.suite);
    if (suite === undefined) {
      say(`"${row.suite}" is none of the suites ${SUITES.join(', ')}`);
      continue;
    }
    const ran = results.get(suite);
    if (ran === undefined) {
      say(`the suite ${suite} did not run`);
      continue;
    }
    const before = problems.length;
    const maySkip = (test: TestResult): boolean =>
      suite === 'test:system' && (options.local || INTEROP.test(test.file));
    for (const name of row.tests) {
      const verdict = judgeTest(name, ran, maySkip);
      if (verdict !== null && 'problem' in verdict) say(verdict.problem);
      else if (verdict !== null) skipped.push(verdict.skipped);
    }
    if (problems.length === before && row.tests.length > 0) proven += 1;
  }
  return { problems, proven, open, skipped };
}

/** Reads the command line, prints the verdict and returns the exit code. */
function main(argv: readonly string[]): number {
  const rest = argv.filter((arg) => arg !== '--local');
  const at = rest.indexOf('--ledger');
  const ledger = at < 0 ? 'docs/proof.md' : (rest.splice(at, 2)[1] ?? '');
  const results = new Map<string, TestResult[]>();
  for (const arg of rest) {
    const split = arg.indexOf('=');
    if (split < 0) {
      console.error(`usage: node tools/proof.ts [--local] [--ledger FILE] 'npm test=FILE' 'test:system=FILE'`);
      return 2;
    }
    results.set(arg.slice(0, split), JSON.parse(readFileSync(arg.slice(split + 1), 'utf8')) as TestResult[]);
  }
  const verdict = judgeLedger(readLedger(readFileSync(ledger, 'utf8')), results, { local: argv.includes('--local') });
  for (const problem of verdict.problems) console.error(`${ledger}:${problem}`);
  for (const skip of verdict.skipped) console.log(`skipped ${skip}`);
  console.log(`proof: ${verdict.proven} proven, ${verdict.open} open, ${verdict.problems.length} problems`);
  return verdict.problems.length === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.slice(2));
