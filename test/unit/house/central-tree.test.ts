// What a server gets of this repository for Central Command, and that it works without the rest.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installTree, librariesOf } from '../../../tools/install-tree.ts';

const REPO = join(import.meta.dirname, '../../..');
const lock = JSON.parse(readFileSync(join(REPO, 'package-lock.json'), 'utf8')) as Parameters<typeof librariesOf>[0];

let out: string;
beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), 'central-tree-'));
  installTree(process.execPath, join(REPO, 'node_modules'), out, 'central-command');
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

const lib = (...names: string[]): string => join(out, 'lib/central-command', ...names);
const central = (...args: string[]) => spawnSync(join(out, 'bin/central-command'), args, { encoding: 'utf8' });

describe('the tree that Central Command runs from', () => {
  it('holds what it shares with the agent and nothing that acts on an appliance', () => {
    const rooms = readdirSync(lib('agent'));
    expect(rooms).toEqual(expect.arrayContaining(['wire', 'trust', 'verify', 'report']));
    const acting = ['daemon', 'cli', 'healing', 'helpers', 'execution', 'winrm', 'store', 'identity', 'uplink'];
    expect(rooms.filter((room) => acting.includes(room))).toEqual([]);
  });

  it('holds its own libraries, and not those that only the agent uses', () => {
    const libraries = librariesOf(lock, 'central-command');
    expect(libraries).toEqual(expect.arrayContaining(['fastify', '@aws-sdk/client-s3', '@noble/ed25519', 'valibot']));
    expect(libraries.filter((name) => /^(?:undici|nodemailer|re2js|qr|vitest|typescript)$/.test(name))).toEqual([]);
    expect(librariesOf(lock).filter((name) => name.startsWith('fastify'))).toEqual([]);
  });

  it('makes a Central Command, seals nothing by itself, and loads the client for object stores', () => {
    const keys = mkdtempSync(join(tmpdir(), 'central-keys-'));
    try {
      const made = central('init', '--data', join(out, 'data'), '--keys', keys, '--partner', 'acme', '--json');
      expect([made.status, made.stderr]).toEqual([0, '']);
      expect(JSON.parse(made.stdout)).toMatchObject({ partner_id: 'acme' });
      const code = `import('${lib('central/evidence-store/s3-client.js')}').then((m) => console.log(Object.keys(m).length > 0));`;
      const loaded = spawnSync(process.execPath, ['-e', code], { encoding: 'utf8' });
      expect([loaded.stdout.trim(), loaded.stderr]).toEqual(['true', '']);
    } finally {
      rmSync(keys, { recursive: true, force: true });
    }
  });
});
