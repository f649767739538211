// The steps of an installation, in order. A later run knows nothing of an earlier one: it begins with the first step, and until the
// last write of the last step the disk counts as not installed.
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { OpenedPartner } from '../../agent/trust/partner-file.ts';
import { writeFileAtomic } from '../../agent/system/files.ts';
import type { Clock, Exec, Ids } from '../../agent/system/ports.ts';
import type { DiskFacts } from './disk-facts.ts';
import {
  ESP_FOLDER,
  ESP_LABEL,
  ESP_NAME,
  ESP_SIZE_MIB,
  ESP_START_MIB,
  ESP_TYPE,
  FINISHED_LABEL,
  INSTALL_FILE,
  LUKS_TYPE,
  MAPPER_NAME,
  ONE_TIME_SLOT,
  partitionPath,
  RECOVERY_FILE,
  RECOVERY_SLOT,
  ROOT_NAME,
  ROOT_START_MIB,
  SUBSYSTEM,
  SYSTEM_LABEL,
  UNFINISHED_LABEL,
  UNLOCK_FILE,
  wipedRegions,
} from './layout.ts';
import { provisionTexts } from './provision-texts.ts';
import { RECOVERY_KEY_BYTES, recoveryKeyText, recoveryNote } from './recovery-key.ts';
import type { InstallerSettings } from './settings.ts';
import { tool } from './tool.ts';
import { flush, wipe } from './wipe.ts';

export interface Work {
  readonly exec: Exec;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly settings: InstallerSettings;
  readonly partner: OpenedPartner;
  readonly installId: string;
  /** In memory: keys lie in a folder of it until the machine is switched off, and the new system is mounted in another. */
  readonly workDir: string;
}

interface Step {
  readonly name: string;
  /** For people: what goes on. */
  readonly doing: string;
  readonly run: (work: Work, disk: DiskFacts) => Promise<void>;
}

/** Copying the closure to a slow eMMC takes minutes. */
const INSTALL_DEADLINE_MS = 3_600_000;
/** For the kernel to show new partitions. */
const NODES_WITHIN_MS = 30_000;
const POLL_MS = 100;
const ONE_TIME_KEY_BYTES = 64;
/** Keys of 256 random bits and more need no stretching: this only keeps cryptsetup from measuring the machine. */
const PLAIN_KEY = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];
const MAPPER = `/dev/mapper/${MAPPER_NAME}`;

const targetOf = ({ workDir }: Work): string => join(workDir, 'target');
const keysOf = ({ workDir }: Work): string => join(workDir, 'keys');
const oneTimeKey = (work: Work): string => join(keysOf(work), 'one-time.key');
const recoveryKey = (work: Work): string => join(keysOf(work), 'recovery.key');
const sealedKey = (work: Work): string => join(keysOf(work), RECOVERY_FILE);
const volumeOf = (disk: DiskFacts): string => partitionPath(disk.path, 2);
const subsystemOf = ({ installId }: Work): string => `${SUBSYSTEM}:${installId}`;

/** Lets go of what an earlier run in this same start had opened, so that its disk does not count as in use. */
export async function release(work: Work): Promise<void> {
  const target = targetOf(work);
  if (isMounted(target)) await tool(work.exec, ['umount', '--recursive', target]);
  if (existsSync(MAPPER)) await tool(work.exec, ['cryptsetup', 'close', MAPPER_NAME]);
  rmSync(keysOf(work), { recursive: true, force: true });
  // nixos-install refuses a target that not everybody can reach; the keys are nobody's but root's.
  mkdirSync(target, { recursive: true, mode: 0o755 });
  mkdirSync(keysOf(work), { mode: 0o700 });
}

export const STEPS: readonly Step[] = [
  {
    name: 'erase',
    doing: 'Erasing what was there',
    run: (_work, disk) => Promise.resolve(wipe(disk.path, wipedRegions(disk.sizeBytes))),
  },
  { name: 'partition', doing: 'Dividing the disk', run: partition },
  {
    name: 'esp',
    doing: 'Making the boot partition',
    run: async ({ exec }, disk) => {
      await tool(exec, ['mkfs.vfat', '-F', '32', '-n', ESP_LABEL, partitionPath(disk.path, 1)]);
    },
  },
  { name: 'encrypt', doing: 'Encrypting the rest', run: encrypt },
  { name: 'recovery', doing: 'Sealing the recovery key to its owner', run: recovery },
  { name: 'filesystem', doing: 'Making the file system', run: fileSystem },
  { name: 'system', doing: 'Copying the system (some minutes)', run: copySystem },
  { name: 'partner', doing: 'Writing who it belongs to', run: writePartner },
  { name: 'finish', doing: 'Finishing', run: finish },
];

async function partition({ exec, clock }: Work, disk: DiskFacts): Promise<void> {
  await tool(exec, [
    'sgdisk',
    '--clear',
    `--new=1:${ESP_START_MIB}M:+${ESP_SIZE_MIB}M`,
    `--typecode=1:${ESP_TYPE}`,
    `--change-name=1:${ESP_NAME}`,
    `--new=2:${ROOT_START_MIB}M:0`,
    `--typecode=2:${LUKS_TYPE}`,
    `--change-name=2:${ROOT_NAME}`,
    disk.path,
  ]);
  await tool(exec, ['partx', '--update', disk.path]);
  const nodes = [partitionPath(disk.path, 1), partitionPath(disk.path, 2)];
  const end = clock.monoMs() + NODES_WITHIN_MS;
  while (!nodes.every((path) => existsSync(path))) {
    if (clock.monoMs() > end)
      throw new AgentError('installer_step_failed', 'the kernel does not show the new partitions');
    await clock.sleep(POLL_MS);
  }
}

async function encrypt(work: Work, disk: DiskFacts): Promise<void> {
  writeFileAtomic(oneTimeKey(work), work.ids.randomBytes(ONE_TIME_KEY_BYTES));
  await tool(work.exec, [
    ...(['cryptsetup', 'luksFormat', '--batch-mode', '--type', 'luks2', ...PLAIN_KEY] as const),
    ...['--label', UNFINISHED_LABEL, '--subsystem', subsystemOf(work)],
    ...['--key-slot', String(ONE_TIME_SLOT), '--key-file', oneTimeKey(work), volumeOf(disk)],
  ]);
}

/** The recovery key is proven to open the volume before it is sealed, since nobody here can read it afterwards. */
async function recovery(work: Work, disk: DiskFacts): Promise<void> {
  const { exec, ids, clock, partner } = work;
  const volume = volumeOf(disk);
  const key = recoveryKeyText(ids.randomBytes(RECOVERY_KEY_BYTES));
  writeFileAtomic(recoveryKey(work), key);
  await tool(exec, [
    ...(['cryptsetup', 'luksAddKey', '--batch-mode', ...PLAIN_KEY] as const),
    ...['--key-file', oneTimeKey(work), '--new-key-slot', String(RECOVERY_SLOT), volume, recoveryKey(work)],
  ]);
  const slot = ['--key-slot', String(RECOVERY_SLOT)];
  await tool(exec, ['cryptsetup', 'open', '--test-passphrase', ...slot, '--key-file', recoveryKey(work), volume]);
  const note = recoveryNote({
    key,
    luksUuid: await uuidOf(work, volume),
    partnerId: partner.partner.partner_id,
    diskModel: disk.model,
    diskSerial: disk.serial,
    installedAt: Math.floor(clock.wallMs() / 1_000),
  });
  const recipients = partner.partner.recovery_recipients.flatMap((recipient) => ['--recipient', recipient]);
  writeFileAtomic(sealedKey(work), await tool(exec, ['age', '--encrypt', '--armor', ...recipients], { stdin: note }));
  rmSync(recoveryKey(work));
}

const uuidOf = async ({ exec }: Work, volume: string): Promise<string> =>
  (await tool(exec, ['cryptsetup', 'luksUUID', volume])).toString().trim();

async function fileSystem(work: Work, disk: DiskFacts): Promise<void> {
  const { exec } = work;
  const target = targetOf(work);
  await tool(exec, ['cryptsetup', 'open', '--key-file', oneTimeKey(work), volumeOf(disk), MAPPER_NAME]);
  await tool(exec, ['mkfs.ext4', '-q', '-F', '-L', SYSTEM_LABEL, MAPPER]);
  await tool(exec, ['mount', '-t', 'ext4', '-o', 'noatime', MAPPER, target]);
  mkdirSync(join(target, 'boot'));
  const esp = partitionPath(disk.path, 1);
  await tool(exec, ['mount', '-t', 'vfat', '-o', 'fmask=0177,dmask=0077', esp, join(target, 'boot')]);
}

/** Everything comes from the store of the stick; no network is asked. */
async function copySystem(work: Work): Promise<void> {
  const options = [
    '--root',
    targetOf(work),
    '--system',
    work.settings.system,
    '--no-root-password',
    '--no-channel-copy',
  ];
  await tool(work.exec, ['nixos-install', ...options], { deadlineMs: INSTALL_DEADLINE_MS, env: { HOME: '/root' } });
}

async function writePartner(work: Work, disk: DiskFacts): Promise<void> {
  const { settings, partner, clock } = work;
  const target = targetOf(work);
  const provision = join(target, settings.provision_dir);
  mkdirSync(provision, { recursive: true });
  own(provision, settings.provision_gid, 0o750);
  for (const [name, text] of Object.entries(provisionTexts(partner))) {
    const path = join(provision, name);
    writeFileAtomic(path, text);
    own(path, settings.provision_gid, 0o640);
  }
  const boot = join(target, 'boot', ESP_FOLDER);
  mkdirSync(boot, { recursive: true });
  writeFileAtomic(join(boot, UNLOCK_FILE), readFileSync(oneTimeKey(work)));
  writeFileAtomic(join(boot, RECOVERY_FILE), readFileSync(sealedKey(work)));
  const install = {
    schema: 'compliance-agent/install/v1',
    install_id: work.installId,
    partner_id: partner.partner.partner_id,
    system: settings.system,
    luks_uuid: await uuidOf(work, volumeOf(disk)),
    installed_at: Math.floor(clock.wallMs() / 1_000),
  };
  writeFileAtomic(join(boot, INSTALL_FILE), `${JSON.stringify(install)}\n`);
}

/** Root's, and readable by the agent: it must not be able to change what says whom it trusts. */
function own(path: string, gid: number, mode: number): void {
  chownSync(path, 0, gid);
  chmodSync(path, mode);
}

/** The label is the last write, and everything before it is on the disk by then. */
async function finish(work: Work, disk: DiskFacts): Promise<void> {
  const { exec } = work;
  await tool(exec, ['umount', '--recursive', targetOf(work)]);
  await tool(exec, ['cryptsetup', 'close', MAPPER_NAME]);
  flush(disk.path);
  const names = ['--label', FINISHED_LABEL, '--subsystem', subsystemOf(work)];
  await tool(exec, ['cryptsetup', 'config', ...names, volumeOf(disk)]);
  flush(disk.path);
  await release(work);
}

const isMounted = (path: string): boolean =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[1] === path);
