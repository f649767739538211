import { describe, expect, it } from 'vitest';
import {
  matchingSnapshots,
  parseIds,
  parseLock,
  parseRepositoryId,
  parseSnapshots,
  repositoryProblem,
} from '../../../agent/facts/restic.ts';
import { parseListedFiles } from '../../../agent/facts/restic-listing.ts';
import { readFacts } from '../../../agent/facts/read-facts.ts';
import { fakeExec } from '../../support/fakes/fake-exec.ts';
import { probeContext, temporaryTree } from '../../support/fixture-facts.ts';

const snapshot = (time: string, hostname = 'clinic', paths = ['/srv']): object => ({
  time,
  tree: '7d'.repeat(32),
  paths,
  hostname,
  username: 'root',
  id: 'fa'.repeat(32),
  short_id: 'fafafafa',
});
const at = (iso: string): number => Date.parse(iso) / 1000;

describe('what restic prints', () => {
  it('snapshots come with their time in nanoseconds and any offset', () => {
    const text = JSON.stringify([
      snapshot('2026-11-22T13:12:32.510189901Z'),
      snapshot('2026-11-22T15:12:32+02:00'),
      snapshot('2026-11-22T08:12:32.1-05:00'),
    ]);
    expect(parseSnapshots(text).map((one) => one.at)).toEqual(Array(3).fill(at('2026-11-22T13:12:32Z')));
    expect(parseSnapshots('null')).toEqual([]);
    expect(parseSnapshots('[]')).toEqual([]);
  });

  it('snapshots of other hosts and paths do not count, and the newest comes first', () => {
    const all = parseSnapshots(
      JSON.stringify([
        snapshot('2026-01-01T00:00:00Z'),
        snapshot('2026-01-03T00:00:00Z', 'elsewhere'),
        snapshot('2026-01-02T00:00:00Z', 'clinic', ['/srv', '/etc']),
      ]),
    );
    const newest = (host: string | null, paths: string[]) => matchingSnapshots(all, { host, paths })[0]?.at;
    expect(newest(null, [])).toBe(at('2026-01-03T00:00:00Z'));
    expect(newest('clinic', [])).toBe(at('2026-01-02T00:00:00Z'));
    expect(newest('clinic', ['/etc'])).toBe(at('2026-01-02T00:00:00Z'));
    expect(newest('elsewhere', ['/etc'])).toBeUndefined();
  });

  it.each<[string, () => unknown]>([
    ['snapshots', () => parseSnapshots('{}')],
    ['a snapshot', () => parseSnapshots('[{"time":"2026-01-01T00:00:00Z"}]')],
    ['the time of a snapshot', () => parseSnapshots(JSON.stringify([snapshot('yesterday')]))],
    ['a lock', () => parseLock('[]')],
    ['the time of a lock', () => parseLock('{"exclusive":true}')],
    ['a list of ids', () => parseIds('unable to open repository\n')],
    ['a configuration', () => parseRepositoryId('{"version":2,"id":"short"}')],
    ['a listed file', () => parseListedFiles('{"type":"file","path":"/a"}')],
    [
      'a listed path that leads out',
      () => parseListedFiles('{"type":"file","path":"/../a","mtime":"2026-01-01T00:00:00Z"}'),
    ],
    ['no JSON', () => parseListedFiles('restoring')],
  ])('%s that is not as documented is unparsable', (_what, parse) => {
    expect(parse).toThrow(expect.objectContaining({ reason: 'unparsable' }));
  });

  it('what is wrong with a repository is told by exit code, or by the words of older versions', () => {
    const missing =
      'Fatal: unable to open config file: stat /x: no such file or directory\nIs there a repository at the following location?\n/x';
    const refused =
      'Fatal: unable to open config file: dial tcp: connection refused\nIs there a repository at the following location?\nrest:http://h/';
    expect(repositoryProblem(1, missing)).toBe('missing');
    expect(repositoryProblem(10, 'anything')).toBe('missing');
    expect(repositoryProblem(1, 'Fatal: wrong password or no key found')).toBe('wrong_password');
    expect(repositoryProblem(12, '')).toBe('wrong_password');
    expect(repositoryProblem(1, refused)).toBeNull();
    expect(repositoryProblem(1, 'Fatal: something else')).toBeNull();
  });
});

describe('the backup probe', () => {
  const watch = (dir: string) => ({
    backup: {
      repositoryFile: `${dir}/repository`,
      passwordFile: `${dir}/password`,
      host: null,
      paths: [],
      readDataPercent: 100,
      restorePath: '/etc',
    },
  });

  it('hands location and password to restic by file names in the environment, and takes no lock', async () => {
    using files = temporaryTree({ password: 'secret', repository: 'rest:http://user:secret@h/' });
    const environments: unknown[] = [];
    const exec = fakeExec({
      restic: (_argv, options) => {
        environments.push(options.env);
        return { code: 1, stderr: 'Fatal: unable to open rest:http://user:secret@h/' };
      },
    });
    const { backup } = await readFacts(['backup'], probeContext({ exec, watch: watch(files.dir) }));
    expect(backup).toMatchObject({ status: 'unreadable', reason: 'failed' });
    expect(JSON.stringify([backup, exec.calls, environments])).not.toContain('secret');
    expect(exec.calls.every((argv) => argv.includes('--no-lock'))).toBe(true);
    expect(environments[0]).toEqual({
      RESTIC_REPOSITORY_FILE: `${files.dir}/repository`,
      RESTIC_PASSWORD_FILE: `${files.dir}/password`,
    });
  });

  it.each(['av_edr', 'backup'] as const)(
    '%s is unreadable where the baseline does not say where to look',
    async (name) => {
      expect((await readFacts([name], probeContext()))[name]).toMatchObject({ reason: 'not_declared' });
    },
  );

  it.each([
    ['not_found', 'missing_tool'],
    ['timeout', 'timeout'],
    ['too_much_output', 'too_much_output'],
    ['denied', 'denied'],
  ] as const)('a restic that ends as %s is unreadable: %s', async (status, reason) => {
    using files = temporaryTree({ password: 'secret', repository: '/r' });
    const context = probeContext({ exec: fakeExec({ restic: { status } }), watch: watch(files.dir) });
    expect((await readFacts(['backup'], context)).backup).toMatchObject({ status: 'unreadable', reason });
  });
});
