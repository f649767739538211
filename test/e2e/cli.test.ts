// The command line as real processes against a real daemon, enrolled at a real Central Command.
import { afterAll, beforeAll, describe, it, expect } from 'vitest';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSite, type Site } from '../../tools/demo/site.ts';

const REPO = join(import.meta.dirname, '../..');
const MAIN = join(REPO, 'agent/main.ts');
const DOC = readFileSync(join(REPO, 'docs/cli.md'), 'utf8');

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function run(
  argv: readonly string[],
  o: { env?: NodeJS.ProcessEnv; node?: string[]; closed?: boolean } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [...(o.node ?? []), MAIN, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...o.env },
  });
  let out = '';
  let err = '';
  if (o.closed === true) child.stdout.destroy();
  else child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

describe('the command line as a process', () => {
  it('prints its version and ends with 0', async () => {
    expect(await run(['version', '--json'])).toMatchObject({ code: 0, err: '' });
  });

  it('ends with 2 and one line on stderr for a mistyped verb', async () => {
    const { code, out, err } = await run(['statsu']);
    expect([code, out]).toEqual([2, '']);
    expect(err).toBe("usage: unknown command 'statsu' — did you mean status?\n");
  });

  it('does not mind a reader that goes away', async () => {
    for (const argv of [['errors'], ['errors', '--json'], ['--help']]) {
      expect(await run(argv, { closed: true })).toMatchObject({ code: 0, err: '' });
    }
  });

  it('loads only what the verb needs: no database, no daemon and no other verb for `version`', async () => {
    const hook =
      'data:text/javascript,import{registerHooks}from"node:module";registerHooks({load(u,c,n){process.stderr.write(u+"\\n");return n(u,c)}})';
    const { err } = await run(['version'], { node: ['--import', hook] });
    expect(err).toContain('agent/cli/version.ts');
    expect(err).not.toMatch(/better-sqlite3|koffi|undici|start-daemon|agent\/cli\/(?:status|orders|evidence)/);
  });

  it('writes no colours into a pipe', async () => {
    const { out } = await run(['errors', 'disk_full'], { env: { FORCE_COLOR: '1' } });
    expect(out).not.toContain('\u001b');
  });

  it('names every mistake of a configuration and does not start the daemon', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'cli-config-'));
    const config = join(dir, 'config.yaml');
    writeFileSync(config, `state_dir: ${dir}/state\npoll_intervall_s: 5\nlog_level: loud\n`);
    for (const argv of [
      ['run', '--config', config],
      ['config', 'check', config],
    ]) {
      const { code, err } = await run(argv);
      expect(code).toBe(2);
      expect(
        err
          .trimEnd()
          .split('\n')
          .map((line) => line.split(':')[0]),
      ).toEqual(['reseller_id_missing', 'config_key_unknown', 'config_value_invalid']);
      expect(err).toContain(`${config}:2:1`);
    }
    expect(existsSync(join(dir, 'state'))).toBe(false);
    rmSync(dir, { recursive: true });
  });
});

describe('the command line beside a running daemon', () => {
  let dir: string;
  let site: Site;
  let stick: string;
  const cli = (...argv: string[]) => run([...argv, '--config', site.paths.config]);
  const fieldsOf = (verb: string): string[] => {
    const [, section = ''] = DOC.split(`\n## ${verb}\n`);
    const [, list = ''] = (section.split('\n## ')[0] ?? '').split('JSON fields: ');
    // Names in parentheses are those of nested objects.
    const text = (list.split('\n\n')[0] ?? '').replace(/\([^()]*\)/g, '');
    return [...text.matchAll(/`([a-z0-9_]+)`/g)].map((match) => match[1] ?? '').toSorted();
  };
  const expectFields = (verb: string, out: string): void => {
    const { schema, ...fields } = JSON.parse(out) as Record<string, unknown>;
    expect(schema).toBe(`compliance-agent/cli-${verb.replace(' ', '-')}/v1`);
    expect(Object.keys(fields).toSorted(), verb).toEqual(fieldsOf(verb));
  };

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'cli-e2e-'));
    site = createSite({ dir, repo: REPO });
    await site.provision();
    stick = join(dir, 'usb-stick');
    renameSync(site.paths.provision, stick);
    site.startAgent();
    await site.untilStatus('the daemon runs', (status) => status.state === 'unprovisioned');
  });
  afterAll(async () => {
    await site.end();
    rmSync(dir, { recursive: true, force: true });
  });

  it('says before enrolment that there is no log, and what to do', async () => {
    const { code, err } = await cli('evidence', 'list');
    expect([code, err.split(':')[0]]).toEqual([3, 'not_enrolled']);
    expect((await cli('status')).out).toContain('not enrolled');
  });

  it('checks provisioning files without writing anything', async () => {
    const { code, out } = await cli('provision', stick, '--check', '--json');
    expect(code).toBe(0);
    expectFields('provision', out);
    expect(existsSync(site.paths.provision)).toBe(false);
  });

  it('names what is wrong with provisioning files and leaves the daemon without them', async () => {
    const broken = join(dir, 'broken');
    renameSync(stick, broken);
    const root = readFileSync(join(broken, 'root.json'), 'utf8');
    writeFileSync(join(broken, 'root.json'), root.replace('"payload":"', '"payload":"AAAA'));
    const { code, err } = await cli('provision', broken);
    expect([code, err.split(':')[0]]).toEqual([2, 'provision_invalid']);
    expect(err).toContain('root.json');
    expect(existsSync(site.paths.provision)).toBe(false);
    writeFileSync(join(broken, 'root.json'), root);
    renameSync(broken, stick);
  });

  it('hands provisioning files to the daemon, which enrols with them', async () => {
    const { code } = await cli('provision', stick);
    expect(code).toBe(0);
    expect(statSync(join(site.paths.provision, 'clinic.yaml')).mode & 0o077).toBe(0);
    await site.confirm();
    await site.untilStatus('evidence is stored', (s) => s.findings.length >= 4 && (s.stored_size ?? 0) > 0);
  });

  it('refuses to provision an appliance that is enrolled', async () => {
    const { code, err } = await cli('provision', stick);
    expect([code, err.split(':')[0]]).toEqual([2, 'already_enrolled']);
  });

  it('prints for every verb the JSON fields that docs/cli.md names', async () => {
    const { order_id: orderId } = await site.issue('run_check', { checks: ['disk'] });
    await site.untilStatus('the order came in', (status) => (status.log?.size ?? 0) > 4);
    const verbs: [string, ...string[]][] = [
      ['status'],
      ['check'],
      ['evidence list'],
      ['evidence show', '0'],
      ['evidence verify', '--root-sha256', site.rootDigest()],
      ['evidence checkpoints'],
      ['orders'],
      ['config check', site.paths.config],
      ['config show'],
      ['facts', 'disk'],
      ['job'],
      ['version'],
      ['errors', 'disk_full'],
    ];
    expect(orderId).toMatch(/^[0-9a-f-]{36}$/);
    for (const [verb, ...argv] of verbs) {
      const { code, out, err } = await cli(...verb.split(' '), ...argv, '--json');
      expect([verb, code, err], out).toEqual([verb, 0, '']);
      expectFields(verb, out);
    }
  });

  it('verifies the log of a daemon that goes on writing it', async () => {
    const { code, out } = await cli('evidence', 'verify', '--root-sha256', site.rootDigest());
    expect([code, out.split('\n')[0]], out).toEqual([0, 'VERIFIED']);
  });

  it('says UNTRUSTED ROOT with exit 8 without a digest', async () => {
    const { code, out } = await cli('evidence', 'verify');
    expect([code, out.split('\n')[0]]).toEqual([8, 'UNTRUSTED ROOT']);
  });

  it('exports lines that verify on another machine with nothing but the root', async () => {
    const { out } = await cli('evidence', 'list', '--lines');
    const file = join(dir, 'exported.jsonl');
    writeFileSync(file, out);
    const argv = ['evidence', 'verify', file, '--root', join(stick, 'root.json'), '--root-sha256', site.rootDigest()];
    const { code, err } = await run(argv, { env: { COMPLIANCE_AGENT_CONFIG: '/nonexistent' } });
    expect([code, err]).toEqual([0, '']);
  });

  it("verifies Central Command's copy as it lies in its folder", async () => {
    await site.untilStatus('all is stored', (status) => status.stored_size === status.log?.size);
    const [folder = ''] = readdirSync(join(site.paths.data, 'evidence')).filter((name) => !name.startsWith('.'));
    const path = join(site.paths.data, 'evidence', folder);
    const argv = ['--root', join(stick, 'root.json'), '--root-sha256', site.rootDigest(), '--json'];
    const { code, out } = await run(['evidence', 'verify', path, ...argv]);
    expect([code, JSON.parse(out)], out).toMatchObject([0, { verdict: 'verified' }]);
  });

  it('says that the daemon is not running once it was killed', async () => {
    await site.endAgent('SIGKILL');
    const { code, out } = await cli('status');
    expect(code).toBe(3);
    expect(out).toContain('The daemon is not running');
  });
});
