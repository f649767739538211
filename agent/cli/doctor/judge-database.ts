// Does the database hold together? Pure.
import { CODES } from '../../errors/codes.ts';
import type { Read } from './read-database.ts';
import { notLookedAt, ok, problem, quoted, type Verdict } from './verdict.ts';

export function judgeDatabase(check: Read<string>): Verdict {
  if (check.ok) {
    if (check.value === 'ok') return ok('SQLite reads every page of it and finds nothing wrong');
    return problem(
      {
        code: 'store_corrupt',
        sentence: `the database is damaged: ${quoted(check.value)}`,
        meaning: 'the daemon stops at its next start; entries that Central Command has stored are safe there',
        remedy: CODES.store_corrupt.remedy,
      },
      { breaks: false },
    );
  }
  if (check.code === 'store_missing') return notLookedAt('the daemon has made no database here yet');
  if (check.code === 'timeout') {
    return notLookedAt(`${check.sentence}: it is very large or its disk is very slow`, ['database']);
  }
  if (check.code === 'file_denied') return notLookedAt('this user may not read it; run it as root', ['database']);
  return problem(
    {
      code: check.code,
      sentence: `the database cannot be used: ${quoted(check.sentence)}`,
      meaning: 'the daemon cannot start with it',
      remedy: check.remedy,
    },
    { breaks: false },
  );
}
