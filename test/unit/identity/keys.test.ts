import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  existsSync,
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
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { loadOrCreateKeys } from '../../../agent/identity/keys.ts';
import { makeCsr } from '../../../agent/identity/make-csr.ts';
import { expectCode } from '../../support/expect-code.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'keys-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const pem = (type: 'ec' | 'rsa' | 'ed25519', curve = 'P-256'): string => {
  const { privateKey } =
    type === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: curve })
      : type === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ed25519');
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
};
const put = (name: string, content: string, mode = 0o600): void => {
  writeFileSync(join(dir, name), content);
  chmodSync(join(dir, name), mode);
};

describe('the keys of the device', () => {
  it('are made once, readable by their owner only, and the same ever after', () => {
    const state = join(dir, 'state');
    const first = loadOrCreateKeys(state);
    expect(readdirSync(state).toSorted()).toEqual(['device.key', 'tls.key']);
    for (const name of ['device.key', 'tls.key']) expect(statSync(join(state, name)).mode & 0o777).toBe(0o600);
    const second = loadOrCreateKeys(state);
    expect([second.signer.spki, second.tlsSpki, second.tlsKeyPem]).toEqual([
      first.signer.spki,
      first.tlsSpki,
      first.tlsKeyPem,
    ]);
  });

  it('are an Ed25519 key and an uncompressed P-256 key, as the formats require', () => {
    const keys = loadOrCreateKeys(dir);
    expect(keys.signer.spki).toMatch(/^MCowBQYDK2VwAyEA/);
    expect(keys.tlsSpki).toMatch(/^MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE/);
    expect(keys.tlsSpki).toHaveLength(124);
  });

  it('come whole when an earlier start was cut off between the two', () => {
    const { signer } = loadOrCreateKeys(dir);
    rmSync(join(dir, 'tls.key'));
    expect(loadOrCreateKeys(dir).signer.spki).toBe(signer.spki);
    expect(existsSync(join(dir, 'tls.key'))).toBe(true);
  });

  it('are never replaced, whatever is wrong with their file', () => {
    for (const content of [
      '',
      'not a key',
      '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
      pem('rsa'),
    ]) {
      put('device.key', content);
      expectCode(() => loadOrCreateKeys(dir), 'key_malformed');
      expect(readFileSync(join(dir, 'device.key'), 'utf8')).toBe(content);
    }
  });

  it.each([
    ['device.key', 'a P-256 key', () => pem('ec')],
    ['device.key', 'an RSA key', () => pem('rsa')],
    ['tls.key', 'an Ed25519 key', () => pem('ed25519')],
    ['tls.key', 'a P-384 key', () => pem('ec', 'P-384')],
  ])('refuse in %s %s', (name, _what, make) => {
    put(name, make());
    expectCode(() => loadOrCreateKeys(dir), 'key_malformed');
  });

  it('refuse an encrypted key, for nobody is there to type its passphrase', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    put(
      'device.key',
      privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString(),
    );
    expectCode(() => loadOrCreateKeys(dir), 'key_malformed');
  });

  it.each([0o644, 0o640, 0o604, 0o660, 0o777])('refuse a key file of mode %o', (mode) => {
    put('device.key', pem('ed25519'), mode);
    expectCode(() => loadOrCreateKeys(dir), 'key_permissions');
  });

  it('refuse a directory in the place of a key file', () => {
    mkdirSync(join(dir, 'device.key'));
    expectCode(() => loadOrCreateKeys(dir), 'key_unreadable');
  });

  it('never quote what stands in a key file', () => {
    put('device.key', 'secret canary');
    const error = expectCode(() => loadOrCreateKeys(dir), 'key_malformed');
    expect(JSON.stringify([error.message, error.details, String(error.cause)])).not.toContain('canary');
  });

  it('say so when their directory cannot be written', () => {
    writeFileSync(join(dir, 'file'), '');
    expectCode(() => loadOrCreateKeys(join(dir, 'file', 'keys')), 'file_missing');
  });
});

describe('the certificate request', () => {
  it('is read and verified by an independent library, and names our key', async () => {
    const keys = loadOrCreateKeys(dir);
    const request = new x509.Pkcs10CertificateRequest(Buffer.from(makeCsr(keys.tlsKeyPem, 'device 1234'), 'base64'));
    expect(await request.verify()).toBe(true);
    expect(request.subject).toBe('CN=device 1234');
    expect(Buffer.from(request.publicKey.rawData).toString('base64')).toBe(keys.tlsSpki);
    expect(request.attributes).toEqual([]);
  });

  it('is read and verified by OpenSSL', () => {
    const keys = loadOrCreateKeys(dir);
    const path = join(dir, 'request.der');
    writeFileSync(path, Buffer.from(makeCsr(keys.tlsKeyPem, 'x'.repeat(64)), 'base64'));
    const out = execFileSync('openssl', ['req', '-inform', 'DER', '-in', path, '-verify', '-noout', '-subject'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(out.toString()).toContain('x'.repeat(64));
  });

  it('verifies for a hundred keys, whatever the lengths of their signatures', async () => {
    for (let i = 0; i < 100; i++) {
      const request = new x509.Pkcs10CertificateRequest(Buffer.from(makeCsr(pem('ec'), `d${i}`), 'base64'));
      expect(await request.verify()).toBe(true);
    }
  });
});
