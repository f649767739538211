import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createLog } from '../../../agent/system/log.ts';

const CANARY = 'CANARYc0ffee1234567890';
const ed25519 = generateKeyPairSync('ed25519').privateKey;
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

/** Every line that the log writes for one record, in all formats. */
function written(phrase: string, fields: Record<string, string>): string {
  const lines: string[] = [];
  for (const format of ['json', 'journal', 'terminal'] as const) {
    createLog({ format, write: (line) => void lines.push(line) }).info(phrase, fields);
    createLog({ format, write: (line) => void lines.push(line) })
      .child(fields)
      .info(phrase);
  }
  return lines.join('');
}

describe('redaction', () => {
  it.each([
    'token',
    'provision_token',
    'secret',
    'client_secret',
    'password',
    'Password',
    'passwd',
    'passphrase',
    'authorization',
    'Authorization',
    'cookie',
    'set_cookie',
    'private_key',
    'privateKey',
    'api_key',
    'apikey',
    'signing_key',
    'credential',
    'recovery_key',
    'pin',
  ])('a field named %s never shows its value', (key) => {
    expect(written('x', { [key]: CANARY })).not.toContain(CANARY);
  });

  it.each([
    ['a bearer token', `header was Authorization: Bearer ${CANARY}`],
    ['a basic credential', `Basic ${CANARY}`],
    ['a negotiate token', `Negotiate ${CANARY}==`],
    ['a password in a query', `https://c.example/?password=${CANARY}&x=1`],
    ['a token in JSON text', `{"token":"${CANARY}"}`],
    ['a quoted secret with spaces', `secret: "${CANARY} and ${CANARY}"`],
    ['a user part of a URL', `https://user:${CANARY}@central.example/`],
    ['a JSON web token', `eyJhbGciOiJIUzI1NiJ9.${CANARY}.${CANARY}`],
    ['an age key', `AGE-SECRET-KEY-1${CANARY.toUpperCase()}`],
  ])('%s inside a text is replaced', (_what, text) => {
    const output = written(text, { detail: text });
    expect(output.toLowerCase()).not.toContain(CANARY.toLowerCase());
    expect(output).toContain('[redacted]');
  });

  it.each([
    ['Ed25519', ed25519],
    ['P-256', p256],
  ])('a private key of %s is replaced as PEM, as a cut PEM and as base64', (_name, key) => {
    const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
    const base64 = key.export({ type: 'pkcs8', format: 'der' }).toString('base64');
    const body = pem.split('\n')[1] ?? '';
    expect(written(pem, { detail: pem })).not.toContain(body);
    expect(written('x', { detail: pem.slice(0, 80) })).not.toContain(body.slice(0, 20));
    expect(written('x', { detail: `key ${base64}` })).not.toContain(base64.slice(30));
  });

  it('what speaks about a secret without holding it stays readable', () => {
    const output = written('enrolled', { token_id: 'T-17', credential_version: '3', secret_path: '/run/keys/device' });
    for (const visible of ['T-17', '/run/keys/device', '3']) expect(output).toContain(visible);
    expect(output).not.toContain('[redacted]');
  });

  it('ordinary texts stay as they are', () => {
    const output = written('clock offset', { detail: 'NTP offset -540 ms from 10.0.0.7:123', sha: 'ab'.repeat(32) });
    expect(output).not.toContain('[redacted]');
  });
});
