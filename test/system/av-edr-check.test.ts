// The check of protection against malware on a real systemd: its service is a program that waits, its database a file with
// the header of a real one.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FactSet } from '../../agent/facts/probes.ts';
import type { AvEdrWatch } from '../../agent/facts/watch.ts';
import { live } from '../support/check-rows.ts';
import { judgeLive } from '../support/judge-live.ts';
import { bootContainer, nspawnProblem, type Container } from '../support/nspawn.ts';
import { databaseFile } from '../support/clamav-database.ts';

const problem = nspawnProblem('sleep', 'setpriv');
const PROGRAM = join(import.meta.dirname, '../fixtures/programs/print-facts-at.ts');
const SERVICE = live('service in a booted container', 'systemctl');
const BINARY = '/usr/local/sbin/protector';
const WATCH: AvEdrWatch = {
  unit: 'protector.service',
  binary: BINARY,
  databaseDir: '/var/lib/protector',
  scanUnit: 'protector-scan.service',
  configFile: '/etc/protector.conf',
};
const UNITS = {
  '/etc/systemd/system/protector.service': `[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=exec\nExecStart=${BINARY} infinity\n`,
  '/etc/systemd/system/protector-scan.service': '[Service]\nType=oneshot\nExecStart=/bin/true\n',
  '/etc/systemd/system/protector-scan.timer': '[Timer]\nOnCalendar=weekly\n',
  '/etc/systemd/system/broken.timer': '[Timer]\nOnCalendar=weekly\n',
  '/etc/systemd/system/broken.service': '[Service]\nExecStart=/bin/false\n',
  '/etc/protector.conf': '# shipped\nLogSyslog yes\nExcludePath ^/proc/\nExcludePath ^/sys/\n',
};

let container: Container;
let shipped: string;
const inside = (path: string): string => join(container.root, path);
const systemctl = (...words: string[]): string => container.run(['systemctl', ...words]);

/** The program, other bytes at its end where a test says so: it runs all the same. */
function install(extra = ''): void {
  const next = inside(`${BINARY}.next`);
  copyFileSync(inside('/bin/sleep'), next);
  writeFileSync(next, extra, { flag: 'a' });
  chmodSync(next, 0o755);
  renameSync(next, inside(BINARY));
}
const update = (hoursAgo: number): void =>
  writeFileSync(inside('/var/lib/protector/daily.cvd'), databaseFile(Date.now() - hoursAgo * 3_600_000));

beforeAll(async () => {
  if (problem !== null) return;
  container = await bootContainer({ files: UNITS });
  mkdirSync(inside('/var/lib/protector'), { recursive: true });
  mkdirSync(inside('/usr/local/sbin'), { recursive: true });
  install();
  shipped = createHash('sha256')
    .update(readFileSync(inside(BINARY)))
    .digest('hex');
});
beforeEach((context) => {
  context.skip(problem !== null, problem ?? '');
  install();
  update(3);
  systemctl('restart', 'protector.service');
  // systemd forgets a service that ended, unless something refers to it, as the timer that starts it does.
  systemctl('start', 'protector-scan.timer', 'broken.timer');
  systemctl('start', 'protector-scan.service');
});
afterAll(async () => {
  if (problem === null) await container.close();
});

function read(change: Partial<AvEdrWatch> = {}, as: readonly string[] = []): FactSet {
  const asked = { names: ['av_edr'], at: { watch: { avEdr: { ...WATCH, ...change } } } };
  return JSON.parse(container.run(['env', ...as, process.execPath, PROGRAM], JSON.stringify(asked))) as FactSet;
}
const judge = (facts: FactSet) =>
  judgeLive('av_edr', facts, SERVICE, (yaml) => yaml.replace('binary_sha256: none', `binary_sha256: ${shipped}`));

describe('the check of protection against malware on a real systemd', () => {
  it('passes a service that runs the declared program, with a database of three hours ago and a scan', () => {
    const finding = judge(read());
    expect(finding.result).toBe('pass');
    expect(finding.facts).toMatchObject({
      running: 'declared',
      signatures: 'fresh',
      signatures_hours: 3,
      scan: 'fresh',
    });
  });

  it('a program that was changed on the disk is a critical fail, before and after the service runs it', () => {
    install('one byte more');
    const before = judge(read());
    expect([before.result, before.severity, before.facts.binary, before.facts.running]).toEqual([
      'fail',
      'critical',
      'changed',
      'other',
    ]);
    systemctl('restart', 'protector.service');
    expect(judge(read())).toMatchObject({ result: 'fail', facts: { binary: 'changed', running: 'declared' } });
  });

  it('the right program on the disk does not hide that another one runs', () => {
    install('one byte more');
    systemctl('restart', 'protector.service');
    install();
    expect(judge(read())).toMatchObject({ result: 'fail', facts: { binary: 'declared', running: 'other' } });
  });

  it('a program that was removed while it runs is a critical fail', () => {
    rmSync(inside(BINARY));
    expect(judge(read())).toMatchObject({ result: 'fail', severity: 'critical', facts: { binary: 'missing' } });
  });

  it('a stopped, a killed, a masked and a missing service are critical fails', () => {
    systemctl('stop', 'protector.service');
    expect(judge(read())).toMatchObject({ result: 'fail', severity: 'critical', facts: { service: 'inactive' } });
    systemctl('start', 'protector.service');
    systemctl('kill', '--kill-whom=main', '--signal=SIGKILL', 'protector.service');
    const { facts } = judge(read());
    expect(['failed', 'inactive', 'deactivating']).toContain(facts.service);
    systemctl('reset-failed');
    expect(judge(read({ unit: 'nobody-installed.service' }))).toMatchObject({
      result: 'fail',
      facts: { service_load: 'not-found' },
    });
    symlinkSync('/dev/null', inside('/etc/systemd/system/masked.service'));
    systemctl('daemon-reload');
    expect(judge(read({ unit: 'masked.service' }))).toMatchObject({
      result: 'fail',
      facts: { service_load: 'masked' },
    });
  });

  it('an old database, none and one that is no database are told apart', () => {
    update(73);
    expect(judge(read())).toMatchObject({ result: 'fail', facts: { signatures: 'old', signatures_hours: 73 } });
    writeFileSync(inside('/var/lib/protector/daily.cvd'), 'X'.repeat(600));
    expect(judge(read())).toMatchObject({ result: 'unknown', facts: { unreadable_av_edr: 'unparsable' } });
    rmSync(inside('/var/lib/protector/daily.cvd'));
    expect(judge(read())).toMatchObject({ result: 'fail', severity: 'critical', facts: { signatures: 'none' } });
  });

  it('a scan that failed is a fail, and one that never ran is unknown', () => {
    expect(() => systemctl('start', 'broken.service')).not.toThrow();
    const failed = judge(read({ scanUnit: 'broken.service' }));
    expect([failed.result, failed.facts.scan]).toEqual(['fail', 'failed']);
    expect(judge(read({ scanUnit: 'never-ran.service' }))).toMatchObject({
      result: 'unknown',
      facts: { scan: 'not_seen' },
    });
  });

  it('an exclusion that nobody declared is a fail', () => {
    const path = inside('/etc/protector.conf');
    const before = readFileSync(path, 'utf8');
    writeFileSync(path, `${before}ExcludePath ^/home/\n`);
    expect(judge(read())).toMatchObject({ result: 'fail', facts: { exclusions: 3, exclusions_undeclared: 1 } });
    writeFileSync(path, before);
  });

  it('without root the process cannot be looked at, and the check is unknown', () => {
    const facts = read({}, ['setpriv', '--reuid=65534', '--clear-groups', '--bounding-set=-all', '--inh-caps=-all']);
    expect(judge(facts)).toMatchObject({ result: 'unknown', facts: { unreadable_av_edr: 'denied' } });
  });
});
