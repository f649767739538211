// Trust roots after the first, with a real server and a real appliance: people and server keys come, go and are lost.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { run, until } from '../../tools/demo/process.ts';
import { linesOnDisk } from '../support/crash-runs.ts';
import { demoSite, REPO } from '../support/demo-site.ts';

const PATIENCE_MS = 60_000;
const PASSPHRASE = 'six quiet words about nothing much';

describe('the next trust root', () => {
  const site = demoSite([], ['Alice Ames', 'Bob Brown']);
  const folder = join(site.paths.keys, '..');
  const file = (name: string): string => join(folder, `${name}.json`);
  const passphraseFile = join(folder, 'passphrase');

  const offline = (...args: string[]) =>
    run([process.execPath, join(REPO, 'central/main.ts'), ...args, '--json'], {
      cwd: folder,
      env: { CENTRAL_KEYS_PASSPHRASE_FILE: passphraseFile },
    });
  const sign = (name: string, ...persons: string[]) =>
    persons.reduce<Promise<unknown>>(
      (before, person) =>
        before.then(() => offline('root', 'sign', file(name), '--keys', site.paths.keys, '--person', person, '--yes')),
      Promise.resolve(),
    );
  const draft = (name: string, ...args: string[]) => site.central('root', 'draft', '--out', file(name), ...args);
  const publish = (name: string) => site.central('root', 'publish', file(name));
  const rootsTaken = (): number[] =>
    linesOnDisk(site).flatMap((line) => {
      const { predicate } = statementOf(line);
      return predicate.kind === 'trust' && predicate.what === 'root' ? [predicate.version] : [];
    });
  const taken = async (version: number): Promise<void> => {
    await until(
      `root ${version} is in force at the appliance`,
      () => rootsTaken().includes(version) || null,
      PATIENCE_MS,
    );
    const at = site.status()?.last_answer_at ?? 0;
    await site.untilStatus(
      'answers come under it',
      (s) => (s.last_answer_at ?? 0) > at + 1 && s.blocking_reason === null,
    );
  };
  const shown = () =>
    site.central('root', 'show') as Promise<{
      version: number;
      root: { roles: Record<string, { keyids: string[] }>; past_keys: { role: string; status: string }[] };
    }>;

  beforeAll(async () => {
    writeFileSync(passphraseFile, `${PASSPHRASE}\n`);
    await site.provision();
    site.startAgent();
    await site.confirm();
  });

  it('is refused with one of two signatures, and taken with both by Central Command and the appliance', async () => {
    await draft('renewed');
    await sign('renewed', 'alice-ames');
    await expect(publish('renewed')).rejects.toThrow(/threshold_not_met/);
    await sign('renewed', 'bob-brown');
    expect(await publish('renewed')).toMatchObject({ version: 2 });
    await taken(2);
  });

  it('is not published twice, nor over a version that came between', async () => {
    await draft('late');
    await sign('late', 'alice-ames', 'bob-brown');
    await draft('early');
    await sign('early', 'alice-ames', 'bob-brown');
    await publish('early');
    await taken(3);
    for (const name of ['early', 'late']) await expect(publish(name)).rejects.toThrow(/root_version/);
  });

  for (const [version, role] of [
    [4, 'order'],
    [5, 'timestamp'],
    [6, 'receipt'],
    [7, 'witness'],
    [8, 'registrar'],
  ] as const) {
    it(`replaces the ${role} key of a running server: appliances follow by themselves`, async () => {
      const before = (await shown()).root.roles[role]?.keyids;
      await draft(role, '--online', role);
      await sign(role, 'alice-ames', 'bob-brown');
      await publish(role);
      await taken(version);
      const { root } = await shown();
      expect(root.roles[role]?.keyids).not.toEqual(before);
      const { order_id: id } = await site.issue('run_check', { checks: ['self'] });
      await until(
        'an order is carried out under it',
        () =>
          linesOnDisk(site).some((line) => {
            const { predicate } = statementOf(line);
            return predicate.kind === 'order' && predicate.order_id === id && predicate.state === 'result';
          }) || null,
        PATIENCE_MS,
      );
      await site.untilStatus('it is uploaded and cosigned', (s) => s.stored_size === s.log?.size);
    });
  }

  it('keeps the replaced witness and receipt keys, so that what they signed can be checked', async () => {
    const { root } = await shown();
    expect(root.past_keys.map(({ role, status }) => `${role} ${status}`).toSorted()).toEqual([
      'receipt retired',
      'witness retired',
    ]);
    const { code, output } = await site.cli('evidence', 'verify', '--json', '--root-sha256', site.rootDigest());
    expect([code, output]).toEqual([0, output]);
  });

  it('replaces a person whose key is lost, by the others', async () => {
    const made = await offline(
      'keys',
      'create',
      '--role',
      'operator',
      '--person',
      'carol-cole',
      '--keys',
      join(folder, 'carol'),
    );
    const { spki } = JSON.parse(made.output) as { spki: string };
    const bobs = (await shown()).root.roles['operator']?.keyids[1] ?? '';
    await draft('carol', '--person', 'carol-cole=Carol Cole', '--add', `operator:carol-cole=${spki}`, '--remove', bobs);
    await sign('carol', 'alice-ames', 'bob-brown');
    await publish('carol');
    await taken(9);
    expect((await shown()).root.roles['operator']?.keyids).not.toContain(bobs);
  });

  it('is not drafted into something that contradicts itself', async () => {
    await draft('three', '--threshold', 'content=3');
    await sign('three', 'alice-ames', 'bob-brown');
    await expect(publish('three')).rejects.toThrow(/root_invalid/);
    await expect(draft('nobody', '--remove', '00000000')).rejects.toThrow(/0 keys of the trust root/);
    await expect(draft('odd', '--online', 'operator')).rejects.toThrow(/is none of/);
  });

  it('is signed with sealed keys, which nobody opens without the passphrase', async () => {
    const sealed = await offline('keys', 'seal', '--keys', site.paths.keys);
    expect(sealed.code).toBe(0);
    const names = readdirSync(site.paths.keys).filter((name) => /^(root|content|operator)-/.test(name));
    expect(names.every((name) => name.endsWith('.pem.age'))).toBe(true);
    for (const name of names) {
      const path = join(site.paths.keys, name);
      expect(readFileSync(path, 'utf8')).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----/);
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
    await draft('sealed');
    await sign('sealed', 'alice-ames', 'bob-brown');
    await publish('sealed');
    await taken(10);
    writeFileSync(passphraseFile, 'another passphrase altogether');
    const wrong = await offline(
      'root',
      'sign',
      file('sealed'),
      '--keys',
      site.paths.keys,
      '--person',
      'bob-brown',
      '--yes',
    );
    expect(wrong.output).toContain('passphrase_wrong');
    const without = await run(
      [process.execPath, join(REPO, 'central/main.ts'), 'keys', 'list', '--keys', site.paths.keys, '--json'],
      { cwd: folder },
    );
    expect(without.output).toContain('passphrase_needed');
  });

  it('changes nothing of what the first root was pinned by', async () => {
    const { root_sha256: now } = (await shown()) as unknown as { root_sha256: string };
    expect(now).not.toBe(site.rootDigest());
    const line = JSON.parse(readFileSync(join(site.paths.provision, 'root.json'), 'utf8')) as { payload: string };
    expect(createHash('sha256').update(Buffer.from(line.payload, 'base64')).digest('hex')).toBe(site.rootDigest());
  });
});
