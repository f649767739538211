// What machine this is, held against what the kernel itself says of it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, release } from 'node:os';
import { beforeAll, describe, expect, it } from 'vitest';
import { hostProbe, said, type HostFacts } from '../../../agent/facts/host.ts';
import { PROBE_NAMES } from '../../../agent/facts/probes.ts';
import { probeContext } from '../../support/fixture-facts.ts';

let host: HostFacts;
beforeAll(async () => {
  host = await hostProbe.read(probeContext());
});

describe('the host that this runs on', () => {
  it('has the memory, the processors and the kernel that /proc shows', () => {
    const total = /^MemTotal:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
    expect(host.memoryMib).toBe(Math.floor(Number(total) / 1024));
    expect(host.processors).toBeGreaterThanOrEqual(availableParallelism());
    expect(host.system.kernel).toBe(release());
  });

  it('is the system that os-release names', () => {
    const text = readFileSync('/etc/os-release', 'utf8');
    const id = /^NAME="?([^"\n]+)/m.exec(text)?.[1];
    expect(host.system.name?.split(' ')[0]?.toLowerCase()).toBe(id?.split(' ')[0]?.toLowerCase());
  });

  it('has no model that its firmware does not name', () => {
    const dmi = '/sys/class/dmi/id/product_name';
    const named = existsSync(dmi) ? said(readFileSync(dmi, 'utf8')) : null;
    if (named === null) expect([host.model, host.serial]).toEqual([null, null]);
    else expect(host.model).toBe(named);
  });

  it('has the whole disks of /sys/block that have a size, with that size', () => {
    const sizeOf = (name: string): number => Math.floor(Number(readFileSync(`/sys/block/${name}/size`, 'utf8')) / 2048);
    for (const disk of host.disks) expect(disk.sizeMib, disk.name).toBe(sizeOf(disk.name));
    const whole = readdirSync('/sys/block').filter((name) => /^(?:sd|vd|nvme|xvd)/.test(name) && sizeOf(name) > 0);
    expect(host.disks.map(({ name }) => name)).toEqual(expect.arrayContaining(whole));
  });

  it('is read for whoever names it and is not among what checks rest on', () => {
    expect(PROBE_NAMES).not.toContain('host');
  });
});

describe('a field in which the maker wrote nothing', () => {
  it.each(['', ' ', '-', 'Default string', 'To be filled by O.E.M.', 'System Serial Number', 'Docker Container', null])(
    '%j is null',
    (text) => expect(said(text)).toBeNull(),
  );

  it('is told from one that says something', () => {
    expect(said(' OptiPlex Micro 7010 ')).toBe('OptiPlex Micro 7010');
  });
});
