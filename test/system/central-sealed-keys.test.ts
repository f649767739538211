// The keys that Central Command signs with by itself, sealed at rest: from the plain files of `init` to a server that answers an
// appliance, with a key replaced while it runs. Sealing costs half a second a key, on purpose.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../tools/demo/process.ts';
import { makeCentral, type TestCentral } from '../support/central-process.ts';
import { checkIn, enrolDevice, postCheckin, type Enrolled } from '../support/device.ts';
import { CHECKOUT } from '../support/nspawn.ts';

const PASSPHRASE = 'correct horse battery staple';
const MAIN = join(CHECKOUT, 'central/main.ts');
const WITHIN_MS = 120_000;

let central: TestCentral;
let secretFile: string;
beforeAll(async () => {
  central = await makeCentral();
  secretFile = join(central.dir, 'passphrase');
  writeFileSync(secretFile, `${PASSPHRASE}\n`, { mode: 0o600 });
});
afterAll(() => central.remove());

type Env = Readonly<Record<string, string>>;

/** One run to its end, without a terminal. */
function cli(args: readonly string[], env: Env = {}, input?: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args, '--data', central.dataDir, '--json'], {
    encoding: 'utf8',
    timeout: WITHIN_MS,
    env: { PATH: process.env['PATH'] ?? '', ...env },
    input: input ?? '',
  });
  return { status, output: `${stdout}${stderr}` };
}
const keyFiles = (): string[] => readdirSync(join(central.dataDir, 'keys')).toSorted();
const withFile = (): Env => ({ CENTRAL_SERVER_PASSPHRASE_FILE: secretFile });

/** A server that has to find its passphrase by itself, without --plain-keys. */
async function serve(env: Env): Promise<{ url: string; pid: number; end(): Promise<void> }> {
  const child = spawn(
    process.execPath,
    [MAIN, 'serve', '--listen', '127.0.0.1:0', '--data', central.dataDir, '--json'],
    {
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let said = '';
  child.stderr.on('data', (text: Buffer) => (said += text.toString()));
  const lines = createInterface(child.stdout);
  const line = await Promise.race([
    once(lines, 'line').then(([text]) => String(text)),
    once(child, 'exit').then(() => Promise.reject(new Error(`it ended: ${said}`))),
  ]);
  const { listening } = JSON.parse(line) as { listening: string };
  return {
    url: listening,
    pid: child.pid ?? 0,
    async end() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

describe('the keys of the server', { timeout: 300_000 }, () => {
  let me: Enrolled;

  it('keep it from starting while they lie in plain files, and nobody said that they may', () => {
    const { status, output } = cli(['serve', '--listen', '127.0.0.1:0']);
    expect([status, output.includes('online_keys_plain')]).toEqual([7, true]);
    expect(output).toContain('keys seal --data');
  });

  it('are not sealed under a passphrase that is too short, and stay as they are', () => {
    const before = keyFiles();
    const short = join(central.dir, 'short');
    writeFileSync(short, 'short');
    expect(cli(['keys', 'seal'], { CENTRAL_SERVER_PASSPHRASE_FILE: short }).output).toContain('passphrase_weak');
    expect(keyFiles()).toEqual(before);
  });

  it('are all sealed with one command; no private key is left in the folder, and the certificate stays', () => {
    expect(cli(['keys', 'seal'], withFile()).status).toBe(0);
    const texts = keyFiles().map((name) => readFileSync(join(central.dataDir, 'keys', name), 'utf8'));
    expect(texts.filter((text) => text.includes('PRIVATE KEY'))).toEqual([]);
    expect(keyFiles()).toContain('tls-ca.pem');
    expect(keyFiles()).toEqual(expect.arrayContaining(['order.pem.age', 'timestamp.pem.age', 'tls-ca.key.pem.age']));
    expect(cli(['keys', 'seal'], withFile()).output).toContain('"sealed":[]');
  });

  it('keep it from starting without a passphrase, and with a wrong one', () => {
    expect(cli(['serve', '--listen', '127.0.0.1:0']).output).toContain('passphrase_needed');
    const wrong = join(central.dir, 'wrong');
    writeFileSync(wrong, 'some other passphrase');
    const { output } = cli(['serve', '--listen', '127.0.0.1:0'], { CENTRAL_SERVER_PASSPHRASE_FILE: wrong });
    expect(output).toContain('passphrase_wrong');
  });

  it('are opened with a credential of systemd; the server enrols and answers an appliance, and shows the passphrase nowhere', async () => {
    const credentials = join(central.dir, 'credentials');
    mkdirSync(credentials);
    writeFileSync(join(credentials, 'central-server-passphrase'), PASSPHRASE);
    const server = await serve({ CREDENTIALS_DIRECTORY: credentials });
    me = await enrolDevice(central, server.url, 'north-1');
    expect((await checkIn(central, server.url, me)).appliance_id).toBe('north-1');
    for (const file of ['cmdline', 'environ']) {
      expect(readFileSync(`/proc/${server.pid}/${file}`, 'utf8')).not.toContain('horse');
    }
    await server.end();
  });

  it('are opened from a file descriptor for an order, without a file of its own on the disk', () => {
    const shell = `printf '%s' "$SECRET" | exec "$0" "$@" 3<&0 </dev/null`;
    const argv = [
      MAIN,
      'order',
      'issue',
      '--appliance',
      'north-1',
      '--kind',
      'run_check',
      '--data',
      central.dataDir,
      '--json',
    ];
    const { status, stdout, stderr } = spawnSync('bash', ['-c', shell, process.execPath, ...argv], {
      encoding: 'utf8',
      timeout: WITHIN_MS,
      env: { PATH: process.env['PATH'] ?? '', SECRET: PASSPHRASE, CENTRAL_SERVER_PASSPHRASE_FD: '3' },
    });
    expect(status, stderr).toBe(0);
    expect(stdout).toContain('"seq":1');
  });

  it('the key of stored secrets is sealed too when it is made, and opens what it sealed', () => {
    const add = (id: string) =>
      cli(
        ...([
          [
            ...[
              'target',
              'add',
              id,
              '--appliance',
              'north-1',
              '--address',
              '192.0.2.7',
              '--hostname',
              `${id}.clinic.example`,
            ],
            ...['--auth', 'ntlm', '--role', 'member_server', '--credential', 'scan'],
            ...(id === 'ws-1' ? ['--principal', 'scan'] : []),
          ],
          withFile(),
        ] as const),
        'a secret of a target\n',
      );
    expect(add('ws-1').output).toContain('ws-1');
    expect(keyFiles()).toContain('target-secrets.key.age');
    expect(keyFiles()).not.toContain('target-secrets.key');
    expect(add('ws-2').output).toContain('ws-2');
    expect(cli(['target', 'set-secret', 'scan', '--site', 'north'], {}, 'another\n').output).toContain(
      'passphrase_needed',
    );
  });

  it('one that is replaced is sealed too, and a server that runs takes it up by itself', async () => {
    const server = await serve(withFile());
    const draft = join(central.dir, 'root-2.json');
    expect(cli(['root', 'draft', '--online', 'timestamp', '--out', draft], withFile()).status).toBe(0);
    expect(keyFiles().filter((name) => name.startsWith('timestamp'))).toHaveLength(2);
    expect(keyFiles().filter((name) => name.endsWith('.pem') && name !== 'tls-ca.pem')).toEqual([]);
    const signed = spawnSync(process.execPath, [MAIN, 'root', 'sign', draft, '--keys', central.keysDir, '--yes'], {
      encoding: 'utf8',
    });
    expect(signed.status, signed.stderr).toBe(0);
    expect(cli(['root', 'publish', draft], withFile()).status).toBe(0);
    const { keys, roles } = central.root.root;
    const old = keys.find(({ keyid }) => roles.timestamp.keyids.includes(keyid));
    let counter = 100;
    await until(
      'the new key signs',
      async () => {
        const answer = await postCheckin(central, server.url, me, { change: { counter: (counter += 1) } });
        expect(answer.status).toBe(200);
        const { signatures } = JSON.parse(answer.body) as { signatures: { keyid: string }[] };
        return signatures.some(({ keyid }) => keyid === old?.keyid) ? null : true;
      },
      WITHIN_MS,
    );
    await server.end();
  });
});
