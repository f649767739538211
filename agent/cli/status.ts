// `status`: what the running daemon last said of itself, and the one reason that keeps it from its work.
import { AgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { readStatus, type AgentStatus, type EpochOpened, type LastBlocking } from '../system/status-file.ts';
import { nowSeconds, type CliContext } from './deps.ts';
import { anchoredRanges, type AnchoredRange } from '../verify/anchored-ranges.ts';
import { livenessOf, processExists, type Liveness } from './liveness.ts';
import { stateDirOf } from './open-state.ts';
import { print } from './print.ts';
import { rangeWords } from './range-words.ts';
import { targetCounts, targetRows } from './target-lines.ts';
import { ago, bytes, columns, duration, harmless, painter, resultColour, utc } from './style.ts';

const LIVENESS_SENTENCE: Readonly<Record<Exclude<Liveness, 'running'>, string>> = {
  stopped: 'The daemon was stopped',
  gone: 'The daemon is not running: its process is gone without a word',
  silent: 'The daemon does not answer: it has not written its status for too long',
};

const STATE_SENTENCE: Readonly<Record<AgentStatus['state'], string>> = {
  starting: 'starting',
  unprovisioned: 'not enrolled: no provisioning files were found yet',
  pending: 'waiting for somebody to confirm this appliance at Central Command',
  enrolled: 'enrolled',
  stopping: 'stopping',
  stopped: 'stopped',
};

/** As `evidence verify` says it, from what the daemon checked when it came in; null without a log. */
function rangesOf({ log, witnessed, timestamped }: AgentStatus): AnchoredRange[] | null {
  // A status file of an earlier version lacks what it did not know.
  const vouched = { witness: witnessed?.size ?? 0, timestamp: timestamped?.size ?? 0 };
  return log === null ? null : anchoredRanges(log.size, vouched);
}

function witnessLine(ranges: readonly AnchoredRange[], { witnessed, timestamped }: AgentStatus, now: number): string {
  const anchored = ranges.filter(({ range }) => range !== 'unanchored');
  if (anchored.length === 0) return 'unanchored: no entry is witnessed yet';
  const open = ranges.find(({ range }) => range === 'unanchored');
  const rest = open === undefined ? 'nothing unanchored' : `${open.to_seq - open.from_seq} unanchored`;
  const said = anchored.map((one) => {
    // The timestamp is the older of the two.
    const at = one.by.includes('timestamp') ? timestamped?.at : witnessed?.at;
    return `${rangeWords(one)} up to ${one.to_seq} entries ${ago(now, at ?? now)}`;
  });
  return [...said, rest].join(', ');
}

const EPOCH_SENTENCE: Readonly<Record<EpochOpened['status'], string>> = {
  unbound: 'PROVISIONAL, and Central Command has not answered yet',
  provisional: 'PROVISIONAL until people confirm it',
  confirmed: 'confirmed by people',
};

/** Why there is more than one log. */
function epochLines(epoch: AgentStatus['epoch'], now: number): string[][] {
  if (epoch === null) return [];
  const { number, status, since, cause, old_origin, own_size, witnessed_size } = epoch;
  const had = own_size === null ? 'could not be read' : `had ${own_size} entries here`;
  const seen = witnessed_size === null ? '' : `, ${witnessed_size} were witnessed`;
  return [
    ['epoch', `${number}, ${EPOCH_SENTENCE[status]}; opened ${ago(now, since)}`],
    ['because', harmless(`${cause}: the log ${old_origin} ${had}${seen}`)],
  ];
}

function identityLines(status: AgentStatus, now: number): string[][] {
  const rows: string[][] = [['state', STATE_SENTENCE[status.state]]];
  if (status.appliance_id !== null) {
    const where = `site ${status.site_id ?? '?'}, partner ${status.partner_id ?? '?'}, mode ${status.mode}`;
    rows.push(['appliance', `${status.appliance_id} (${where})`]);
  }
  if (status.fingerprint !== null) rows.push(['fingerprint', status.fingerprint]);
  const answer = status.last_answer_at === null ? 'no answer yet' : `last answer ${ago(now, status.last_answer_at)}`;
  rows.push(['central', `${status.central_url ?? 'address not known yet'}, ${answer}`]);
  const ranges = rangesOf(status);
  if (status.log !== null && ranges !== null) {
    const waiting = status.queue === null ? '' : `, ${status.queue.entries} waiting (${bytes(status.queue.bytes)})`;
    rows.push([
      'evidence',
      `${status.log.size} entries, ${status.stored_size ?? 0} stored at Central Command${waiting}`,
    ]);
    const pruned = status.pruned_below ?? 0;
    if (pruned > 0)
      rows.push(['pruned', `entries 0 to ${pruned - 1}: here as hashes, the lines are at Central Command`]);
    rows.push(...epochLines(status.epoch ?? null, now));
    rows.push(['origin', status.log.origin], ['witness', witnessLine(ranges, status, now)]);
  }
  if (status.upload_parked !== null) {
    const { code, sentence, until } = status.upload_parked;
    rows.push(['upload', `held back by ${code}: ${sentence} Next try ${ago(now, until)}.`]);
  }
  const version = (number: number | null): string => (number === null ? 'none' : String(number));
  rows.push([
    'trust',
    `root ${version(status.root_version)}, content ${version(status.content_version)}, policy ${version(status.policy_version)}`,
  ]);
  const targets = targetCounts(status.targets ?? []);
  if (targets !== null) rows.push(['targets', harmless(targets)]);
  if (status.healing_paused_until !== null) rows.push(['healing', `paused until ${utc(status.healing_paused_until)}`]);
  return rows;
}

/** When the present reason began, or what the last one was: the first question of whoever comes. */
function lastBlockingLines(last: LastBlocking | null, now: number): string[] {
  if (last === null) return [];
  if (last.until === null) return [`Blocked since ${utc(last.since)} (${ago(now, last.since)}).`];
  const length = last.until - last.since > 0 ? ` for ${duration(last.until - last.since)}` : '';
  return [harmless(`Last blocked ${ago(now, last.until)}${length}: ${last.sentence} (${last.code})`)];
}

function linesOf(status: AgentStatus, liveness: Liveness, context: CliContext): string[] {
  const now = nowSeconds(context);
  const paint = painter(context.stdout, context.env);
  const lines = [`compliance-agent ${harmless(status.agent_version)}, up ${duration(now - status.started_at)}`];
  if (liveness !== 'running') {
    lines[0] = `compliance-agent ${harmless(status.agent_version)}`;
    lines.push(paint('red', `${LIVENESS_SENTENCE[liveness]} (last status ${ago(now, status.written_at)}).`));
    lines.push('What follows is what it said last.');
  }
  if (status.blocking_reason === null) {
    if (liveness === 'running') lines.push(paint('green', 'Nothing keeps this appliance from its work.'));
  } else {
    const { code, sentence, remedy } = status.blocking_reason;
    lines.push(`${paint('red', 'Blocked')}: ${harmless(`${sentence} (${code}) — ${remedy}`)}`);
  }
  lines.push(...lastBlockingLines(status.last_blocking_reason ?? null, now));
  lines.push('', ...columns(identityLines(status, now)));
  if (status.findings.length > 0) {
    const rows = status.findings.map((one) => [one.check, one.target, one.result, one.sentence]);
    const colour = (text: string, column: number, row: number): string =>
      column === 2 ? paint(resultColour(rows[row]?.[2] ?? ''), text) : text;
    lines.push('', ...columns(rows, colour));
  }
  const waiting = targetRows(status.targets ?? []);
  if (waiting.length > 0) lines.push('', ...columns(waiting));
  const troubled = status.stages.filter((stage) => stage.last_error !== null);
  if (troubled.length > 0) {
    lines.push('');
    for (const stage of troubled) {
      const { code, sentence } = stage.last_error ?? { code: '', sentence: '' };
      const times = stage.failures_in_a_row === 1 ? 'once' : `${stage.failures_in_a_row} times in a row`;
      lines.push(harmless(`${stage.name} failed ${times}: ${code}: ${sentence} Next try in ${stage.next_in_s} s.`));
    }
  }
  if (status.warnings.length > 0)
    lines.push('', ...status.warnings.map((text) => paint('yellow', `warning: ${harmless(text)}`)));
  return lines;
}

/** Exit 3 when the daemon is not running; with `--exit-code` also 3 when blocked and 6 when a check found drift. */
export function status(context: CliContext, options: { exitCode?: boolean }): number {
  const dir = stateDirOf(context);
  const current = readStatus(dir);
  if (current === null) {
    throw new AgentError('daemon_not_running', 'no daemon ever ran with this state directory', { place: dir });
  }
  const liveness = livenessOf(current, nowSeconds(context), processExists(current.pid));
  print(context, 'status', { daemon: liveness, status: current, ranges: rangesOf(current) }, () =>
    linesOf(current, liveness, context),
  );
  if (liveness !== 'running') return EXIT.unavailable;
  if (options.exitCode !== true) return EXIT.ok;
  if (current.blocking_reason !== null) return EXIT.unavailable;
  return current.findings.some((one) => one.result === 'fail') ? EXIT.drift : EXIT.ok;
}
