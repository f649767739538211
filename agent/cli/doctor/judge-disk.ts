// Is there room for evidence, and can it be written? Pure.
import type { DiskFacts } from '../../facts/disk.ts';
import type { Fact } from '../../facts/probe.ts';
import { notLookedAt, ok, problem, type StepId, type Verdict } from './verdict.ts';

/** Below this the write-ahead log and a day of evidence may not fit any more. */
export const MIN_FREE_MIB = 64;
/** From here on something fills the disk and will not stop by itself. */
export const MAX_USED_PERCENT = 95;

const unread = (fact: Fact<DiskFacts> & { status: 'unreadable' }, step: StepId): Verdict =>
  notLookedAt(`the file system could not be read (${fact.reason}: ${fact.detail})`, [step]);

export function judgeDisk(fact: Fact<DiskFacts>, stateDir: string): Verdict {
  if (fact.status === 'unreadable') return unread(fact, 'disk');
  const { state } = fact.value;
  if (state.readOnly) {
    return problem(
      {
        code: 'store_read_only',
        sentence: `the file system of ${stateDir} (${state.fsType}) is mounted read-only`,
        meaning: 'no evidence can be written, and the daemon does not start',
        remedy: 'look for disk errors (`journalctl -k`), then mount it writable: `mount -o remount,rw`',
      },
      { breaks: false },
    );
  }
  const shown = `${stateDir} (${state.fsType}): ${state.freeMib} of ${state.totalMib} MiB free, ${state.usedPercent} % used`;
  if (state.freeMib >= MIN_FREE_MIB && state.usedPercent < MAX_USED_PERCENT) return ok(shown);
  return problem(
    {
      code: 'disk_full',
      sentence: shown,
      meaning: 'when the disk is full no evidence can be written; nothing that was written is lost',
      remedy: 'find what fills it (`du -xh --max-depth=2 / | sort -h`), and free space',
    },
    { breaks: false },
  );
}

export function judgeInodes(fact: Fact<DiskFacts>, stateDir: string): Verdict {
  if (fact.status === 'unreadable') return unread(fact, 'inodes');
  const { inodesUsedPercent: used, fsType } = fact.value.state;
  if (used === null) return notLookedAt(`a ${fsType} has no fixed number of inodes`);
  if (used < MAX_USED_PERCENT) return ok(`${used} % of the inodes of ${stateDir} are used`);
  return problem(
    {
      code: 'inodes_exhausted',
      sentence: `${used} % of the inodes of ${stateDir} (${fsType}) are used`,
      meaning: 'soon no file can be made any more although space is free: status, database and log stop',
      remedy: 'find the folder with very many small files (`du -x --inodes / | sort -n | tail`), and empty it',
    },
    { breaks: false },
  );
}
