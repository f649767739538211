import { describe, expect, it } from 'vitest';
import { fileError } from '../../../agent/system/files.ts';

describe('what the file system says, as the codes of small files', () => {
  it.each([
    ['ENOENT', 'file_missing'],
    ['ENOTDIR', 'file_missing'],
    ['EACCES', 'file_denied'],
    ['EPERM', 'file_denied'],
    ['EROFS', 'file_read_only'],
    ['ENOSPC', 'disk_full'],
    ['EDQUOT', 'disk_full'],
    ['EMFILE', 'file_failed'],
  ])('%s is %s, and names the path', (errno, code) => {
    const error = fileError(Object.assign(new Error('as the system says it'), { code: errno }), 'write', '/state/x');
    expect([error.code, error.place, error.details]).toEqual([code, '/state/x', { errno }]);
  });
});
