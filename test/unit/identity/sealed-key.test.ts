// The device key as systemd hands it over: what counts, and what happens to the file that it was made as.
import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  dropSealedFile,
  keyFilesOf,
  loadDeviceSigner,
  loadKeys,
  loadOrCreateKeys,
  removeDeviceKey,
} from '../../../agent/identity/keys.ts';
import { KEY_CREDENTIAL, sealedKeyText } from '../../../agent/system/key-credential.ts';
import { expectCode } from '../../support/expect-code.ts';

let root: string;
let dir: string;
let credentials: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sealed-key-'));
  dir = join(root, 'keys');
  credentials = join(root, 'credentials');
  mkdirSync(credentials);
  process.env['CREDENTIALS_DIRECTORY'] = credentials;
});
afterEach(() => {
  delete process.env['CREDENTIALS_DIRECTORY'];
  rmSync(root, { recursive: true, force: true });
});

const handOver = (text: string): void => {
  const path = join(credentials, KEY_CREDENTIAL);
  writeFileSync(path, text);
  chmodSync(path, 0o400);
};
const fileOf = (name: string): string => readFileSync(join(dir, name), 'utf8');
const newKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

describe('a sealed device key', () => {
  it('takes the place of its file once the process was handed the same key', () => {
    const { signer, atRest } = loadOrCreateKeys(dir);
    expect(atRest).toBe('file');
    handOver(sealedKeyText(fileOf('device.key'), 'host+tpm2'));
    expect(dropSealedFile(dir, 1)).toBe(true);
    expect(readdirSync(dir).toSorted()).toEqual(['device.key.sealed', 'tls.key']);
    for (const keys of [loadOrCreateKeys(dir), loadKeys(dir, 1)!]) {
      expect([keys.signer.spki, keys.atRest]).toEqual([signer.spki, 'host+tpm2']);
    }
    expect(keyFilesOf(dir, 1, 'host+tpm2')).toEqual([join(dir, 'tls.key')]);
    expect(dropSealedFile(dir, 1)).toBe(false);
  });

  it('leaves the file of another key alone, and counts for nothing beside it', () => {
    const { signer } = loadOrCreateKeys(dir);
    handOver(sealedKeyText(newKey(), 'host'));
    expect(dropSealedFile(dir, 1)).toBe(false);
    expect([loadKeys(dir, 1)?.signer.spki, loadKeys(dir, 1)?.atRest]).toEqual([signer.spki, 'file']);
  });

  it('does not keep an appliance from seeing that its file is no key any more, nor a bad one from using its file', () => {
    const { signer } = loadOrCreateKeys(dir);
    const pem = fileOf('device.key');
    handOver('nonsense');
    expect(dropSealedFile(dir, 1)).toBe(false);
    expect(loadKeys(dir, 1)?.signer.spki).toBe(signer.spki);
    rmSync(join(credentials, KEY_CREDENTIAL));
    handOver(sealedKeyText(pem, 'host'));
    writeFileSync(join(dir, 'device.key'), 'not a key\n');
    expect(dropSealedFile(dir, 1)).toBe(false);
    expect(loadKeys(dir, 1)).toBeNull();
    delete process.env['CREDENTIALS_DIRECTORY'];
    expect(dropSealedFile(dir, 1)).toBe(false);
  });

  it('of somebody who was here before is not taken up: nothing in the folder names it', () => {
    const pem = newKey();
    handOver(sealedKeyText(pem, 'host'));
    expect(loadOrCreateKeys(dir).atRest).toBe('file');
    expect(fileOf('device.key')).not.toBe(pem);
  });

  it('that was not handed over is said, and no other key is made in its place', () => {
    loadOrCreateKeys(dir);
    handOver(sealedKeyText(fileOf('device.key'), 'host'));
    dropSealedFile(dir, 1);
    delete process.env['CREDENTIALS_DIRECTORY'];
    for (const load of [() => loadOrCreateKeys(dir), () => loadKeys(dir, 1), () => loadDeviceSigner(dir, 1)]) {
      expect(expectCode(load, 'key_unreadable').remedy).toContain('device.key.sealed');
    }
    expect(existsSync(join(dir, 'device.key'))).toBe(false);
  });

  it('of the epoch before does not pass for that of the next one', () => {
    loadOrCreateKeys(dir);
    handOver(sealedKeyText(fileOf('device.key'), 'host'));
    dropSealedFile(dir, 1);
    const next = loadOrCreateKeys(dir, 2);
    expect([next.atRest, loadKeys(dir, 2)?.signer.spki]).toEqual(['file', next.signer.spki]);
    expect(next.signer.spki).not.toBe(loadDeviceSigner(dir, 1)?.spki);
    expect(removeDeviceKey(dir, 1)).toBe(true);
    expect(readdirSync(dir).toSorted()).toEqual(['device-2.key', 'tls.key']);
    expect(removeDeviceKey(dir, 1)).toBe(false);
  });

  it.each([
    ['without its first line', (pem: string) => pem],
    ['sealed with something else', (pem: string) => `sealed with hope\n${pem}`],
  ])('%s is none of ours', (_, text) => {
    loadOrCreateKeys(dir);
    handOver(sealedKeyText(fileOf('device.key'), 'host'));
    dropSealedFile(dir, 1);
    rmSync(join(credentials, KEY_CREDENTIAL));
    handOver(text(newKey()));
    expectCode(() => loadOrCreateKeys(dir), 'key_malformed');
  });
});
