// Where private keys and the one-time token may stand, and where not, on a site that has worked.
import { createPrivateKey } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { demoSite } from '../support/demo-site.ts';
import { filesIn, spellings } from '../support/secret-spellings.ts';

/** The secret part of a private key in PEM. */
function secretOf(pem: string): Buffer {
  return Buffer.from(createPrivateKey(pem).export({ format: 'jwk' }).d ?? '', 'base64url');
}

describe('the secrets of an appliance', () => {
  const site = demoSite(['log_level: debug']);

  it('private keys and token stand in their own files only: not in logs, evidence, status, command lines or at Central Command', async () => {
    await site.provision();
    const { token } = parse(readFileSync(join(site.paths.provision, 'clinic.yaml'), 'utf8')) as { token: string };
    site.startAgent();
    await site.confirm();
    await site.issue('collect_diagnostics', { items: ['status', 'versions', 'trust', 'queue', 'findings', 'orders'] });
    await site.untilStatus(
      'it has worked and all is stored',
      (s) => (s.log?.size ?? 0) > 8 && s.stored_size === s.log?.size,
    );
    const pid = String(site.agentProcess()?.pid);
    const commandLine = readFileSync(join('/proc', pid, 'cmdline'));
    const environment = readFileSync(join('/proc', pid, 'environ'));
    for (const verb of [['status'], ['evidence', 'list', '--lines'], ['orders'], ['config', 'show'], ['facts']]) {
      const { output } = await site.cli(...verb, '--json');
      writeFileSync(join(site.paths.state, '..', `said-${verb.join('-')}.txt`), output);
    }
    await site.endAgent('SIGTERM');
    await site.endCentral('SIGTERM');

    const keyDir = join(site.paths.state, 'keys');
    expect(readdirSync(keyDir).toSorted()).toEqual(['device.key', 'identity.json', 'tls.key']);
    const keys = readdirSync(keyDir).filter((name) => name.endsWith('.key'));
    const canaries = keys.flatMap((name) => spellings(secretOf(readFileSync(join(keyDir, name), 'utf8'))));
    canaries.push(...spellings(Buffer.from(token, 'base64')));
    const found = (bytes: Buffer): boolean => canaries.some((canary) => bytes.includes(canary));
    // The search finds what is there.
    expect(found(readFileSync(join(keyDir, 'device.key')))).toBe(true);
    expect(found(readFileSync(join(keyDir, 'tls.key')))).toBe(true);

    const files = filesIn(join(site.paths.state, '..')).filter((path) => !keys.includes(basename(path)));
    expect(files.length).toBeGreaterThan(12);
    expect(files.filter((path) => found(readFileSync(path)))).toEqual([]);
    expect([found(commandLine), found(environment)]).toEqual([false, false]);
  });

  it('no file of the state directory can be read by others', () => {
    const open = filesIn(site.paths.state).filter((path) => (statSync(path).mode & 0o007) !== 0);
    expect(open).toEqual([]);
    expect(statSync(site.paths.state).mode & 0o007).toBe(0);
  });
});
