// Every probe on the recorded output of real systems, judged by the shipped baseline; and recordings that are refused.
import { describe, expect, it } from 'vitest';
import { parseLuksHeader } from '../../../agent/facts/luks-header.ts';
import { mountOf, parseMountInfo } from '../../../agent/facts/mount-info.ts';
import { volumeFacts } from '../../../agent/facts/disk.ts';
import { PROBE_NAMES, type FactSet, type ProbeName } from '../../../agent/facts/probes.ts';
import { readFacts } from '../../../agent/facts/read-facts.ts';
import { recorded } from '../../support/check-rows.ts';
import { judgeLive } from '../../support/judge-live.ts';
import {
  loadRecorded,
  parseRecordedSystem,
  printed,
  recordedNames,
  recordedText,
  replay,
  STAND_IN_SHA256,
  type RecordedSystem,
} from '../../support/recorded-system.ts';

const SYSTEMS = recordedNames();
const part = (system: RecordedSystem) =>
  recorded(`${system.origin.system}.json, ${system.origin.os_release.pretty_name} in ${system.origin.booted}`);

async function read(system: RecordedSystem, ...probes: ProbeName[]): Promise<FactSet> {
  const sets: FactSet[] = [];
  for (const probe of probes) {
    using played = replay(system, probe);
    sets.push(await readFacts([probe], played.context));
  }
  return Object.assign({}, ...sets) as FactSet;
}
const FOR_DEBIAN = (yaml: string): string =>
  yaml.replace(
    /^ {6}generation_days: .*\n/m,
    (line) => `${line}    apt:\n      security_updates: 0\n      lists_hours: 72\n`,
  );

describe('recorded systems', () => {
  it('are at least three, each with captures for every probe', () => {
    expect(SYSTEMS.length).toBeGreaterThanOrEqual(3);
    for (const name of SYSTEMS) {
      const probes = new Set(loadRecorded(name).captures.map((capture) => capture.probe));
      expect([...probes].sort(), name).toEqual([...PROBE_NAMES].sort());
    }
  });

  it.each(SYSTEMS)(
    '%s says where it comes from: system, kernel, and for each capture command, tool and digest',
    (name) => {
      const { origin, captures } = loadRecorded(name);
      expect(`${origin.os_release.id}-${origin.os_release.version_id.replace('.', '-')}`).toBe(name);
      expect(Date.parse(origin.recorded_at)).toBeGreaterThan(Date.parse('2026-01-01'));
      for (const { command, tool, status } of captures) {
        expect(tool, command.join(' ')).toMatch(status === 'not_found' ? /^not installed$/ : /\d/);
      }
    },
  );
});

describe('a recording is refused', () => {
  type Loose = { origin: Record<string, unknown>; captures: Record<string, unknown>[] };
  const change = (edit: (document: Loose) => void): string => {
    const document = JSON.parse(recordedText(SYSTEMS[0] ?? '')) as Loose;
    edit(document);
    return JSON.stringify(document);
  };
  const first = (document: Loose): Record<string, unknown> => document.captures[0] ?? {};

  it.each<[string, (document: Loose) => void]>([
    ['without a command', (d) => void delete first(d)['command']],
    ['with an empty command', (d) => void (first(d)['command'] = [])],
    ['without the version of the tool', (d) => void delete first(d)['tool']],
    ['without os-release', (d) => void delete d.origin['os_release']],
    ['without the kernel', (d) => void delete d.origin['kernel']],
    ['without its time', (d) => void delete d.origin['recorded_at']],
    ['without the digest of what was captured', (d) => void delete first(d)['sha256']],
    ['with another digest', (d) => void (first(d)['sha256'] = 'ab'.repeat(32))],
    ['with one byte that was not recorded', (d) => void (first(d)['stdout'] = `${String(first(d)['stdout'])} `)],
    ['without captures', (d) => void (d.captures = [])],
    ['with a field that nobody knows', (d) => void (first(d)['note'] = 'by hand')],
  ])('%s', (_what, edit) => {
    expect(() => parseRecordedSystem(change(edit))).toThrow();
    expect(() => parseRecordedSystem(change(() => undefined))).not.toThrow();
  });
});

describe.each(SYSTEMS)('the recorded system %s', (name) => {
  const system = loadRecorded(name);
  const judge = async (check: string, probes: readonly ProbeName[], edit?: (yaml: string) => string) =>
    judgeLive(check, await read(system, ...probes), part(system), edit, `recorded: ${check}`);

  it('the clock: what timedatectl says', async () => {
    const said = /^NTPSynchronized=(yes|no)$/m.exec(printed(system, 'clock', 'timedatectl'))?.[1];
    expect(await judge('clock', ['clock'])).toMatchObject({
      result: said === 'yes' ? 'pass' : 'fail',
      facts: { source: 'timedatectl', synchronized: said === 'yes' },
    });
  });

  it('the disk: fill and inodes as df prints them', () => {
    const [bsize = 0, blocks = 0, bfree = 0, bavail = 0, files = 0, ffree = 0] = printed(system, 'disk', 'stat')
      .trim()
      .split(' ')
      .map(Number);
    const mount = mountOf('/', parseMountInfo(printed(system, 'disk', 'cat')));
    const volume = volumeFacts({ bsize, blocks, bfree, bavail, files, ffree }, mount?.fsType ?? '', false);
    const df = printed(system, 'disk', 'df')
      .match(/\d+(?=%)/g)
      ?.map(Number);
    expect([volume.usedPercent, volume.inodesUsedPercent]).toEqual(df);
    const readAt = Math.floor(Date.parse(system.origin.recorded_at) / 1000);
    const facts: FactSet = { disk: { status: 'read', probe: 'disk', value: { state: volume, root: volume }, readAt } };
    expect(judgeLive('disk', facts, part(system), undefined, 'recorded: disk')).toMatchObject({
      result: 'pass',
      facts: { state_file_system: 'ext4' },
    });
  });

  it('the firewall: the ruleset that was loaded, listed by its own nft', async () => {
    const facts = await read(system, 'firewall');
    const table =
      facts.firewall?.status === 'read' ? facts.firewall.value.tables.find(({ family }) => family === 'inet') : null;
    const declared = (yaml: string): string =>
      yaml
        .replace('sha256: none', `sha256: ${table?.sha256}`)
        .replace('tables: fail', 'tables: allow')
        .replace('egress_refresh: required', '');
    expect(await judge('firewall', ['firewall', 'listeners'], declared)).toMatchObject({
      result: 'pass',
      facts: { tables_matching: 1, input_policy: 'drop', listeners: [] },
    });
    expect((await judge('firewall', ['firewall', 'listeners'])).result).not.toBe('pass');
  });

  it('updates: as many of security as apt names lines of a source of security', async () => {
    const installed = printed(system, 'patching', 'apt-get', '--simulate').match(/^Inst .*$/gm) ?? [];
    const security = installed.filter((line) => /(?:Debian-Security:|-security[ ,])/.test(line)).length;
    expect(security).toBeGreaterThan(0);
    expect(await judge('patching', ['patching'], FOR_DEBIAN)).toMatchObject({
      result: 'fail',
      severity: 'high',
      facts: { system: 'apt', updates: installed.length, security_updates: security },
    });
  });

  it('the agent: a process without the sandbox of the unit', async () => {
    expect(await judge('self', ['self'])).toMatchObject({
      result: 'fail',
      facts: { runs_as_root: true, seccomp_filter: false, no_new_privileges: false, listeners: [] },
    });
  });

  it('the log: a canary that was read back', async () => {
    expect(await judge('logging', ['logging'])).toMatchObject({
      result: 'pass',
      facts: { canary: 'seen', storage: 'persistent' },
    });
  });

  it("protection against malware: ClamAV's service", async () => {
    const finding = await judge('av_edr', ['av_edr'], (yaml) =>
      yaml
        .replace('binary_sha256: none', `binary_sha256: ${STAND_IN_SHA256}`)
        .replace(/signatures: .*/, 'signatures: { expected: none, reason: its mirrors were not reached }')
        .replace(/scan: .*/, 'scan: { expected: none, reason: none was made }'),
    );
    expect(finding).toMatchObject({ result: 'pass', facts: { service: 'active', running: 'declared' } });
  });

  it('the backup: a repository that was read back and restored from', async () => {
    expect(await judge('backup', ['backup'])).toMatchObject({
      result: 'pass',
      facts: { repository: 'open', integrity: 'proven', restore: 'proven' },
    });
  });

  it('volumes: in clear, and a header as its own cryptsetup prints it', async () => {
    expect(await judge('encryption', ['encryption'])).toMatchObject({ result: 'fail', facts: { volumes_clear: 1 } });
    const header = system.captures.find(({ command }) => command[0] === 'head');
    const dump = printed(system, 'encryption', 'cryptsetup', 'luksDump');
    expect(parseLuksHeader(header?.stdout ?? Buffer.alloc(0))).toMatchObject({
      version: Number(/^Version:\s+(\d)/m.exec(dump)?.[1]),
      cipher: /^\s+cipher: (\S+)/m.exec(dump)?.[1],
      keyBits: Number(/^\s+Key:\s+(\d+) bits/m.exec(dump)?.[1]),
    });
  });
});
