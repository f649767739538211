// Can the daemon use its files, and can nobody else use its secrets? Judged by modes and owners, whoever runs the doctor. Pure.
import type { ErrorCode } from '../../errors/codes.ts';
import { secretFileProblem } from '../../system/files.ts';
import type { FileLook, FilesReading } from './read-files.ts';
import { notLookedAt, ok, problem, problemsOr, type Problem, type Verdict } from './verdict.ts';

const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(4, '0');
const there = (file: FileLook): boolean => file.kind !== 'missing' && file.kind !== 'denied';

const said = (code: ErrorCode, sentence: string, meaning: string, remedy: string): Problem => ({
  code,
  sentence,
  meaning,
  remedy,
});

const STOPS = 'the daemon cannot start or cannot keep evidence';

/** @param enrolled null where that is not known: then nothing is said about what only an enrolled appliance has */
export function judgeFiles(reading: FilesReading, enrolled: boolean | null): Verdict {
  const { stateDir: dir } = reading;
  if (dir.kind === 'denied')
    return notLookedAt(`this user may not look into ${dir.path}; run it as root`, ['permissions']);
  if (dir.kind === 'missing') {
    return problem(
      said(
        'file_missing',
        `the state directory ${dir.path} does not exist`,
        'the daemon never ran here, or its disk is not mounted',
        'start the daemon once (it makes the directory), mount the disk, or correct state_dir',
      ),
    );
  }
  if (dir.kind !== 'directory') {
    return problem(said('file_failed', `${dir.path} is no directory`, STOPS, 'move it away, or correct state_dir'));
  }
  const denied = [reading.keyDir, ...reading.keys, ...reading.written].some((file) => file.kind === 'denied');
  if (denied) return notLookedAt(`this user may not look into ${dir.path}; run it as root`);
  const problems = [
    ...directoryProblems(dir),
    ...ownerProblems(reading),
    ...keyProblems(reading, enrolled),
    ...provisionProblems(reading, enrolled),
  ];
  const keys = reading.keys.filter(there).length;
  const fine = keys === 0 ? 'no keys were made yet' : `its ${keys} keys are closed to others`;
  return problemsOr(problems, ok(`${dir.path} belongs to user id ${dir.uid}, and ${fine}`), { breaks: false });
}

function directoryProblems(dir: FileLook): Problem[] {
  const problems: Problem[] = [];
  if ((dir.mode & 0o022) !== 0) {
    problems.push(
      said(
        'file_permissions',
        `the state directory ${dir.path} can be changed by others (mode ${octal(dir.mode)})`,
        'other users of this machine could replace the database or the keys',
        `chmod 750 ${dir.path}`,
      ),
    );
  }
  if ((dir.mode & 0o700) !== 0o700) {
    problems.push(
      said(
        'store_read_only',
        `the owner of the state directory ${dir.path} may not use it (mode ${octal(dir.mode)})`,
        STOPS,
        `chmod 750 ${dir.path}`,
      ),
    );
  }
  return problems;
}

/** The daemon runs as the owner of its directory: a file of somebody else came from a run as another user. */
function ownerProblems({ stateDir, keyDir, keys, written }: FilesReading): Problem[] {
  return [keyDir, ...keys, ...written]
    .filter((file) => there(file) && file.uid !== stateDir.uid)
    .map((file) =>
      said(
        'store_read_only',
        `${file.path} belongs to user id ${file.uid}, the state directory to ${stateDir.uid}`,
        'the daemon, which runs as the owner of the directory, cannot read or write it',
        `chown ${stateDir.uid}:${stateDir.gid} ${file.path}`,
      ),
    );
}

function keyProblems({ stateDir, keyDir, keys }: FilesReading, enrolled: boolean | null): Problem[] {
  const exposed = keys.filter(there).flatMap((key) => {
    const why =
      key.kind === 'file'
        ? secretFileProblem(key, { ownUid: stateDir.uid, isSystemdCredential: false })
        : 'it is no plain file';
    // Another owner is said once, above.
    if (why === null || (key.uid !== stateDir.uid && (key.mode & 0o077) === 0)) return [];
    return [
      said(
        'key_permissions',
        `the key ${key.path} is not safe: ${why}`,
        'the daemon refuses to start with it; whoever read it can sign as this appliance',
        `chmod 600 ${key.path}; if others may have read it, have the appliance enrolled anew`,
      ),
    ];
  });
  const missing = enrolled === true ? keys.filter((key) => key.kind === 'missing') : [];
  return [
    ...exposed,
    ...missing.map((key) =>
      said(
        'key_unreadable',
        `the key ${key.path} is missing, although this appliance is enrolled`,
        `without it (in ${keyDir.path}) nothing can be signed and Central Command does not know this machine`,
        'put the file back from a backup, or have the appliance enrolled anew',
      ),
    ),
  ];
}

function provisionProblems({ stateDir, clinic }: FilesReading, enrolled: boolean | null): Problem[] {
  // Once it is used, the token is overwritten; a stick's FAT has no owners and shows everything as open.
  if (enrolled !== false || clinic.kind !== 'file') return [];
  const problems: Problem[] = [];
  if (
    (clinic.mode & 0o444) !== 0o444 &&
    clinic.uid !== stateDir.uid &&
    clinic.gid !== stateDir.gid &&
    stateDir.uid !== 0
  ) {
    problems.push(
      said(
        'file_denied',
        `${clinic.path} belongs to user id ${clinic.uid} and is closed (mode ${octal(clinic.mode)})`,
        'the daemon cannot read it and does not enrol',
        `chown ${stateDir.uid} ${clinic.path}`,
      ),
    );
  }
  if ((clinic.mode & 0o022) !== 0) {
    problems.push(
      said(
        'file_permissions',
        `${clinic.path} can be changed by others (mode ${octal(clinic.mode)})`,
        'whoever changes it decides which Central Command this appliance obeys',
        `chmod 600 ${clinic.path}`,
      ),
    );
  }
  return problems;
}
