// A small archive of packages on 127.0.0.1 and an apt that knows nothing but it: its own configuration, lists and dpkg status.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { createExec } from '../../agent/system/exec.ts';
import type { Exec } from '../../agent/system/ports.ts';

/** Why there can be none here, or null. */
export function aptProblem(): string | null {
  for (const tool of ['apt-get', 'dpkg-deb', 'dpkg-scanpackages']) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) return `needs ${tool}`;
  }
  return null;
}

interface Package {
  readonly name: string;
  readonly version: string;
  readonly depends?: string;
}

export interface Suite {
  readonly label: string;
  readonly version: string;
  readonly packages: readonly Package[];
}

/** Package → version, and whether it is held. */
export type Installed = Readonly<Record<string, { readonly version: string; readonly held?: boolean }>>;

export interface AptRoot {
  /** Where `/` of the judged system is. */
  readonly dir: string;
  /** apt inside knows this root only. */
  readonly exec: Exec;
  /** Publishes a suite anew; apt sees it after `update`. */
  publish(suite: string, content: Suite): void;
  /** `apt-get update`; returns its exit code. */
  update(): Promise<number | null>;
  /** What dpkg says is installed. */
  install(packages: Installed): void;
  /** From now on nothing answers. */
  closeArchive(): Promise<void>;
  close(): Promise<void>;
}

const ARCHITECTURE = 'amd64';
const DEADLINE_MS = 60_000;

function run(argv: readonly string[], cwd: string): string {
  const result = spawnSync(argv[0] ?? '', argv.slice(1), { cwd, encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr}`);
  return result.stdout;
}

const control = ({ name, version, depends }: Package): string =>
  [
    ...[`Package: ${name}`, `Version: ${version}`, 'Architecture: all', 'Maintainer: Test <test@example.org>'],
    ...(depends === undefined ? [] : [`Depends: ${depends}`]),
    ...['Description: a package of a test', ''],
  ].join('\n');

/** Builds the packages with dpkg-deb and lists them with dpkg-scanpackages. */
export function publish(archive: string, suite: string, { label, version, packages }: Suite): void {
  const pool = join('pool', suite);
  rmSync(join(archive, pool), { recursive: true, force: true });
  mkdirSync(join(archive, pool), { recursive: true });
  for (const one of packages) {
    const tree = mkdtempSync(join(archive, 'build-'));
    mkdirSync(join(tree, 'DEBIAN'));
    writeFileSync(join(tree, 'DEBIAN/control'), control(one));
    run(['dpkg-deb', '--root-owner-group', '--build', tree, join(pool, `${one.name}_${one.version}_all.deb`)], archive);
    rmSync(tree, { recursive: true });
  }
  const list = run(['dpkg-scanpackages', '--multiversion', pool], archive);
  const dir = join(archive, 'dists', suite, 'main', `binary-${ARCHITECTURE}`);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'Packages'), list);
  const digest = createHash('sha256').update(list).digest('hex');
  const release = [
    ...['Origin: Debian', `Label: ${label}`, `Suite: ${suite}`, `Codename: ${suite}`, `Version: ${version}`],
    ...[`Architectures: ${ARCHITECTURE} all`, 'Components: main', `Date: ${new Date().toUTCString()}`, 'SHA256:'],
    ...[` ${digest} ${Buffer.byteLength(list)} main/binary-${ARCHITECTURE}/Packages`, ''],
  ];
  writeFileSync(join(archive, 'dists', suite, 'Release'), release.join('\n'));
}

/** `suites` stand in sources.list from the start, published or not. */
export async function openAptRoot(suites: readonly string[]): Promise<AptRoot> {
  const lab = mkdtempSync(join(tmpdir(), 'apt-root-'));
  // apt may be run as another user.
  chmodSync(lab, 0o755);
  const [archive, dir] = [join(lab, 'archive'), join(lab, 'root')];
  for (const path of ['etc/apt/apt.conf.d', 'etc/apt/preferences.d', 'var/lib/apt/lists/partial', 'var/lib/dpkg']) {
    mkdirSync(join(dir, path), { recursive: true });
  }
  mkdirSync(join(dir, 'var/cache/apt/archives/partial'), { recursive: true });
  mkdirSync(archive);
  const server = createServer((request, response) => {
    const path = join(archive, normalize(decodeURIComponent(request.url ?? '/')));
    if (!existsSync(path)) return void response.writeHead(404).end();
    response.end(readFileSync(path));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const sources = suites.map((suite) => `deb [trusted=yes] http://127.0.0.1:${port} ${suite} main\n`);
  writeFileSync(join(dir, 'etc/apt/sources.list'), sources.join(''));
  const configuration = join(lab, 'apt.conf');
  writeFileSync(
    configuration,
    [
      ...[`Dir "${dir}";`, `Dir::State::status "${dir}/var/lib/dpkg/status";`, `Dir::Etc::Parts "/nowhere";`],
      ...[`APT::Architecture "${ARCHITECTURE}";`, `APT::Architectures "${ARCHITECTURE}";`, 'Acquire::Retries "0";'],
      // Fetching as _apt would need a folder that everybody may enter.
      ...['APT::Sandbox::User "root";', 'Acquire::http::Proxy "false";', ''],
    ].join('\n'),
  );
  const outer = createExec();
  const exec: Exec = { run: (argv, o) => outer.run(argv, { ...o, env: { ...o.env, APT_CONFIG: configuration } }) };
  const closeArchive = (): Promise<void> =>
    new Promise((done) => {
      server.closeAllConnections();
      server.close(() => done());
    });
  const install = (packages: Installed): void => {
    const stanzas = Object.entries(packages).map(([name, { version, held }]) => {
      const status = `Status: ${held === true ? 'hold' : 'install'} ok installed`;
      return control({ name, version }).replace('Version:', `${status}\nVersion:`);
    });
    writeFileSync(join(dir, 'var/lib/dpkg/status'), stanzas.join('\n'));
  };
  install({});
  return {
    dir,
    exec,
    publish: (suite, content) => publish(archive, suite, content),
    update: async () => (await exec.run(['apt-get', 'update'], { deadlineMs: DEADLINE_MS })).code,
    install,
    closeArchive,
    async close() {
      await closeArchive();
      rmSync(lab, { recursive: true });
    },
  };
}
