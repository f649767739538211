// The first start of an appliance, by a kernel of its own (User-Mode Linux) under full systemd with the units that the modules give:
// an encrypted disk as the installer leaves it, a TPM, sticks that are plugged in and pulled, a real Central Command, a power cut.
// Each test goes on from the one before it.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { HelperResult } from '../../agent/helpers/helper-result.ts';
import type { AgentStatus } from '../../agent/system/status-file.ts';
import { until } from '../../tools/demo/process.ts';
import { evaluateModule, nixProblem } from '../../tools/evaluate-module.ts';
import { installTree, launcherOf } from '../../tools/install-tree.ts';
import { bootedUml, bootedUmlProblem, type BootedUml } from '../support/booted-uml.ts';
import { CLINIC_DISK_TOOLS, clinicDisk, clinicStick, onStick, type ClinicDisk } from '../support/clinic-disk.ts';
import { CHECKOUT } from '../support/nspawn.ts';

const problem = bootedUmlProblem('swtpm', 'systemd-cryptenroll', ...CLINIC_DISK_TOOLS) ?? nixProblem();
const WITHIN_MS = 400_000;
const PREFIX = '/opt/compliance-agent';
const NODE = `${PREFIX}/bin/node`;
const AGENT = `${PREFIX}/bin/compliance-agent`;
const APPLIANCE = 'north-1';
const STATE = '/var/lib/compliance-agent';
const CENTRAL = `${NODE} ${CHECKOUT}/central/main.ts`;
/** Read by systemd's programs in that kernel, which has no device of a TPM. The port is that kernel's own. */
const TPM = 'swtpm:port=2321';

/** Quick, so that tests see several rounds. */
const SETTINGS = `{
  resellerId = "northwind-msp"; pollIntervalS = 2; checksIntervalS = 20; uploadIntervalS = 2; heartbeatIntervalS = 60;
}`;

const service = (exec: string, more = ''): string => `[Unit]\n${more}\n[Service]\nExecStart=${exec}\n`;
const CENTRAL_UNIT = service(
  `${CENTRAL} serve --data /srv/central --listen 127.0.0.1:8443 --checkin-interval 2 --claim-interval 2 --plain-keys --json`,
  'After=lab-shares.service\nRequires=lab-shares.service',
);
const TPM_UNIT = service(
  '/usr/bin/swtpm socket --tpm2 --tpmstate dir=/srv/tpm --flags not-need-init,startup-clear --server type=tcp,port=2321,bindaddr=127.0.0.1,disconnect --ctrl type=tcp,port=2322,bindaddr=127.0.0.1',
  'DefaultDependencies=no\nBefore=systemd-cryptsetup@clinic\\x2droot.service',
);
/** The one thing about the unit that is not the module's: how it reaches a TPM that is no device. */
const TPM_OVER_TCP = [
  ...['[Unit]', 'Requires=swtpm.service', 'After=swtpm.service', '[Service]', `Environment=SYSTEMD_TPM2_DEVICE=${TPM}`],
  ...['PrivateNetwork=no', 'IPAddressDeny=', 'RestrictAddressFamilies=AF_INET AF_ALG AF_NETLINK AF_UNIX', ''],
].join('\n');

/** The TPM is there first, and the installer's file system is made in the empty volume. */
const OPENER = [
  ...['[Unit]', 'Wants=swtpm.service clinic-first-unlock.service', 'After=swtpm.service clinic-first-unlock.service'],
  ...['[Service]', 'ExecStartPost=/bin/sh -c "blkid $MAP || mkfs.ext4 -q -L clinic-system $MAP; udevadm trigger $MAP"'],
  ...['Environment=MAP=/dev/mapper/clinic-root', ''],
].join('\n');

let dir: string;
let box: BootedUml;
let units: Readonly<Record<string, string>>;
let provision: Readonly<Record<string, string>>;
let disk: ClinicDisk;
let device: { readonly origin: string | null; readonly size: number };

/** On the host, before anything runs: Central Command's data, and what a stick is made of. */
function makeCentral(root: string): Record<string, string> {
  const central = (...args: string[]): void => {
    const paths = ['--data', join(root, 'srv/central')];
    const { status, stderr } = spawnSync(process.execPath, [join(CHECKOUT, 'central/main.ts'), ...args, ...paths], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr);
  };
  const keys = ['--keys', join(root, 'root/keys')];
  central('init', ...keys, '--partner', 'northwind-msp', '--person', 'Alex Example');
  central('site', 'add', 'north', '--customer', 'clinic');
  const made = join(dir, 'stick');
  central('usb', 'write', made, '--site', 'north', '--url', 'https://127.0.0.1:8443');
  const text = (name: string): string => readFileSync(join(made, name), 'utf8');
  // As an editor on Windows leaves it.
  const clinic = `\ufeff${text('clinic.yaml').replace(/\r?\n/g, '\r\n')}`;
  return { 'clinic.yaml': clinic, 'root.json': text('root.json'), 'ca.pem': text('ca.pem') };
}

beforeAll(async () => {
  if (problem !== null) return;
  dir = mkdtempSync('/var/tmp/first-boot-');
  const evaluated = evaluateModule({ settings: SETTINGS, appliance: true });
  const { configText, files, user } = evaluated;
  ({ units } = evaluated);
  disk = clinicDisk(dir);
  const own = Object.entries(units).filter(([name]) => !name.includes('egress'));
  const initrd = Object.entries(files).filter(([name]) => name.startsWith('initrd/'));
  const rules = Object.entries(files).filter(([path]) => /^etc\/(?:udev|polkit-1)\//.test(path));
  box = bootedUml({
    files: {
      ...Object.fromEntries(own.map(([name, text]) => [`/etc/systemd/system/${name}`, text])),
      // Before the root is there on a real machine; before /var is, here.
      ...Object.fromEntries(
        initrd.map(([name, text]) => [`/etc/systemd/system/${name.slice('initrd/'.length)}`, text]),
      ),
      ...Object.fromEntries(rules.map(([path, text]) => [`/${path}`, text])),
      '/etc/systemd/system/compliance-agent-seal-disk.service.d/tpm.conf': TPM_OVER_TCP,
      '/etc/systemd/system/central.service': CENTRAL_UNIT,
      '/etc/systemd/system/swtpm.service': TPM_UNIT,
      '/etc/systemd/system/systemd-cryptsetup@clinic\\x2droot.service.d/lab.conf': OPENER,
      // On a real machine the loader's volume is mounted here long after the disk is open.
      '/etc/systemd/system/boot.mount.d/lab.conf': '[Unit]\nAfter=clinic-first-unlock.service run-clinicboot.mount\n',
      '/etc/crypttab': `clinic-root /dev/disk/by-partlabel/clinic-root - tpm2-device=${TPM},headless=true\n`,
      '/etc/fstab':
        '/dev/mapper/clinic-root /var/lib ext4 noatime 0 0\n' +
        'LABEL=CLINICBOOT /boot vfat fmask=0077,dmask=0077,nosuid,nodev,noexec 0 0\n',
      '/etc/compliance-agent/config.yaml': configText,
      '/etc/sysusers.d/compliance-agent.conf': `u compliance-agent ${user.uid} "Compliance agent" ${STATE}\n`,
      '/etc/tmpfiles.d/lab.conf': files['etc/tmpfiles.d/compliance-agent.conf'] ?? '',
    },
    wanted: [
      ...['central.service', 'compliance-agent.service', 'compliance-agent-console.service'],
      ...['compliance-agent-seal-disk.service', 'compliance-agent-facts.timer'],
    ],
    shared: [CHECKOUT],
    disks: { ubda: disk.image },
  });
  mkdirSync(join(box.root, 'srv/tpm'), { recursive: true });
  const prefix = join(box.root, PREFIX);
  mkdirSync(join(prefix, 'bin'), { recursive: true });
  copyFileSync(process.execPath, join(box.root, NODE));
  installTree(NODE, join(CHECKOUT, 'node_modules'), prefix);
  writeFileSync(join(box.root, AGENT), launcherOf(NODE, `${PREFIX}/lib/compliance-agent/agent/main.js`));
  provision = makeCentral(box.root);
  await box.boot();
}, WITHIN_MS * 2);
beforeEach((context) => context.skip(problem !== null, problem ?? ''));
afterAll(async () => {
  if (problem !== null) return;
  await box.close();
  rmSync(dir, { recursive: true, force: true });
});

async function untilSeen<T>(what: string, script: string, when: (seen: T) => boolean): Promise<T> {
  return until(
    what,
    async () => {
      const text = await box.run(`${script} 2>/dev/null || true`);
      if (!text.trimStart().startsWith('{')) return null;
      const seen = JSON.parse(text) as T;
      return when(seen) ? seen : null;
    },
    WITHIN_MS,
  );
}
const untilStatus = (what: string, when: (status: AgentStatus) => boolean): Promise<AgentStatus> =>
  untilSeen(what, `cat ${STATE}/status.json`, when);
const untilStick = (what: string, when: (result: HelperResult) => boolean): Promise<HelperResult> =>
  untilSeen(what, 'cat /run/compliance-agent/helpers/config-stick.json', when);
const untilScreen = (what: string, text: string): Promise<true> =>
  until(
    what,
    () => (box.screen().includes(text) ? true : null),
    WITHIN_MS,
    () => box.screen().slice(-2_000),
  );
/** Pulls the stick once nobody has it mounted, and gives what the helper wrote on it. */
async function pull(image: string): Promise<string> {
  await until(
    'the stick is not mounted',
    async () => ((await box.run('findmnt -n /run/cliniccfg || true')) === '' ? true : null),
    WITHIN_MS,
  );
  box.unplug('ubdc');
  return onStick(image, 'clinic-result.txt');
}

describe('the first start of an appliance', () => {
  it("opens the disk by the installer's key once, gives it a key of the TPM, proves that, and keeps the installer's no longer", async () => {
    const said = await box.run('cat /run/compliance-agent/helpers/seal-disk.json');
    expect(JSON.parse(said)).toMatchObject({ outcome: 'done', details: { opens_with: 'tpm2', recovery_key: 'yes' } });
    expect(await box.run('ls /boot/compliance-agent')).toBe('install.json\nrecovery.age\n');
    const header = 'cryptsetup luksDump --dump-json-metadata /dev/disk/by-partlabel/clinic-root';
    const { keyslots } = JSON.parse(await box.run(header)) as { keyslots: Record<string, unknown> };
    expect(Object.keys(keyslots)).toEqual(['1', '2']);
    expect((await box.run('findmnt -n -o SOURCE /var/lib')).trim()).toBe('/dev/mapper/clinic-root');
  });

  it('runs the units that the modules give, byte for byte', async () => {
    for (const name of ['compliance-agent.service', 'compliance-agent-config-stick.service', 'run-cliniccfg.mount']) {
      expect(await box.run(`cat /etc/systemd/system/${name}`)).toBe(units[name]);
    }
  });

  it('says on the screen that it is not enrolled, and on a stick with a mistake which line is wrong', async () => {
    await untilScreen('the screen says what is missing', 'provision_missing');
    const wrong = { ...provision, 'clinic.yaml': (provision['clinic.yaml'] ?? '').replace('https://', 'http://') };
    const image = clinicStick(join(dir, 'wrong.img'), wrong);
    box.plug('ubdc', image);
    await untilStick('the stick is refused', ({ code }) => code === 'provision_invalid');
    const line = 'clinic.yaml:2: central_url must begin with https://, plain http:// is never used';
    expect((await pull(image)).split('\r\n')).toContain(line);
    expect(onStick(image, 'clinic.yaml')).toBe(wrong['clinic.yaml']);
    expect(await box.run('journalctl -o cat -u compliance-agent-config-stick')).toContain(`\n${line}\n`);
    await untilScreen('the screen says it too', 'must begin with https://');
  });

  it('names a stick whose file system is damaged as what it is', async () => {
    const image = clinicStick(join(dir, 'damaged.img'), provision);
    const bytes = readFileSync(image);
    // Number of entries in the root directory: one that fills no sector, which no file system has. Its label can still be read.
    bytes.writeUInt16LE(513, 17);
    writeFileSync(image, bytes);
    box.plug('ubdc', image);
    await untilStick('it is named', ({ code }) => code === 'stick_unreadable');
    await untilScreen('the screen says it too', 'its file system cannot be read');
    box.unplug('ubdc');
  });

  it('takes the right stick without a restart, overwrites its token, and tells it that it is enrolled', async () => {
    const before = await box.run('systemctl show -p MainPID --value compliance-agent');
    const image = clinicStick(join(dir, 'right.img'), provision);
    box.plug('ubdc', image);
    const { fingerprint } = await untilStatus('it waits for confirmation', ({ state }) => state === 'pending');
    await box.run(
      `${CENTRAL} appliance confirm ${fingerprint} --appliance-id ${APPLIANCE} --keys /root/keys --data /srv/central`,
    );
    await untilStick('the stick is told', ({ sentence }) => sentence.startsWith('Enrolled as north-1'));
    expect(await pull(image)).toContain('\r\nEnrolled as north-1 at site north.\r\n');
    expect(onStick(image, 'clinic.yaml')).toMatch(/^token: used-{42}\r$/m);
    expect(await box.run('systemctl show -p MainPID --value compliance-agent')).toBe(before);
    const copy = '/var/lib/compliance-agent-provision';
    expect((await box.run(`stat -c '%a %U %G' ${copy} ${copy}/clinic.yaml`)).trim().split('\n')).toEqual([
      '2750 root compliance-agent',
      '640 root compliance-agent',
    ]);
    expect(await box.run(`cat ${copy}/clinic.yaml`)).toMatch(/^token: used-{42}\r$/m);
  });

  it('says that people may leave once Central Command has stored its first report, and not before', async () => {
    const { stored_size, log } = await untilStatus('a report is stored', (s) => (s.stored_size ?? 0) > 0);
    await untilScreen('people may leave', 'YOU CAN LEAVE');
    device = { origin: log?.origin ?? null, size: Math.max(stored_size ?? 0, log?.size ?? 0) };
    const screen = box.screen();
    expect(screen.indexOf('provision_missing')).toBeLessThan(screen.indexOf('YOU CAN LEAVE'));
  });

  it("hands the sealed recovery key to Central Command, from where the owner's secret key opens the disk without its boot partition", async () => {
    const kept = await untilSeen<{ recovery_keys: { luks_uuid: string; sealed: string }[] }>(
      'Central Command has it',
      `${CENTRAL} appliance recovery-key ${APPLIANCE} --data /srv/central --json`,
      ({ recovery_keys: keys }) => keys.length > 0,
    );
    const [copy, ...others] = kept.recovery_keys;
    expect([copy?.luks_uuid, others]).toEqual([disk.luksUuid, []]);
    const opened = spawnSync('age', ['--decrypt', '--identity', disk.ownerKey], {
      input: copy?.sealed,
      encoding: 'utf8',
    });
    const key = /^recovery key: ([a-z-]{71})$/m.exec(opened.stdout)?.[1];
    const test = 'cryptsetup open --test-passphrase --key-slot 1 --key-file - /dev/disk/by-partlabel/clinic-root';
    expect(await box.run(`printf %s ${key} | ${test} && echo opens`)).toBe('opens\n');
    // The daemon could not have read it itself.
    const asDaemon = 'setpriv --reuid=compliance-agent --clear-groups cat /boot/compliance-agent/recovery.age';
    expect(await box.run(`${asDaemon} 2>&1 || true`)).toContain('Permission denied');
  });

  it('another stick for the enrolled appliance is refused, and keeps its token', async () => {
    const image = clinicStick(join(dir, 'second.img'), {
      ...provision,
      'clinic.yaml': `# 2\n${provision['clinic.yaml']}`,
    });
    box.plug('ubdc', image);
    await untilStick('it is refused', ({ code }) => code === 'already_enrolled');
    expect(await pull(image)).toContain('This appliance is enrolled already, as north-1 at site north.');
    expect(onStick(image, 'clinic.yaml')).not.toContain('used-');
  });
});

describe('the same appliance after a power cut', () => {
  it('opens its disk by the TPM, is who it was, and goes on with the log where it was', async () => {
    await box.cutPower();
    await box.boot();
    const opened = await box.run(
      'systemctl show -p ConditionResult --value clinic-first-unlock.service; findmnt -n -o SOURCE /var/lib',
    );
    expect(opened.trim().split('\n')).toEqual(['no', '/dev/mapper/clinic-root']);
    const status = await untilStatus(
      'it goes on',
      (s) => s.state === 'enrolled' && s.blocking_reason === null && (s.stored_size ?? 0) > device.size,
    );
    expect([status.appliance_id, status.log?.origin]).toEqual([APPLIANCE, device.origin]);
    // Fails where an entry is missing or was changed.
    const root = /^root_sha256: "?([0-9a-f]{64})/m.exec(provision['clinic.yaml'] ?? '')?.[1];
    const verdict = await box.run(`${AGENT} evidence verify --root-sha256 ${root} --json`);
    expect(JSON.parse(verdict)).toMatchObject({ ok: true, verdict: 'verified' });
  });
});
