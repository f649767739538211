import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ESP_FOLDER, INSTALL_FILE, RECOVERY_FILE } from '../../../iso/installer/layout.ts';
import type { ProbeContext } from '../../../agent/facts/probe.ts';
import { readFact } from '../../../agent/facts/read-facts.ts';
import { INSTALLER_FOLDER, recoveryKeyProbe } from '../../../agent/facts/recovery-key.ts';
import { isAgeFile, MAX_SEALED_BYTES } from '../../../agent/wire/age-file.ts';
import { makeOwner, VOLUME } from '../../support/sealed-keys.ts';

const SECRET = 'recovery key: cbdefghi-jklnrtuv';
const OWN_UID = process.getuid?.() ?? 0;
let armored: string;
let large: Buffer;
let dir: string;
let folder: string;

beforeAll(async () => {
  const owner = await makeOwner();
  armored = await owner.seal(SECRET);
  large = await owner.sealBinary('x'.repeat(MAX_SEALED_BYTES));
});
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'boot-'));
  folder = join(dir, ESP_FOLDER);
  mkdirSync(folder, { mode: 0o700 });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const put = (name: string, content: string | Uint8Array, mode = 0o600): void =>
  writeFileSync(join(folder, name), content, { mode });
/** `owner`: whose the files have to be. */
const read = (owner = OWN_UID) =>
  readFact(recoveryKeyProbe(isAgeFile, { folder, rootUid: owner }), {
    clock: { wallMs: () => 1_790_000_000_000 },
    deadlineMs: 5_000,
  } as unknown as ProbeContext);
const reasonOf = async (owner = OWN_UID): Promise<string> => {
  const fact = await read(owner);
  // Whatever is wrong with it, nothing of the file is in what is said.
  expect(JSON.stringify(fact)).not.toContain('cbdefghi');
  return fact.status === 'read' ? 'read' : fact.reason;
};

describe('the sealed recovery key on the boot partition', () => {
  it('is read where the installer leaves it, byte for byte, with the volume that it opens', async () => {
    put(RECOVERY_FILE, armored);
    put(INSTALL_FILE, `${JSON.stringify({ schema: 'compliance-agent/install/v1', luks_uuid: VOLUME })}\n`);
    const sealed = Buffer.from(armored).toString('base64');
    expect(await read()).toMatchObject({ status: 'read', value: { key: { sealed, luksUuid: VOLUME } } });
    expect(INSTALLER_FOLDER).toBe(`/boot/${ESP_FOLDER}`);
  });

  it('is none on a machine that the installer did not install', async () => {
    expect(await read()).toMatchObject({ status: 'read', value: { key: null } });
    rmSync(folder, { recursive: true });
    expect(await read()).toMatchObject({ status: 'read', value: { key: null } });
  });

  it('is handed on without its volume where the note of the installer is missing, damaged, not root’s or somebody’s invention', async () => {
    put(RECOVERY_FILE, armored);
    const volume = async () => (await read()) as { value?: { key: { luksUuid: string | null } } };
    for (const note of [null, '', '{', '[]', '{"luks_uuid":1}', `{"luks_uuid":"${VOLUME.toUpperCase()}"}`]) {
      if (note !== null) put(INSTALL_FILE, note);
      expect((await volume()).value?.key.luksUuid).toBe(null);
    }
    put(INSTALL_FILE, `{"luks_uuid":"${VOLUME}"}`);
    chmodSync(join(folder, INSTALL_FILE), 0o666);
    expect((await volume()).value?.key.luksUuid).toBe(null);
  });

  it('is not handed on where it is not sealed, and what it says is told to nobody', async () => {
    for (const text of ['', SECRET, `age-encryption.org/v1\n${SECRET}`, `${armored}\n${SECRET}`]) {
      put(RECOVERY_FILE, text);
      expect(await reasonOf()).toBe('unparsable');
    }
  });

  it('is not handed on where it is too large', async () => {
    put(RECOVERY_FILE, large);
    expect(await reasonOf()).toBe('too_much_output');
  });

  it('is not handed on where others than root could have written it or its folder', async () => {
    put(RECOVERY_FILE, armored);
    expect(await reasonOf(OWN_UID + 1)).toBe('untrusted');
    chmodSync(join(folder, RECOVERY_FILE), 0o620);
    expect(await reasonOf()).toBe('untrusted');
    chmodSync(join(folder, RECOVERY_FILE), 0o600);
    expect(await reasonOf()).toBe('read');
    chmodSync(folder, 0o777);
    expect(await reasonOf()).toBe('untrusted');
  });

  it('is not handed on through a link, and no folder passes for it', async () => {
    const elsewhere = join(dir, 'elsewhere');
    writeFileSync(elsewhere, armored, { mode: 0o600 });
    symlinkSync(elsewhere, join(folder, RECOVERY_FILE));
    expect(await reasonOf()).toBe('untrusted');
    rmSync(join(folder, RECOVERY_FILE));
    mkdirSync(join(folder, RECOVERY_FILE));
    expect(await reasonOf()).toBe('untrusted');
    rmSync(folder, { recursive: true });
    mkdirSync(join(dir, 'real'), { mode: 0o700 });
    symlinkSync(join(dir, 'real'), folder);
    expect(await reasonOf()).toBe('untrusted');
  });
});
