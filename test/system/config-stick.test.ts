// `config-stick` as root, on a file system that is really mounted (in memory: FAT is not known to every kernel; test/system/
// first-boot.test.ts has one), with sticks that somebody prepared.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stickPort } from '../../agent/cli/helper-stick.ts';
import type { ErrorCode } from '../../agent/errors/codes.ts';
import { configStick, type StickDone, type StickPort } from '../../agent/helpers/config-stick.ts';
import type { HelperResult } from '../../agent/helpers/helper-result.ts';
import { expectCode } from '../support/expect-code.ts';
import { makeTestCa } from '../support/test-ca.ts';
import { makeTrust } from '../support/trust-fixtures.ts';

const DAEMON_UID = 65_534;
const TOKEN = Buffer.alloc(32, 7).toString('base64');
const AT = Date.UTC(2026, 10, 23, 8, 0);
const run = (...[command, ...args]: [string, ...string[]]): number | null => spawnSync(command, args).status;
const problem = process.getuid?.() === 0 ? null : 'needs root to mount a file system';

const trust = makeTrust();
let files: Readonly<Record<string, string>>;
beforeAll(async () => {
  const ca = await makeTestCa();
  const clinic = `central_url: https://central.example\r\ntoken: "${TOKEN}"\r\nroot_sha256: ${trust.root.digest}\r\nca_pins:\r\n  - ${ca.caPin}\r\n  - ${'f'.repeat(64)}\r\n`;
  files = { 'clinic.yaml': `\ufeff${clinic}`, 'root.json': trust.rootLine, 'ca.pem': ca.caPem };
});

let dir: string;
let port: StickPort;
let told: HelperResult['details'];
const onStick = (name: string): string => readFileSync(join(port.stickDir, name), 'utf8');
const kept = (name: string): string => readFileSync(join(port.provisionDir, name), 'utf8');
const plug = (given: Readonly<Record<string, string>> = files, options = 'size=2m'): void => {
  expect(run('mount', '-t', 'tmpfs', '-o', options, 'stick', port.stickDir)).toBe(0);
  for (const [name, content] of Object.entries(given)) writeFileSync(join(port.stickDir, name), content);
};
const pull = (): void => void run('umount', '--lazy', port.stickDir);
const take = (): StickDone => {
  told = {};
  return configStick(port, { wallMs: () => AT }, (details) => Object.assign(told, details));
};
const resultLines = (): string[] => onStick('clinic-result.txt').split('\r\n');
/** As the daemon writes it. */
function daemonSays(status: object): void {
  const path = join(port.stateDir, 'status.json');
  writeFileSync(path, JSON.stringify(status));
  chownSync(path, DAEMON_UID, DAEMON_UID);
}
const ENROLLED = { appliance_id: 'north-1', site_id: 'north', blocking_reason: null };

beforeEach((context) => {
  context.skip(problem !== null, problem ?? '');
  dir = mkdtempSync('/tmp/config-stick-');
  chmodSync(dir, 0o755);
  const folder = (name: string, mode: number, uid = 0): string => {
    mkdirSync(join(dir, name));
    chmodSync(join(dir, name), mode);
    chownSync(join(dir, name), uid, DAEMON_UID);
    return join(dir, name);
  };
  const places = { provision_dir: folder('provision', 0o2750), state_dir: folder('state', 0o750, DAEMON_UID) };
  port = { ...stickPort(folder('stick', 0o700), places, null), device: join(dir, 'device') };
  writeFileSync(port.device, '');
});
afterEach(() => {
  if (problem !== null) return;
  pull();
  rmSync(dir, { recursive: true, force: true });
});

describe('a stick with provisioning files', () => {
  it('is taken whole: files of root that the daemon may read, the token gone from the stick, a result for people', () => {
    plug();
    expect(take()).toMatchObject({ outcome: 'done', details: { token_on_stick: 'overwritten' } });
    expect(kept('clinic.yaml')).toBe(files['clinic.yaml']);
    for (const name of ['clinic.yaml', 'root.json', 'ca.pem']) {
      const { mode, uid, gid } = statSync(join(port.provisionDir, name));
      expect([mode & 0o777, uid, gid]).toEqual([0o640, 0, DAEMON_UID]);
    }
    expect(onStick('clinic.yaml')).toBe((files['clinic.yaml'] ?? '').replace(`"${TOKEN}"`, `used${'-'.repeat(42)}`));
    expect(resultLines().slice(0, 2)).toEqual([
      '2026-11-23T08:00Z',
      'This appliance has taken what is on this stick, and enrols now.',
    ]);
    expect(told).toEqual({ result_written: 'yes' });
    expect(readdirSync(port.provisionDir).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('is told how things stand when it is plugged in again, first what is in the way and at last as whom it is enrolled', () => {
    plug();
    take();
    daemonSays({ blocking_reason: { code: 'dns_failed', sentence: 'No address.', remedy: 'check the name server' } });
    expect(take()).toMatchObject({ outcome: 'unchanged' });
    expect(resultLines()).toEqual(
      expect.arrayContaining(['No address. (dns_failed)', 'What to do: check the name server.']),
    );
    daemonSays(ENROLLED);
    expect(take()).toMatchObject({ outcome: 'unchanged', sentence: 'Enrolled as north-1 at site north.' });
    expect(resultLines()).toContain('Enrolled as north-1 at site north.');
    expect(kept('clinic.yaml')).not.toContain(TOKEN);
  });

  it('with mistakes is refused, each on a line of its own, and changes nothing', () => {
    const clinic = (files['clinic.yaml'] ?? '').replace('https:', 'http:').replace('token:', 'tokem:');
    plug({ ...files, 'clinic.yaml': clinic, 'ca.pem': 'nothing' });
    expectCode(take, 'provision_invalid');
    const lines = resultLines().filter((line) => /^(?:clinic\.yaml|ca\.pem)/.test(line));
    expect(lines).toEqual([
      'clinic.yaml:2: "tokem" is not a known key; did you mean token?',
      'clinic.yaml:1: central_url must begin with https://, plain http:// is never used',
      'ca.pem: the file holds no certificate',
    ]);
    expect(told['lines']).toBe(lines.join('\n'));
    expect(onStick('clinic.yaml')).toBe(clinic);
    expect(readdirSync(port.provisionDir)).toEqual([]);
  });

  it('without clinic.yaml is refused and says which file is missing where', () => {
    plug({ 'root.json': trust.rootLine });
    expectCode(take, 'provision_missing');
    expect(resultLines()).toContain('clinic.yaml: there is no such file in the top folder of this stick');
  });

  it('of another partner is refused where the configuration names the root', () => {
    port = { ...port, anchored: 'b'.repeat(64) };
    plug();
    expectCode(take, 'stick_other_partner');
    expect(onStick('clinic.yaml')).toContain(TOKEN);
    port = { ...port, anchored: trust.root.digest };
    expect(take().outcome).toBe('done');
  });

  it("of another partner is refused where the installer's files name the root, and taken where they are of the same", () => {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(port.provisionDir, name), content);
    const other = makeTrust({ seed: 'other' });
    const clinic = (files['clinic.yaml'] ?? '').replace(trust.root.digest, other.root.digest);
    plug({ ...files, 'clinic.yaml': clinic, 'root.json': other.rootLine });
    expectCode(take, 'stick_other_partner');
    pull();
    plug();
    expect(take().outcome).toBe('done');
    // Also not after a stick of the same partner, whose files anybody may have.
    pull();
    plug({ ...files, 'clinic.yaml': clinic, 'root.json': other.rootLine });
    expectCode(take, 'stick_other_partner');
  });

  it('for an appliance that is enrolled is refused, and keeps its token', () => {
    daemonSays(ENROLLED);
    plug();
    expectCode(take, 'already_enrolled');
    expect(resultLines()[2]).toBe(
      'This appliance is enrolled already, as north-1 at site north. Nothing was taken from this stick.',
    );
    expect(onStick('clinic.yaml')).toContain(TOKEN);
    writeFileSync(join(port.stateDir, 'reset.json'), '{"folder":"retired-1"}');
    chownSync(join(port.stateDir, 'reset.json'), DAEMON_UID, DAEMON_UID);
    expect(take().outcome).toBe('done');
  });
});

describe('a stick in a bad state', () => {
  it('that cannot be mounted is named as such, and no stick at all is nothing', () => {
    expectCode(take, 'stick_unreadable');
    rmSync(port.device);
    expect(take()).toMatchObject({ outcome: 'unchanged', sentence: 'No stick is plugged in.' });
  });

  it('that cannot be written is taken all the same, and what could not be overwritten is said', () => {
    plug();
    run('mount', '-o', 'remount,ro', port.stickDir);
    expect(take()).toMatchObject({ outcome: 'done', details: { token_on_stick: 'file_read_only' } });
    expect(told).toEqual({ result_written: 'file_read_only' });
    expect(kept('clinic.yaml')).toContain(TOKEN);
  });

  it('that is full is taken all the same, and its token is overwritten where it stands', () => {
    plug(files, 'size=128k');
    run('dd', 'if=/dev/zero', `of=${port.stickDir}/photo.jpg`, 'bs=4k');
    expect(take()).toMatchObject({ outcome: 'done', details: { token_on_stick: 'overwritten' } });
    expect(told).toEqual({ result_written: 'disk_full' });
  });

  it('pulled and plugged in again after a run that was cut off leaves no copy of a token behind', () => {
    mkdirSync(join(port.provisionDir, '.taking-abcdef'));
    writeFileSync(join(port.provisionDir, '.taking-abcdef/clinic.yaml'), TOKEN);
    plug();
    take();
    expect(readdirSync(port.provisionDir).toSorted()).toEqual(['ca.pem', 'clinic.yaml', 'root.json', 'taken']);
  });
});

describe('a stick that somebody prepared', () => {
  it.each<[string, ErrorCode, (path: string) => void]>([
    ['a link to a file of root', 'helper_input_unsafe', (path) => symlinkSync('/etc/shadow', path)],
    ['a link out of the stick that leads nowhere', 'helper_input_unsafe', (path) => symlinkSync('/nowhere', path)],
    ['a pipe that nobody writes to', 'helper_input_unsafe', (path) => void run('mkfifo', path)],
    ['a folder', 'helper_input_unsafe', (path) => mkdirSync(path)],
    [
      'a file with a second name',
      'helper_input_unsafe',
      (path) => (writeFileSync(path, 'x'), linkSync(path, `${path}2`)),
    ],
    ['a device', 'helper_input_unsafe', (path) => void run('mknod', path, 'c', '1', '5')],
    ['more than it may be', 'file_too_large', (path) => writeFileSync(path, Buffer.alloc(400_000))],
  ])('with %s in place of root.json is refused, and nothing is taken', (_, code, make) => {
    const { 'root.json': left, ...others } = files;
    expect(left).toBeDefined();
    plug(others, 'size=2m,dev');
    make(join(port.stickDir, 'root.json'));
    expectCode(take, code);
    expect(readdirSync(port.provisionDir)).toEqual([]);
    expect(onStick('clinic.yaml')).toContain(TOKEN);
  });

  it('a daemon that puts a link in the place of its status leads no helper to a file of root', () => {
    symlinkSync('/etc/shadow', join(port.stateDir, 'status.json'));
    plug();
    expect(take().outcome).toBe('done');
    expect(existsSync(join(port.provisionDir, 'clinic.yaml'))).toBe(true);
  });
});
