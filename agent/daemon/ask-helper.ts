// Asks one of the privileged helpers that heal: hands over, starts its unit, waits until it ended, reads its result.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { HelperAnswer, HelperRequest } from '../execution/appliance/appliance-run.ts';
import type { RunbookVerb } from '../execution/runbook.ts';
import { encodeHealRequest, type HealRequest, type HealVerb, type OrderedAct } from '../helpers/heal-request.ts';
import type { HelperResult } from '../helpers/helper-result.ts';
import { helperUnit } from '../helpers/verbs.ts';
import type { Exec, ExecResult, Ids, Log } from '../system/ports.ts';
import { helperResult, leaveForHelpers, type HelperFolders } from './helper-folders.ts';

/** Longer than the units of the helpers may take to start (nix/helpers.nix), so that systemd has the last word. */
const ACT_MS = 320_000;
const SHOW_MS = 10_000;
/** CLD_EXITED of sigaction(2). */
const EXITED = '1';
/** No program of ours ends with these. */
const FIRST_OF_SYSTEMD = 200;
const LAST_OF_SYSTEMD = 245;

export interface AskDeps {
  readonly folders: HelperFolders | null;
  readonly exec: Exec;
  readonly ids: Ids;
  readonly log: Log;
  readonly baseline: { readonly sha256: string; readonly bytes: Buffer };
  /** Who owns the results. Default root. */
  readonly rootUid?: number;
}

const absent = (code: Extract<HelperAnswer, { answer: 'absent' }>['code'], sentence: string): HelperAnswer => ({
  answer: 'absent',
  code,
  sentence,
});

/** The request as the helper reads it; null for what no helper does. */
export function healRequestOf(
  verb: RunbookVerb,
  request: HelperRequest,
  o: { readonly requestId: string; readonly baselineSha256: string },
): HealRequest | null {
  const common = { schema: 'compliance-agent/heal-request/v1', request_id: o.requestId } as const;
  if (request.step !== 'act') {
    return verb === 'restore-firewall' ? { ...common, verb, step: request.step, run: request.run } : null;
  }
  const { id, version } = request.loaded.runbook;
  const act = {
    ...common,
    runbook: { id, version, sha256: request.loaded.sha256 },
    baseline_sha256: o.baselineSha256,
    grounds: request.grounds,
  };
  const [what] = request.arguments;
  switch (verb) {
    case 'restart-unit':
      return what === 'av_edr' || what === 'log_forwarder' ? { ...act, verb, what } : null;
    case 'restore-firewall':
      return { ...act, verb, step: 'restore' };
    case 'run-backup':
    case 'restore-test':
      return { ...act, verb };
    case 'apply-update':
      return { ...act, verb };
  }
}

/** Throws the signal's reason, and defects. */
export async function askHelper(
  verb: RunbookVerb,
  request: HelperRequest,
  deps: AskDeps,
  signal: AbortSignal,
): Promise<HelperAnswer> {
  const { baseline } = deps;
  const asked = healRequestOf(verb, request, { requestId: deps.ids.uuidv7(), baselineSha256: baseline.sha256 });
  const files = request.step === 'act' ? { baseline: baseline.bytes, runbook: request.loaded.bytes } : {};
  return ask(asked, files, deps, signal);
}

/** Has an order of a kind of its own carried out: its signed line says everything. Throws the signal's reason, and defects. */
export function askByOrder(
  verb: OrderedAct['verb'],
  line: string,
  deps: Omit<AskDeps, 'baseline'>,
  signal: AbortSignal,
): Promise<HelperAnswer> {
  const schema = 'compliance-agent/heal-request/v1';
  return ask({ schema, request_id: deps.ids.uuidv7(), verb, order: line }, {}, deps, signal);
}

async function ask(
  asked: HealRequest | null,
  files: Readonly<Record<string, Buffer>>,
  deps: Omit<AskDeps, 'baseline'>,
  signal: AbortSignal,
): Promise<HelperAnswer> {
  const { folders, log } = deps;
  if (folders === null || asked === null) return absent('helper_not_installed', 'there is no such helper here');
  const { verb } = asked;
  const unit = helperUnit(verb);
  const before = await shown(unit, deps, signal);
  if (before === null || before['LoadState'] !== 'loaded') {
    return absent('helper_not_installed', 'systemd knows no unit of this helper');
  }
  leaveForHelpers(folders, 'request', encodeHealRequest(asked));
  for (const [name, bytes] of Object.entries(files)) leaveForHelpers(folders, name, bytes);
  try {
    log.info('helper asked', { unit, step: 'step' in asked ? asked.step : 'act' });
    const started = await systemctl(['start', '--no-ask-password', unit], ACT_MS, deps, signal);
    const result = helperResult(folders, verb, deps.rootUid);
    if (result !== null && result.details['request_id'] === asked.request_id) return answerOf(verb, result);
    const why = started.stderr.toString('utf8').trim().split('\n')[0] ?? '';
    log.warn('helper gave no answer', { unit, reason: why.slice(0, 300) });
    const after = await shown(unit, deps, signal);
    const isSame =
      after !== null && after['ExecMainStartTimestampMonotonic'] === before['ExecMainStartTimestampMonotonic'];
    return isSame || (after !== null && endedBeforeItsProgram(after))
      ? absent('helper_not_started', 'systemd did not start the unit of this helper')
      : { answer: 'silent', sentence: 'the helper left no result' };
  } finally {
    for (const name of ['request', ...Object.keys(files)]) rmSync(join(folders.dropDir, name), { force: true });
  }
}

function answerOf(verb: HealVerb, { outcome, code, sentence, details }: HelperResult): HelperAnswer {
  if (outcome === 'refused') return { answer: 'refused', code: code ?? 'internal', sentence };
  const run = details['run'];
  // A backup that is at work already goes on as if it had been started now.
  const answer = verb === 'run-backup' && outcome === 'unchanged' ? 'started' : outcome;
  return { answer, run: typeof run === 'string' ? run : null, sentence };
}

/** systemd made a process and could not prepare it for the program of the unit (systemd.exec(5), "Process Exit Codes"). */
function endedBeforeItsProgram({ ExecMainCode: code, ExecMainStatus: status }: Record<string, string>): boolean {
  const isExit = code === EXITED;
  return isExit && Number(status) >= FIRST_OF_SYSTEMD && Number(status) <= LAST_OF_SYSTEMD;
}

/** Properties of a unit; null where systemd cannot be asked. */
async function shown(
  unit: string,
  deps: Pick<AskDeps, 'exec'>,
  signal: AbortSignal,
): Promise<Record<string, string> | null> {
  const properties = '--property=LoadState,ExecMainStartTimestampMonotonic,ExecMainCode,ExecMainStatus';
  const { status, code, stdout } = await systemctl(['show', properties, unit], SHOW_MS, deps, signal);
  if (status !== 'exited' || code !== 0) return null;
  const lines = stdout.toString('utf8').trim().split('\n');
  return Object.fromEntries(
    lines.map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

async function systemctl(
  words: readonly string[],
  deadlineMs: number,
  { exec }: Pick<AskDeps, 'exec'>,
  signal: AbortSignal,
): Promise<ExecResult> {
  const result = await exec.run(['systemctl', ...words], { deadlineMs, signal });
  signal.throwIfAborted();
  return result;
}
