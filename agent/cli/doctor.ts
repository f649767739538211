// `doctor`: looks for what keeps the appliance from its work, from the configuration up to Central Command's answer. It
// changes nothing, here or anywhere; it works enrolled or not, and whether the daemon runs or does not.
import { AgentError } from '../errors/agent-error.ts';
import { CODES } from '../errors/codes.ts';
import { EXIT } from '../errors/exit-codes.ts';
import type { CliContext } from './deps.ts';
import { parseNameServer } from './doctor/name-servers.ts';
import { runSteps, type StepResult } from './doctor/run-steps.ts';
import { doctorSteps } from './doctor/steps.ts';
import type { Problem } from './doctor/verdict.ts';
import { print } from './print.ts';
import { harmless, painter, type Colour } from './style.ts';

const HTTP_PORT = 80;
/** A run that takes longer shows which steps are over. */
const PROGRESS_AFTER_MS = 1_000;

const LABEL = { ok: 'ok', problem: 'problem', not_looked_at: 'skipped' } as const;
const COLOUR: Readonly<Record<keyof typeof LABEL, Colour>> = { ok: 'green', problem: 'red', not_looked_at: 'dim' };
const ID_WIDTH = 13;
const LABEL_WIDTH = 9;
const INDENT = ' '.repeat(LABEL_WIDTH + ID_WIDTH);

export const problemsOf = (results: readonly StepResult[]): Problem[] =>
  results.flatMap(({ verdict }) => (verdict.state === 'problem' ? [...verdict.problems] : []));

/** The exit code of the most basic problem, 0 without one. Pure. */
export function exitOf(results: readonly StepResult[]): number {
  const first = problemsOf(results)[0];
  return first === undefined ? EXIT.ok : CODES[first.code].exit;
}

/** @param options.portalPort where plain HTTP is tried, for tests */
export async function doctor(
  context: CliContext,
  options: { resolver?: string },
  portalPort = HTTP_PORT,
): Promise<number> {
  const resolver = options.resolver === undefined ? null : parseNameServer(options.resolver);
  if (options.resolver !== undefined && resolver === null) {
    throw new AgentError('usage', '--resolver must be an address, with or without a port', {
      remedy: 'for example 192.168.1.1, 192.168.1.1:53 or [2001:db8::1]:53',
    });
  }
  const startedMs = context.clock.monoMs();
  let over = 0;
  const steps = doctorSteps(context, { resolver, portalPort });
  const results = await runSteps(steps, context.clock, ({ id }) => {
    over += 1;
    if (context.stderr.isTTY && context.clock.monoMs() - startedMs > PROGRESS_AFTER_MS) {
      context.stderr.write(`\r${over} of ${steps.length} steps (${id})\u001b[K`);
    }
  });
  if (context.stderr.isTTY) context.stderr.write('\r\u001b[K');
  const problems = problemsOf(results);
  const value = {
    problems: problems.length,
    steps: results.map(({ id, verdict, ms }) => ({
      step: id,
      state: verdict.state,
      sentence: sentenceOf(verdict),
      problems: verdict.state === 'problem' ? verdict.problems : [],
      notes: verdict.state === 'not_looked_at' ? [] : (verdict.notes ?? []),
      needs: verdict.state === 'not_looked_at' ? verdict.needs.filter((need) => need !== id) : [],
      ms,
    })),
  };
  print(context, 'doctor', value, () => [
    ...results.flatMap((result) => linesOf(result, context)),
    '',
    lastLine(problems, results, context),
  ]);
  return exitOf(results);
}

function sentenceOf(verdict: StepResult['verdict']): string {
  switch (verdict.state) {
    case 'ok':
      return verdict.sentence;
    case 'problem':
      return verdict.problems[0].sentence;
    case 'not_looked_at':
      return `not looked at because ${verdict.because}`;
  }
}

function linesOf({ id, verdict }: StepResult, context: CliContext): string[] {
  const paint = painter(context.stdout, context.env);
  const label = paint(COLOUR[verdict.state], LABEL[verdict.state].padEnd(LABEL_WIDTH));
  const head = (text: string): string => harmless(text);
  const notes =
    verdict.state === 'not_looked_at'
      ? []
      : (verdict.notes ?? []).map((note) => `${INDENT}${harmless(`note: ${note}`)}`);
  if (verdict.state !== 'problem') {
    const text =
      verdict.state === 'ok'
        ? verdict.sentence
        : verdict.because.startsWith('it needs ')
          ? `needs ${verdict.needs.join(', ')}`
          : verdict.because;
    return [`${label}${id.padEnd(ID_WIDTH)}${head(text)}`, ...notes];
  }
  const lines = verdict.problems.flatMap((one, index) => [
    `${index === 0 ? `${label}${id.padEnd(ID_WIDTH)}` : INDENT}${head(one.sentence)} (${one.code})`,
    `${INDENT}${harmless(`means: ${one.meaning}`)}`,
    `${INDENT}${harmless(`do: ${one.remedy}`)}`,
  ]);
  return [...lines, ...notes];
}

function lastLine(problems: readonly Problem[], results: readonly StepResult[], context: CliContext): string {
  const paint = painter(context.stdout, context.env);
  const skipped = results.filter(({ verdict }) => verdict.state === 'not_looked_at').length;
  const left = skipped === 0 ? '' : ` ${skipped} steps were not looked at.`;
  const [first] = problems;
  if (first === undefined) return `${paint('green', 'No problem was found.')}${left}`;
  const count = problems.length === 1 ? 'One problem was found' : `${problems.length} problems were found`;
  return `${paint('red', `${count}; begin with the first one.`)}${left}`;
}
