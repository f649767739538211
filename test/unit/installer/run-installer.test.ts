import { describe, expect, it } from 'vitest';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import type { Clock } from '../../../agent/system/ports.ts';
import type { DiskFacts } from '../../../iso/installer/disk-facts.ts';
import { runInstaller, type InstallerParts } from '../../../iso/installer/run-installer.ts';
import type { Screen } from '../../../iso/installer/screens.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';

const MINE = '0123456789abcdef';
const disk: DiskFacts = {
  path: '/dev/nvme0n1',
  name: 'nvme0n1',
  sizeBytes: 128e9,
  transport: 'nvme',
  isRemovable: false,
  isHotplug: false,
  isReadOnly: false,
  mmcType: null,
  model: 'Model',
  serial: 'S1',
  mounts: [],
  labels: [],
  installs: [],
};
const installed: DiskFacts = { ...disk, installs: [{ isFinished: true, installId: MINE }] };

interface Run {
  /** One answer per look at the disks; the last one stays. */
  readonly looks: readonly (readonly DiskFacts[])[];
  /** Second of the countdown → key that is pressed then. */
  readonly keys?: readonly { readonly at: number; readonly key: string }[];
  readonly steps?: Readonly<Record<string, () => Promise<void>>>;
  readonly reinstall?: 'no' | 'stick' | 'person';
}

/** A clock that is as fast as it is asked, and a keyboard whose keys are pressed at times of that clock. */
function attempt({ looks, keys = [], steps = { erase: () => Promise.resolve() }, reinstall = 'no' }: Run) {
  let now = 0;
  let look = 0;
  const did: string[] = [];
  const screens: string[] = [];
  const waiting = [...keys];
  const onTime: (() => void)[] = [];
  const clock: Clock = {
    wallMs: () => now,
    monoMs: () => now,
    bootMs: () => now,
    bootId: () => '',
    sleep: async (ms) => {
      now += ms;
      for (const check of onTime.splice(0)) check();
      await Promise.resolve();
    },
  };
  const parts: InstallerParts = {
    clock,
    keys: {
      next: (signal) =>
        new Promise((resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
          const check = (): void => {
            const [first] = waiting;
            if (signal.aborted) return;
            if (first !== undefined && first.at * 1_000 <= now) {
              waiting.shift();
              resolve(first.key);
            } else onTime.push(check);
          };
          check();
        }),
    },
    branding: { product: 'Watch', support: 'call us' },
    wishes: { disk: null, reinstall, installId: MINE, bootLabel: 'CLINICINST', minDiskBytes: 14e9 },
    warnings: [],
    show: (screen: Screen) => void screens.push(screen.map(({ text }) => text).join('\n')),
    log: (line) => void did.push(line.split(' ')[0] ?? ''),
    release: () => Promise.resolve(void did.push('release')),
    readDisks: () => Promise.resolve(looks[Math.min(look++, looks.length - 1)] ?? []),
    steps: Object.entries(steps).map(([name, run]) => ({ name, doing: `Doing ${name}`, run })),
    powerOff: () => Promise.resolve(void did.push('power-off')),
  };
  return { did, screens, clock, running: runInstaller(parts) };
}

describe('one attempt of the installer', () => {
  it('counts down 30 seconds, installs, looks at what it wrote and switches off', async () => {
    const { running, did, screens, clock } = attempt({ looks: [[disk], [disk], [installed]] });
    await expect(running).resolves.toBe('installed');
    expect(did).toEqual(['release', 'countdown', 'step=erase', 'installed', 'power-off']);
    const seconds = screens.flatMap((text) => /In (\d+) seconds this disk is ERASED/.exec(text)?.[1] ?? []);
    expect(seconds).toEqual(Array.from({ length: 30 }, (_, i) => String(30 - i)));
    expect(screens.at(-1)).toContain('NOW TAKE THE STICK OUT');
    // The countdown, and twenty seconds for whoever takes the stick out.
    expect(clock.monoMs()).toBe(50_000);
  });

  it.each([0, 1, 15, 29])('stops at any key in second %d, writes nothing, and switches off when asked', async (at) => {
    const keys = [{ at, key: 'x' }, ...['q', '\r', 'P'].map((key) => ({ at, key }))];
    const { running, did, screens } = attempt({ looks: [[disk]], keys });
    await expect(running).resolves.toBe('stopped');
    expect(did).toEqual(['release', 'countdown', 'stopped', 'power-off']);
    expect(screens.at(-1)).toContain('Nothing was changed.');
  });

  it('counts down anew, from 30, when asked after a stop', async () => {
    const keys = [' ', 'i'].map((key) => ({ at: 3, key }));
    const { running, did, screens } = attempt({ looks: [[disk], [disk], [disk], [installed]], keys });
    await expect(running).resolves.toBe('installed');
    expect(did).toEqual(['release', 'countdown', 'stopped', 'countdown', 'step=erase', 'installed', 'power-off']);
    expect(screens.filter((text) => text.includes('In 30 seconds'))).toHaveLength(2);
  });

  it.each<[string, DiskFacts[]]>([
    ['the disk is another one now', [{ ...disk, serial: 'S2' }]],
    ['the disk is full of an install now', [installed]],
    ['a second disk came', [disk, { ...disk, name: 'sda', path: '/dev/sda' }]],
    ['the disk went', []],
    ['somebody mounted it', [{ ...disk, mounts: ['/mnt'] }]],
  ])('writes nothing when during the countdown %s', async (_what, disks) => {
    const { running, did } = attempt({ looks: [[disk], disks] });
    await expect(running).rejects.toBeInstanceOf(AgentError);
    expect(did.filter((line) => line.startsWith('step'))).toEqual([]);
  });

  it('does not take leave to erase an install for a disk that had none when it was announced', async () => {
    const { running, did } = attempt({ looks: [[disk], [installed]], reinstall: 'person' });
    await expectCodeAsync(running, 'installer_disk_changed');
    expect(did.filter((line) => line.startsWith('step'))).toEqual([]);
  });

  it('shows each disk with what is against it where there is none to take, and ends so that it is started anew', async () => {
    const stick = { ...disk, name: 'sda', transport: 'usb', isRemovable: true };
    const small = { ...disk, name: 'sdb', transport: 'sata', sizeBytes: 8e9 };
    const { running, screens } = attempt({ looks: [[stick, small]] });
    await expectCodeAsync(running, 'installer_no_disk');
    expect(screens.at(-1)).toMatch(/sda.*can be taken out[^]*sdb.*is too small/);
  });

  it('names the step that failed, and goes no further', async () => {
    const steps = {
      erase: () => Promise.resolve(),
      partition: () => Promise.reject(new AgentError('installer_step_failed', 'sgdisk: exit code 2')),
      esp: () => Promise.resolve(),
    };
    const { running, did, screens } = attempt({ looks: [[disk]], steps });
    await expectCodeAsync(running, 'installer_step_failed');
    expect(did.slice(-3)).toEqual(['step=erase', 'step=partition', 'failed']);
    expect(screens.at(-1)).toContain('While: Doing partition');
  });

  it('does not believe its tools: a disk that does not say afterwards that it is installed is not', async () => {
    const { running, did } = attempt({ looks: [[disk]] });
    await expectCodeAsync(running, 'installer_step_failed');
    expect(did).not.toContain('power-off');
  });
});
