// The encryption check on headers that cryptsetup made, on this machine's own disk and on real plain file systems. The
// kernel's tree of block devices is a recorded one where device-mapper would have to make it.
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FactSet } from '../../agent/facts/probes.ts';
import { parseLuksHeader } from '../../agent/facts/luks-header.ts';
import { readFacts } from '../../agent/facts/read-facts.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { live as livePart } from '../support/check-rows.ts';
import { judgeLive } from '../support/judge-live.ts';
import { probeContext } from '../support/fixture-facts.ts';

const problem = spawnSync('cryptsetup', ['--version']).status === 0 ? null : 'needs cryptsetup';
const HEADER = livePart('header on a file, under a tree of block devices made for it', 'cryptsetup');
/** A header of 16 MiB, and what cryptsetup wants behind it. */
const VOLUME_BYTES = 32 * 1024 * 1024;
const FAST = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];

let images: string;
const image = (name: string): string => join(images, name);
const key = (name: string): string => join(images, `key-${name}`);

function run(argv: readonly [string, ...string[]], input?: string): void {
  const result = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8', ...(input === undefined ? {} : { input }) });
  if (result.status !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr}`);
}
function format(name: string, ...options: string[]): void {
  const fd = openSync(image(name), 'w');
  ftruncateSync(fd, VOLUME_BYTES);
  closeSync(fd);
  const fast = options.includes('luks1') ? FAST.slice(2) : FAST;
  run(['cryptsetup', 'luksFormat', '--batch-mode', ...fast, '--key-file', key('a'), ...options, image(name)]);
}
const addKey = (name: string): void =>
  run(['cryptsetup', 'luksAddKey', '--batch-mode', ...FAST, '--key-file', key('a'), image(name), key('b')]);
const addToken = (name: string, token: object): void =>
  run(['cryptsetup', 'token', 'import', image(name)], JSON.stringify(token));
/** As systemd-cryptenroll --tpm2-device writes it; the blob is not a TPM's. */
const tpm2Token = (slot: string): object => ({
  type: 'systemd-tpm2',
  keyslots: [slot],
  'tpm2-blob': 'AAAA',
  'tpm2-pcrs': [7],
  'tpm2-pcr-bank': 'sha256',
  'tpm2-policy-hash': '00',
  'tpm2-pin': false,
});

beforeAll(() => {
  if (problem !== null) return;
  images = mkdtempSync(join(tmpdir(), 'luks-'));
  for (const name of ['a', 'b']) writeFileSync(key(name), `key ${name}`, { mode: 0o600 });
  format('appliance', '--type', 'luks2', '--key-size', '512');
  addKey('appliance');
  addToken('appliance', tpm2Token('0'));
  addToken('appliance', { type: 'systemd-recovery', keyslots: ['1'] });
  format('only-tpm', '--type', 'luks2', '--key-size', '512');
  addToken('only-tpm', tpm2Token('0'));
  format('passphrase', '--type', 'luks2', '--key-size', '512');
  format('weak', '--type', 'luks2', '--cipher', 'aes-cbc-essiv:sha256', '--key-size', '128');
  addKey('weak');
  format('old', '--type', 'luks1', '--key-size', '512');
  addKey('old');
  run(['cp', image('appliance'), image('damaged')]);
  const fd = openSync(image('damaged'), 'r+');
  writeSync(fd, 'X', 5_000);
  closeSync(fd);
});
beforeEach((context) => context.skip(problem !== null, problem ?? ''));
afterAll(() => {
  if (problem === null) rmSync(images, { recursive: true, force: true });
});

const header = (name: string) => parseLuksHeader(readFileSync(image(name)).subarray(0, 4 * 1024 * 1024));

describe('headers that cryptsetup made', () => {
  it.each([
    ['appliance', { version: 2, cipher: 'aes-xts-plain64', keyBits: 512, keySlots: 2, tpm2: true, recoverySlots: 1 }],
    ['only-tpm', { version: 2, cipher: 'aes-xts-plain64', keyBits: 512, keySlots: 1, tpm2: true, recoverySlots: 0 }],
    ['passphrase', { version: 2, cipher: 'aes-xts-plain64', keyBits: 512, keySlots: 1, tpm2: false, recoverySlots: 0 }],
    ['weak', { version: 2, cipher: 'aes-cbc-essiv:sha256', keyBits: 128, keySlots: 2, tpm2: false, recoverySlots: 1 }],
    ['old', { version: 1, cipher: 'aes-xts-plain64', keyBits: 512, keySlots: 2, tpm2: false, recoverySlots: 1 }],
  ])('%s is read as cryptsetup made it', (name, expected) => {
    expect(header(name)).toEqual(expected);
  });

  it('one changed byte is found by the checksum', () => {
    expect(header('damaged')).toBe('damaged');
  });

  it('key slots, cipher and tokens are those that cryptsetup prints', () => {
    const dump = spawnSync('cryptsetup', ['luksDump', '--dump-json-metadata', image('appliance')], {
      encoding: 'utf8',
    });
    const said = JSON.parse(dump.stdout) as {
      keyslots: Record<string, { key_size: number }>;
      segments: Record<string, { encryption: string }>;
    };
    expect(header('appliance')).toMatchObject({
      cipher: said.segments['0']?.encryption,
      keySlots: Object.keys(said.keyslots).length,
      keyBits: (said.keyslots['0']?.key_size ?? 0) * 8,
    });
  });

  it('plain file systems and swap have no header', () => {
    for (const [name, argv] of [
      ['ext4', ['mkfs.ext4', '-q']],
      ['swap', ['mkswap', '-q']],
    ] as const) {
      writeFileSync(image(name), Buffer.alloc(VOLUME_BYTES));
      run([argv[0], ...argv.slice(1), image(name)]);
      expect(header(name)).toBe('none');
    }
  });
});

/** /sys, /dev and /proc of a machine whose device-mapper holds these volumes. */
function machine(dir: string, o: { readonly luks: string; readonly uuid?: string; readonly mounts?: string }): void {
  const device = (number: string, name: string): string => {
    const at = join(dir, 'sys/devices/block', name);
    mkdirSync(join(at, 'slaves'), { recursive: true });
    writeFileSync(join(at, 'dev'), `${number}\n`);
    mkdirSync(join(dir, 'sys/dev/block'), { recursive: true });
    mkdirSync(join(dir, 'sys/class/block'), { recursive: true });
    symlinkSync(at, join(dir, 'sys/dev/block', number));
    symlinkSync(at, join(dir, 'sys/class/block', name));
    return at;
  };
  const partition = device('8:2', 'sda2');
  device('8:1', 'sda1');
  const root = device('253:0', 'dm-0');
  mkdirSync(join(root, 'dm'));
  writeFileSync(join(root, 'dm/uuid'), `${o.uuid ?? 'CRYPT-LUKS2-0123456789abcdef0123456789abcdef-root'}\n`);
  symlinkSync(partition, join(root, 'slaves/sda2'));
  mkdirSync(join(dir, 'dev'));
  symlinkSync(image(o.luks), join(dir, 'dev/sda2'));
  mkdirSync(join(dir, 'proc/self'), { recursive: true });
  const lines = [
    '1 0 253:0 / / rw - ext4 /dev/mapper/root rw',
    '2 1 8:1 / /boot rw - vfat /dev/sda1 rw',
    '3 1 0:22 / /run rw - tmpfs tmpfs rw',
    o.mounts ?? '',
  ];
  writeFileSync(join(dir, 'proc/self/mountinfo'), `${lines.join('\n')}\n`);
  writeFileSync(join(dir, 'proc/swaps'), 'Filename\tType\tSize\tUsed\tPriority\n');
}

let dirs: string[] = [];
afterEach(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
  dirs = [];
});
async function judgeMachine(o: Parameters<typeof machine>[1]) {
  const dir = mkdtempSync(join(tmpdir(), 'machine-'));
  dirs.push(dir);
  machine(dir, o);
  const at = (name: string): string => join(dir, name);
  const places = { procDir: at('proc'), sysDir: at('sys'), devDir: at('dev') };
  return judgeLive(
    'encryption',
    await readFacts(['encryption'], probeContext({ clock: systemClock, ...places })),
    HEADER,
  );
}

describe('the encryption check on volumes of a real header', () => {
  it('passes an appliance whose disk has a TPM slot and a recovery slot, with only /boot in clear', async () => {
    expect(await judgeMachine({ luks: 'appliance' })).toMatchObject({
      result: 'pass',
      facts: { volumes: 1, volumes_encrypted: 1, volumes_ignored: 1, key_bits_least: 512, recovery_slots_least: 1 },
    });
  });

  it.each([
    ['no recovery slot', 'only-tpm', { recovery_slots_least: 0 }],
    ['one passphrase and nothing else', 'passphrase', { recovery_slots_least: 0, headers_tpm2: 0 }],
    ['a weak cipher', 'weak', { ciphers_undeclared: 1, key_bits_least: 128 }],
    ['LUKS1', 'old', { headers_luks1: 1 }],
    ['a damaged header', 'damaged', { headers_damaged: 1 }],
  ])('fails with %s', async (_what, luks, facts) => {
    expect(await judgeMachine({ luks })).toMatchObject({ result: 'fail', facts });
  });

  it('is unknown where the kernel says LUKS and the disk has no header', async () => {
    expect(await judgeMachine({ luks: 'key-a' })).toMatchObject({ result: 'unknown', facts: { headers_unread: 1 } });
  });

  it('is unknown for a mapping without a header, a network volume and a file system that nobody knows', async () => {
    expect((await judgeMachine({ luks: 'appliance', uuid: 'CRYPT-PLAIN-root' })).result).toBe('unknown');
    for (const mount of ['4 1 0:40 / /srv rw - nfs4 server:/srv rw', '4 1 0:41 / /tank rw - zfs tank rw'])
      expect((await judgeMachine({ luks: 'appliance', mounts: mount })).result).toBe('unknown');
  });

  it('one plain volume beside the encrypted one is a critical fail', async () => {
    const mounts = '4 1 8:1 / /srv rw - ext4 /dev/sda1 rw';
    expect(await judgeMachine({ luks: 'appliance', mounts })).toMatchObject({
      result: 'fail',
      severity: 'critical',
      facts: { volumes_clear: 1 },
    });
  });
});

describe('the encryption check on this machine', () => {
  const isRoot = process.getuid?.() === 0;
  /** In place of a loop device with a file system of its own: what is mounted here, as it is. */
  const live = async (): Promise<FactSet> =>
    readFacts(['encryption'], probeContext({ clock: systemClock, procDir: '/proc', deadlineMs: 10_000 }));

  it('finds the volume that / lies on, and says what lsblk says of it', async (context) => {
    context.skip(!isRoot, 'needs root');
    const facts = await live();
    if (facts.encryption?.status !== 'read') throw new Error(JSON.stringify(facts));
    const root = facts.encryption.value.volumes.find((volume) => volume.mountPoints.includes('/'));
    const source = spawnSync('findmnt', ['--noheadings', '--output', 'SOURCE', '/'], {
      encoding: 'utf8',
    }).stdout.trim();
    const types = spawnSync('lsblk', ['--inverse', '--noheadings', '--output', 'TYPE', source], { encoding: 'utf8' });
    context.skip(types.status !== 0, 'lsblk does not know what / lies on');
    expect(root?.protection).toBe(/\bcrypt\b/.test(types.stdout) ? 'luks' : 'clear');
    if (root?.protection === 'clear')
      expect(judgeLive('encryption', facts, livePart('disks of this machine')).result).toBe('fail');
  });

  it('finds a plain file system that is mounted from a file, down to the disk of that file', async (context) => {
    context.skip(!isRoot, 'needs root');
    const point = mkdtempSync(join(tmpdir(), 'plain-'));
    writeFileSync(image('mounted'), Buffer.alloc(VOLUME_BYTES));
    run(['mkfs.ext4', '-q', image('mounted')]);
    const mounted = spawnSync('mount', ['-o', 'loop', image('mounted'), point], { encoding: 'utf8' });
    try {
      context.skip(mounted.status !== 0, `this machine mounts no loop device: ${mounted.stderr}`);
      const { encryption } = await live();
      if (encryption?.status !== 'read') throw new Error(JSON.stringify(encryption));
      const of = (path: string) => encryption.value.volumes.find((volume) => volume.mountPoints.includes(path));
      const below = spawnSync('findmnt', ['--noheadings', '--output', 'TARGET', '--target', images], {
        encoding: 'utf8',
      });
      expect(of(point)?.protection).toBe(of(below.stdout.trim())?.protection ?? 'memory');
      expect(of(point)).toBeDefined();
    } finally {
      if (mounted.status === 0) run(['umount', point]);
      rmSync(point, { recursive: true });
    }
  });

  it('without root a header cannot be read, and the check is unknown', async (context) => {
    context.skip(!isRoot, 'needs root to become somebody else');
    const dir = mkdtempSync(join(tmpdir(), 'machine-'));
    dirs.push(dir);
    machine(dir, { luks: 'appliance' });
    run(['chmod', '-R', 'a+rX', dir]);
    run(['chmod', '711', images]);
    run(['chmod', '600', image('appliance')]);
    const program = join(import.meta.dirname, '../fixtures/programs/print-facts-at.ts');
    const at = { procDir: join(dir, 'proc'), sysDir: join(dir, 'sys'), devDir: join(dir, 'dev') };
    const tried = spawnSync('setpriv', ['--reuid=65534', '--clear-groups', process.execPath, program], {
      input: JSON.stringify({ names: ['encryption'], at }),
      encoding: 'utf8',
    });
    const facts = JSON.parse(tried.stdout) as FactSet;
    expect(judgeLive('encryption', facts, HEADER)).toMatchObject({
      result: 'unknown',
      facts: { unreadable_encryption: 'denied' },
    });
  });
});
