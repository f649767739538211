// Reads what machine this is: make, model, serial, firmware, processor, memory, disks, system. For people who ask (`facts host`);
// no check rests on it and the daemon never reads it, since the library behind it costs more memory than all other probes.
import type { Systeminformation } from 'systeminformation';
import type { Probe } from './probe.ts';

export interface HostFacts {
  /** Null where the firmware does not say; the serial number is root's to read. */
  readonly manufacturer: string | null;
  readonly model: string | null;
  readonly serial: string | null;
  readonly bios: { readonly vendor: string | null; readonly version: string | null; readonly date: string | null };
  readonly processor: string | null;
  /** Logical ones. */
  readonly processors: number;
  readonly memoryMib: number;
  readonly system: {
    readonly name: string | null;
    readonly version: string | null;
    readonly kernel: string | null;
    readonly architecture: string | null;
    readonly uefi: boolean | null;
  };
  /** Whole disks that have a size, by name. */
  readonly disks: readonly {
    readonly name: string;
    readonly sizeMib: number;
    readonly model: string | null;
    readonly removable: boolean;
  }[];
}

const MIB = 1024 * 1024;
/** What stands in a field where the maker wrote nothing, and what the library guesses from a file `/.dockerenv`. */
const SAYS_NOTHING =
  /^(?:-|none|not specified|to be filled by o\.e\.m\.|default string|system (?:manufacturer|product name|serial number|version)|unknown|docker container)?$/i;
const MAX_TEXT = 120;

/** Pure. Null where the text says nothing. */
export function said(text: string | null | undefined): string | null {
  const trimmed = (text ?? '').trim().slice(0, MAX_TEXT);
  return SAYS_NOTHING.test(trimmed) ? null : trimmed;
}

export interface Inventory {
  readonly system: Systeminformation.SystemData;
  readonly bios: Systeminformation.BiosData;
  readonly os: Systeminformation.OsData;
  readonly cpu: Systeminformation.CpuData;
  readonly mem: Systeminformation.MemData;
  readonly blocks: readonly Systeminformation.BlockDevicesData[];
}

/** Pure. */
export function hostFacts({ system, bios, os, cpu, mem, blocks }: Inventory): HostFacts {
  const processor = [said(cpu.manufacturer), said(cpu.brand)].filter((part) => part !== null).join(' ');
  return {
    manufacturer: said(system.manufacturer),
    model: said(system.model),
    serial: said(system.serial),
    bios: { vendor: said(bios.vendor), version: said(bios.version), date: said(bios.releaseDate) },
    processor: processor === '' ? null : processor,
    processors: cpu.cores,
    memoryMib: Math.floor(mem.total / MIB),
    system: {
      name: said(os.distro),
      version: said(os.release),
      kernel: said(os.kernel),
      architecture: said(os.arch),
      uefi: os.uefi,
    },
    disks: blocks
      .filter(({ type, size }) => type === 'disk' && size > 0)
      .map(({ name, size, model, removable }) => ({
        name,
        sizeMib: Math.floor(size / MIB),
        model: said(model),
        removable,
      }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

export const hostProbe: Probe<HostFacts> = {
  name: 'host',
  async read() {
    // Loaded on first use only: 11 MiB and a sixth of a second (docs/decisions/0013).
    const library = await import('systeminformation');
    const [system, bios, os, cpu, mem, blocks] = await Promise.all([
      library.system(),
      library.bios(),
      library.osInfo(),
      library.cpu(),
      library.mem(),
      library.blockDevices(),
    ]);
    return hostFacts({ system, bios, os, cpu, mem, blocks });
  },
};
