import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { judgeClock, type ClockInputs } from '../../../agent/cli/doctor/judge-clock.ts';
import { judgeDaemon } from '../../../agent/cli/doctor/judge-daemon.ts';
import { judgeDatabase } from '../../../agent/cli/doctor/judge-database.ts';
import { judgeDisk, judgeInodes, MAX_USED_PERCENT, MIN_FREE_MIB } from '../../../agent/cli/doctor/judge-disk.ts';
import { judgeFiles } from '../../../agent/cli/doctor/judge-files.ts';
import { judgeIpv6, judgeTcp } from '../../../agent/cli/doctor/judge-connect.ts';
import { judgeCertificateEnd } from '../../../agent/cli/doctor/patient.ts';
import { readFiles } from '../../../agent/cli/doctor/read-files.ts';
import type { Verdict } from '../../../agent/cli/doctor/verdict.ts';
import { CODES } from '../../../agent/errors/codes.ts';
import type { ClockFacts } from '../../../agent/facts/clock.ts';
import type { DiskFacts, VolumeFacts } from '../../../agent/facts/disk.ts';
import type { Fact } from '../../../agent/facts/probe.ts';
import { checkStore, lookAtStore } from '../../../agent/store/look-at-store.ts';
import { openStore } from '../../../agent/store/open-store.ts';
import { systemClock } from '../../../agent/system/clock.ts';
import { agentStatus, makeCliState, type CliState } from '../../support/cli-state.ts';
import { examine, makePatient, type Patient } from '../../support/examine.ts';
import { expectCode } from '../../support/expect-code.ts';
import { identity } from '../../support/store-fixtures.ts';
import { makeTestCa, type TestCa } from '../../support/test-ca.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const codesOf = (verdict: Verdict): string[] =>
  verdict.state === 'problem' ? verdict.problems.map((p) => p.code) : [verdict.state];
const isRoot = process.getuid?.() === 0;

let ca: TestCa;
beforeAll(async () => {
  ca = await makeTestCa();
});
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});
function patient(): Patient {
  const made = makePatient('https://192.0.2.1:9', ca);
  ends.push(made.remove);
  return made;
}
/** Every file below a folder with its bytes, mode and times. */
function snapshot(dir: string): Record<string, string> {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).toSorted();
  return Object.fromEntries(
    ['.', ...names].map((name) => {
      const stat = statSync(join(dir, name));
      const content = stat.isFile() ? readFileSync(join(dir, name)).toString('base64') : '';
      return [name, `${stat.mode} ${stat.uid} ${stat.mtimeMs} ${content}`];
    }),
  );
}

describe('the doctor and the state directory', () => {
  const files = (p: Patient, enrolled: boolean | null = false): string[] =>
    codesOf(judgeFiles(readFiles(p.stateDir, join(p.dir, 'stick')), enrolled));

  it('is content with what the daemon makes', () => {
    const p = patient();
    mkdirSync(join(p.stateDir, 'keys'), { mode: 0o700 });
    for (const key of ['device.key', 'tls.key']) writeFileSync(join(p.stateDir, 'keys', key), 'x', { mode: 0o600 });
    expect(files(p, true)).toEqual(['ok']);
  });

  it.each([
    ['a directory that others may write', (p: Patient) => chmodSync(p.stateDir, 0o777), ['file_permissions']],
    ['a directory that its owner may not write', (p: Patient) => chmodSync(p.stateDir, 0o550), ['store_read_only']],
    ['no directory', (p: Patient) => rmSync(p.stateDir, { recursive: true }), ['file_missing']],
    [
      'a file in its place',
      (p: Patient) => {
        rmSync(p.stateDir, { recursive: true });
        writeFileSync(p.stateDir, '');
      },
      ['file_failed'],
    ],
    [
      'a stick that others may change',
      (p: Patient) => chmodSync(join(p.dir, 'stick/clinic.yaml'), 0o666),
      ['file_permissions'],
    ],
  ])('finds %s', (_what, harm, expected) => {
    const p = patient();
    harm(p);
    expect(files(p)).toEqual(expected);
  });

  it('finds keys that others can read, and keys that are missing', () => {
    const p = patient();
    mkdirSync(join(p.stateDir, 'keys'), { mode: 0o700 });
    writeFileSync(join(p.stateDir, 'keys/tls.key'), 'x');
    chmodSync(join(p.stateDir, 'keys/tls.key'), 0o644);
    expect(files(p, true)).toEqual(['key_permissions', 'key_unreadable']);
    expect(files(p, null)).toEqual(['key_permissions']);
  });

  it.skipIf(!isRoot)('finds files of another user than the directory, which the daemon cannot use', () => {
    const p = patient();
    chownSync(p.stateDir, 990, 990);
    writeFileSync(join(p.stateDir, 'agent.db'), '', { mode: 0o600 });
    chmodSync(join(p.dir, 'stick/clinic.yaml'), 0o600);
    expect(files(p)).toEqual(['store_read_only', 'file_denied']);
    chownSync(join(p.stateDir, 'agent.db'), 990, 990);
    chownSync(join(p.dir, 'stick/clinic.yaml'), 990, 990);
    expect(files(p)).toEqual(['ok']);
  });
});

describe('the doctor and the disk', () => {
  const volume = (o: Partial<VolumeFacts> = {}): VolumeFacts => ({
    fsType: 'ext4',
    totalMib: 10_000,
    freeMib: 5_000,
    usedPercent: 50,
    inodesUsedPercent: 10,
    readOnly: false,
    ...o,
  });
  const fact = (o: Partial<VolumeFacts>): Fact<DiskFacts> => ({
    status: 'read',
    probe: 'disk',
    readAt: NOW,
    value: { state: volume(o), root: volume() },
  });
  it.each([
    ['room', {}, ['ok'], ['ok']],
    ['the last free megabytes', { freeMib: MIN_FREE_MIB - 1 }, ['disk_full'], ['ok']],
    ['a full disk', { usedPercent: MAX_USED_PERCENT }, ['disk_full'], ['ok']],
    ['a read-only mount', { readOnly: true }, ['store_read_only'], ['ok']],
    ['no inodes', { inodesUsedPercent: MAX_USED_PERCENT }, ['ok'], ['inodes_exhausted']],
    ['a file system without inodes', { inodesUsedPercent: null }, ['ok'], ['not_looked_at']],
  ])('judges %s', (_what, o, disk, inodes) => {
    expect([codesOf(judgeDisk(fact(o), '/x')), codesOf(judgeInodes(fact(o), '/x'))]).toEqual([disk, inodes]);
  });
});

describe('the doctor and the database', () => {
  let state: CliState;
  beforeAll(() => {
    state = makeCliState();
  });
  afterAll(() => rmSync(state.dir, { recursive: true, force: true }));
  const copy = (): string => {
    const dir = mkdtempSync(join(tmpdir(), 'doctor-db-'));
    ends.push(() => rmSync(dir, { recursive: true, force: true }));
    cpSync(state.dir, dir, { recursive: true });
    return dir;
  };

  it('reads who the appliance is without leaving a trace, whether a daemon has it open or not', () => {
    const dir = copy();
    const before = snapshot(dir);
    expect(lookAtStore(dir).identity?.applianceId).toBe(identity.applianceId);
    expect(checkStore(dir)).toBe('ok');
    expect(snapshot(dir)).toEqual(before);
    const store = openStore({ dir, clock: systemClock });
    store.trust.saveIdentity({ ...identity, applianceId: 'changed-1' });
    expect(lookAtStore(dir).identity?.applianceId).toBe('changed-1');
    expect(checkStore(dir)).toBe('ok');
    store.close();
    expect(lookAtStore(dir).identity?.applianceId).toBe('changed-1');
  });

  it('tells a damaged file, a foreign one and a missing one apart', () => {
    const dir = copy();
    const path = join(dir, 'agent.db');
    const bytes = readFileSync(path);
    writeFileSync(path, Buffer.concat([bytes.subarray(0, 8_192), Buffer.alloc(bytes.length - 8_192, 0xff)]));
    let said = '';
    try {
      said = checkStore(dir);
    } catch (error) {
      said = (error as { code: string }).code;
    }
    expect(said).not.toBe('ok');
    writeFileSync(
      path,
      'this is no database, whatever its name says, and longer than a header of one hundred bytes'.repeat(2),
    );
    expectCode(() => lookAtStore(dir), 'store_corrupt');
    rmSync(path);
    expectCode(() => lookAtStore(dir), 'store_missing');
  });

  it.each([
    [{ ok: true, value: 'ok' }, ['ok']],
    [{ ok: true, value: 'wrong # of entries in index' }, ['store_corrupt']],
    [{ ok: false, code: 'store_missing', sentence: '', remedy: '' }, ['not_looked_at']],
    [{ ok: false, code: 'timeout', sentence: '', remedy: '' }, ['not_looked_at']],
    [{ ok: false, code: 'store_too_new', sentence: 'newer', remedy: 'run the newer one' }, ['store_too_new']],
  ] as const)('judges %j', (read, expected) => {
    expect(codesOf(judgeDatabase(read))).toEqual(expected);
  });

  it('finds the damage through the whole run, and says that it cannot know who the appliance is', async () => {
    const dir = copy();
    writeFileSync(join(dir, 'config.yaml'), `mode: direct\nstate_dir: ${dir}\n`);
    writeFileSync(join(dir, 'agent.db'), Buffer.alloc(8_192, 7));
    const run = await examine(join(dir, 'config.yaml'));
    expect(run.step('database').problems.map((p) => p.code)).toEqual(['store_corrupt']);
    expect(run.step('enrolment').needs).toEqual(['database']);
    expect(run.step('dns').needs).toEqual(['enrolment']);
  });
});

describe('the doctor and the clock', () => {
  const fact = (o: Partial<ClockFacts> | null): Fact<ClockFacts> =>
    o === null
      ? { status: 'unreadable', probe: 'clock', reason: 'missing_tool', detail: '', readAt: NOW }
      : {
          status: 'read',
          probe: 'clock',
          readAt: NOW,
          value: { source: 'chrony', synchronized: true, offsetMs: 3, stratum: 2, skewMs: null, ...o },
        };
  const inputs = (o: Partial<ClockInputs>): ClockInputs => ({
    fact: fact({}),
    now: NOW,
    skewMs: null,
    rootIssuedAt: NOW - 86_400,
    maxSkewMs: 5_000,
    ...o,
  });

  it.each([
    ['a clock that NTP keeps', {}, ['ok']],
    ['no time service, and signed time close by', { fact: fact(null), skewMs: -900 }, ['ok']],
    ['no time service and no signed time', { fact: fact(null) }, ['not_looked_at']],
    [
      'a time service that is not synchronised',
      { fact: fact({ synchronized: false, offsetMs: null }) },
      ['clock_unsynchronised'],
    ],
    ['an hour behind the signed time', { skewMs: -3_600_000 }, ['clock_far_off']],
    ['an hour ahead of its time servers', { fact: fact({ offsetMs: 3_600_000 }) }, ['clock_far_off']],
    ['a clock that fell back to 1970', { now: 1_000, fact: fact(null) }, ['clock_far_off']],
    ['a clock before the trust root was made, whatever NTP says', { rootIssuedAt: NOW + 1 }, ['clock_far_off']],
  ])('judges %s', (_what, o, expected) => {
    expect(codesOf(judgeClock(inputs(o)))).toEqual(expected);
  });

  it('finds a clock that fell back, through the whole run', async () => {
    const run = await patient().examine({ clock: { ...systemClock, wallMs: () => 86_400_000 } });
    expect(run.step('clock').problems.map((p) => p.code)).toEqual(['clock_far_off']);
  });
});

describe('the doctor and who the appliance is', () => {
  it('names every mistake on the stick, and needs enrolment for what lies behind', async () => {
    const p = patient();
    const clinic = join(p.dir, 'stick/clinic.yaml');
    writeFileSync(clinic, readFileSync(clinic, 'utf8').replace('https:', 'http:').replace('root_sha256', 'root_sha'));
    const run = await p.examine();
    expect(run.step('enrolment').problems.length).toBeGreaterThanOrEqual(3);
    expect(run.step('enrolment').sentence).toContain('clinic.yaml:3');
    expect(run.step('dns').needs).toEqual(['enrolment']);
    expect(run.exit).toBe(CODES.provision_invalid.exit);
  });

  it('says that there is no stick', async () => {
    const p = patient();
    rmSync(join(p.dir, 'stick'), { recursive: true });
    expect((await p.examine()).codes()).toEqual(['provision_missing']);
  });

  it('names every mistake in the configuration, and judges nothing that depends on it', async () => {
    const p = patient();
    writeFileSync(p.config, 'mode: directt\nstate_dirr: /x\n');
    const run = await p.examine();
    expect(run.step('config').problems.map((one) => one.code)).toEqual(['config_value_invalid', 'config_key_unknown']);
    expect(run.step('permissions').needs).toEqual(['config']);
    expect(run.step('daemon').needs).toEqual(['config']);
    expect(run.step('proxy').state).toBe('ok');
    expect(run.exit).toBe(2);
  });

  it('finds a certificate that has ended', () => {
    expect(codesOf(judgeCertificateEnd(identity, NOW + 1, NOW))).toEqual(['ok']);
    expect(codesOf(judgeCertificateEnd(identity, NOW, NOW))).toEqual(['client_certificate_lapsed']);
    expect(codesOf(judgeCertificateEnd(identity, null, NOW))).toEqual(['client_certificate_invalid']);
  });

  it('changes nothing anywhere, enrolled or not', async () => {
    const p = patient();
    const before = snapshot(p.dir);
    await p.examine();
    expect(snapshot(p.dir)).toEqual(before);
    const state = makeCliState();
    ends.push(() => rmSync(state.dir, { recursive: true, force: true }));
    const enrolled = snapshot(state.dir);
    const run = await examine(state.config, { resolver: '127.0.0.1:9' });
    expect(run.step('database').state).toBe('ok');
    expect(snapshot(state.dir)).toEqual(enrolled);
  });
});

describe('the doctor and the way out', () => {
  const tried = (address: string, outcome: string) => ({ address, outcome, ms: 5 });
  it.each([
    [['192.0.2.1', 'connected'], 'ok'],
    [['192.0.2.1', 'timeout'], 'connect_failed'],
    [['192.0.2.1', 'ECONNREFUSED'], 'connect_refused'],
    [['192.0.2.1', 'ENETUNREACH'], 'connect_failed'],
    [['192.0.2.1', 'EPERM'], 'connect_failed'],
  ] as const)('judges %j', ([address, outcome], expected) => {
    expect(codesOf(judgeTcp('h', 443, [tried(address, outcome)]))).toEqual([expected]);
  });

  it.each([
    ['packets that vanish', 'timeout', 'problem'],
    ['a port that is closed on IPv6', 'ECONNREFUSED', 'problem'],
    ['a machine without IPv6', 'ENETUNREACH', 'ok'],
    ['a way that works', 'connected', 'ok'],
  ])('judges IPv6 with %s', (_what, outcome, expected) => {
    const verdict = judgeIpv6(443, [tried('2001:db8::1', outcome), tried('192.0.2.1', 'connected')]);
    expect(verdict.state).toBe(expected);
    if (verdict.state === 'problem') expect([codesOf(verdict), verdict.breaks]).toEqual([['ipv6_broken'], false]);
  });
});

describe('the doctor and the daemon', () => {
  it.each([
    ['runs and is content', agentStatus(), 'running', ['ok']],
    [
      'runs and is blocked',
      agentStatus({ blocking_reason: { code: 'dns_failed', sentence: 'No name.', remedy: 'x' } }),
      'running',
      ['dns_failed'],
    ],
    ['was stopped', agentStatus(), 'stopped', ['daemon_not_running']],
    ['is gone', agentStatus(), 'gone', ['daemon_not_running']],
    ['is silent', agentStatus(), 'silent', ['daemon_not_running']],
  ] as const)('says that it %s', (_what, status, liveness, expected) => {
    expect(codesOf(judgeDaemon({ found: 'status', status, liveness }))).toEqual(expected);
  });
});
