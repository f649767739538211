// What the small acts of healing do, once they may: restart a declared service, start the declared backup, try a restore.
import { createHash } from 'node:crypto';
import { createReadStream, realpathSync } from 'node:fs';
import type { LoadedBaseline } from '../checks/baseline.ts';
import { watchOf } from '../checks/watch.ts';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { proveJob } from '../facts/jobs.ts';
import type { JobRun } from '../facts/job-result.ts';
import type { Clock, Exec } from '../system/ports.ts';
import { backupUnit, notDeclared, unitToRestart } from './declared-units.ts';
import type { Restartable } from './heal-request.ts';
import { readUnit, unitJob } from './unit-of-systemd.ts';

/** What came of an act; details as in a result. */
export interface Acted {
  readonly outcome: 'done' | 'unchanged' | 'started';
  readonly sentence: string;
  readonly details: Readonly<Record<string, string | number>>;
}

/** The declared program, links resolved, whose bytes are the declared ones. @throws helper_not_declared, helper_binary_differs */
async function declaredProgram({ checks }: LoadedBaseline): Promise<string> {
  if (checks.av_edr?.expected !== 'declared') throw notDeclared('protection against malware');
  const { binary, binary_sha256 } = checks.av_edr;
  if (binary_sha256 === 'none') throw notDeclared('digest of the program');
  const hash = createHash('sha256');
  let path: string;
  try {
    path = realpathSync(binary);
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new AgentError('helper_binary_differs', `the program cannot be read (${code})`, {
      place: binary,
      cause: error,
    });
  }
  if (hash.digest('hex') === binary_sha256) return path;
  throw new AgentError('helper_binary_differs', 'the program is not the declared one', { place: binary });
}

/** @throws helper_not_declared, helper_binary_differs, helper_unit_refused, helper_act_failed */
export async function restartUnit(exec: Exec, baseline: LoadedBaseline, what: Restartable): Promise<Acted> {
  const unit = unitToRestart(baseline, what);
  const program = what === 'av_edr' ? await declaredProgram(baseline) : null;
  await readUnit(exec, unit, program);
  // A service that failed too often is not started again without it; where it has not failed, there is nothing to reset.
  await unitJob(exec, 'reset-failed', unit).catch((error: unknown) => {
    if (!isAgentError(error)) throw error;
  });
  await unitJob(exec, 'restart', unit);
  const { activeState, result } = await readUnit(exec, unit, program);
  if (activeState !== 'active') {
    throw new AgentError('helper_act_failed', `the service was restarted and is ${activeState} (${result})`, {
      place: unit,
    });
  }
  return { outcome: 'done', sentence: `${unit} was restarted and is active.`, details: { unit } };
}

/** A backup takes its time: it is started, and only a later look sees a new snapshot. @throws as {@link restartUnit} */
export async function startBackup(exec: Exec, baseline: LoadedBaseline): Promise<Acted> {
  const unit = backupUnit(baseline);
  const { activeState } = await readUnit(exec, unit, null);
  if (activeState !== 'inactive' && activeState !== 'failed') {
    return { outcome: 'unchanged', sentence: `${unit} is at work already.`, details: { unit } };
  }
  await unitJob(exec, 'start', unit, '--no-block');
  return { outcome: 'started', sentence: `${unit} was started.`, details: { unit } };
}

/** Of each of restic's steps; the unit gives up a little later. */
const RESTORE_STEP_MS = 20 * 60_000;

/**
 * Restores the declared path of the newest snapshot into a private folder and compares. What it proved or disproved stands in the
 * details: a restore that failed is a finding and no failure of this helper.
 *
 * @throws helper_not_declared
 */
export async function testRestore(exec: Exec, clock: Pick<Clock, 'wallMs'>, baseline: LoadedBaseline): Promise<Acted> {
  const context = {
    exec,
    clock,
    stateDir: '/nonexistent',
    keyFiles: [],
    pid: process.pid,
    deadlineMs: RESTORE_STEP_MS,
  };
  const run = await proveJob('backup-restore-test', { ...context, watch: watchOf(baseline) }, RESTORE_STEP_MS);
  if (run === null) throw notDeclared('backup');
  return { outcome: 'done', sentence: `The restore test is ${run.outcome}.`, details: detailsOf(run) };
}

const COUNT = 'count_';

function detailsOf({ outcome, reason, subject, started_at, finished_at, counts }: JobRun): Acted['details'] {
  return {
    test: outcome,
    ...(reason === null ? {} : { reason }),
    ...(subject === null ? {} : { repository: subject }),
    started_at,
    finished_at,
    ...Object.fromEntries(Object.entries(counts).map(([name, n]) => [`${COUNT}${name}`, n])),
  };
}

/** The job's run out of a result of `restore-test`, for the check `backup` to see; null where it holds none. */
export function restoreTestRun(result: { readonly verb: string; readonly details: Acted['details'] }): JobRun | null {
  const { test, reason, repository, started_at, finished_at, ...rest } = result.details;
  const isRun = test === 'proven' || test === 'disproven' || test === 'inconclusive';
  if (result.verb !== 'restore-test' || !isRun) return null;
  const counts = Object.entries(rest).filter(([name, n]) => name.startsWith(COUNT) && typeof n === 'number');
  return {
    outcome: test,
    reason: typeof reason === 'string' ? reason : null,
    subject: typeof repository === 'string' ? repository : null,
    started_at: Number(started_at),
    finished_at: Number(finished_at),
    counts: Object.fromEntries(counts.map(([name, n]) => [name.slice(COUNT.length), Number(n)])),
  };
}
