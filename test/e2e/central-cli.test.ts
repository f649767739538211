import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { openContentList } from '../../agent/trust/content-list.ts';
import { openDocument } from '../../agent/trust/open-document.ts';
import { openPolicy } from '../../agent/trust/policy.ts';
import { parseRoot } from '../../agent/trust/root.ts';
import { makeCentral, run, type CliResult, type RunningCentral, type TestCentral } from '../support/central-process.ts';
import { checkIn, checkinRequestOf, enrolDevice, postCheckin, send, type Enrolled } from '../support/device.ts';

const codeOf = (result: CliResult): string => (JSON.parse(result.stderr) as { code: string }).code;

describe('central-command init', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'central-init-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const init = (data: string, keys: string, ...more: string[]) =>
    run(['init', '--data', join(dir, data), '--keys', join(dir, keys), '--partner', 'acme', '--json', ...more]);

  it('makes keys that only their owner can read, people apart from server, and prints what to publish', async () => {
    const result = await init('d1', 'k1', '--person', 'Jane Doe', '--person', 'Bob');
    const out = JSON.parse(result.stdout);
    expect(out).toMatchObject({ root_version: 1, persons: ['jane-doe', 'bob'] });
    expect(out.thresholds).toEqual({ root: 2, content: 2, operator: 2 });
    expect(out.ca_pins).toHaveLength(2);
    expect(readdirSync(join(dir, 'k1')).sort()).toEqual([
      'backup-ca.key.pem',
      'backup-ca.pem',
      ...['content', 'operator', 'root'].flatMap((r) => [`${r}-bob.pem`, `${r}-jane-doe.pem`]),
    ]);
    for (const folder of ['d1', 'd1/keys', 'k1']) expect(statSync(join(dir, folder)).mode & 0o777).toBe(0o700);
    for (const folder of ['d1/keys', 'k1']) {
      for (const name of readdirSync(join(dir, folder)).filter((n) => n !== 'tls-ca.pem')) {
        expect(statSync(join(dir, folder, name)).mode & 0o777, name).toBe(0o600);
      }
    }
    expect(readdirSync(join(dir, 'd1/keys')).some((name) => /root|content|operator|backup/.test(name))).toBe(false);
    expect(statSync(join(dir, 'd1/central.db')).mode & 0o777).toBe(0o600);
  });

  it('overwrites neither a Central Command nor keys', async () => {
    expect(codeOf(await init('d1', 'k-other'))).toBe('central_exists');
    expect(codeOf(await init('d-other', 'k1'))).toBe('central_exists');
    expect(existsSync(join(dir, 'k-other'))).toBe(false);
    expect(existsSync(join(dir, 'd-other'))).toBe(false);
  });

  it('refuses a person whose name is taken, by another or by the server itself, before it makes anything', async () => {
    const { stderr } = await init('d-taken', 'k-taken', '--person', 'Jane Doe', '--person', 'jane doe');
    expect(JSON.parse(stderr)).toMatchObject({ code: 'usage', message: expect.stringContaining('stands twice') });
    // As where the user of the service makes it and names nobody.
    expect(codeOf(await init('d-taken', 'k-taken', '--person', 'Central Command'))).toBe('usage');
    expect([existsSync(join(dir, 'd-taken')), existsSync(join(dir, 'k-taken'))]).toEqual([false, false]);
    expect((await init('d-taken', 'k-taken', '--person', 'Jane Doe')).code).toBe(0);
  });

  it('refuses keys of people inside the data folder and the other way round, also through a link', async () => {
    expect(codeOf(await init('d2', 'd2/keys-of-people'))).toBe('keys_inside_data');
    expect(codeOf(await init('d2', 'd2'))).toBe('keys_inside_data');
    expect(codeOf(await init('k2/data', 'k2'))).toBe('keys_inside_data');
    mkdirSync(join(dir, 'd3'), { mode: 0o700 });
    symlinkSync(join(dir, 'd3'), join(dir, 'link'));
    expect(codeOf(await init('d3', 'link/keys'))).toBe('keys_inside_data');
  });

  it('refuses a folder that others can enter', async () => {
    mkdirSync(join(dir, 'open'), { mode: 0o755 });
    chmodSync(join(dir, 'open'), 0o755);
    expect(codeOf(await init('d4', 'open'))).toBe('key_permissions');
  });

  it('refuses partner ids and domains that could not stand in a log origin', async () => {
    for (const partner of ['Acme', 'a b', '../x', '']) {
      const result = await run(['init', '--data', join(dir, 'd5'), '--keys', join(dir, 'k5'), '--partner', partner]);
      expect(result.code).toBe(2);
    }
    expect(codeOf(await init('d5', 'k5', '--log-domain', 'Not A Domain'))).toBe('usage');
  });
});

describe('central-command', () => {
  let central: TestCentral;
  let server: RunningCentral;
  let me: Enrolled;
  beforeAll(async () => {
    central = await makeCentral();
    server = await central.serve();
    me = await enrolDevice(central, server.url, 'north-1');
  }, 60_000);
  afterAll(async () => central.remove());

  it('says with its exit code whether usage, state or verification was wrong', async () => {
    expect((await run(['bogus'])).code).toBe(2);
    expect((await run(['serve'])).code).toBe(2);
    expect((await run(['site', 'list', '--data', join(central.dir, 'nothing')])).code).toBe(2);
    expect((await run(['--help'])).code).toBe(0);
    expect((await central.cli('serve', '--plain-keys', '--listen', '127.0.0.1:0')).code).toBe(5);
    expect((await central.cli('serve', '--plain-keys', '--listen', 'nonsense')).code).toBe(2);
  });

  it('refuses key files that others can read', async () => {
    const other = await makeCentral();
    chmodSync(join(other.dataDir, 'keys', 'order.pem'), 0o640);
    const result = await other.cli('serve', '--plain-keys', '--listen', '127.0.0.1:0', '--json');
    expect([result.code, codeOf(result)]).toEqual([5, 'key_permissions']);
    chmodSync(join(other.dataDir, 'keys', 'order.pem'), 0o600);
    writeFileSync(join(other.dataDir, 'keys', 'order.pem'), 'garbage');
    expect(codeOf(await other.cli('serve', '--plain-keys', '--listen', '127.0.0.1:0', '--json'))).toBe('key_malformed');
    await other.remove();
  });

  it('refuses a damaged database with a code', async () => {
    const other = await makeCentral();
    writeFileSync(join(other.dataDir, 'central.db'), Buffer.alloc(8_192, 0x41));
    expect(codeOf(await other.cli('site', 'list', '--json'))).toBe('central_damaged');
    await other.remove();
  });

  it('writes a stick with address, token, root digest and two pins, and no second token over it', async () => {
    const dir = join(central.dir, 'stick');
    const out = await central.json('usb', 'write', dir, '--site', 'north');
    const clinic = parse(readFileSync(join(dir, 'clinic.yaml'), 'utf8'));
    expect(clinic).toMatchObject({
      central_url: server.url,
      root_sha256: central.root.digest,
      ca_pins: central.caPins,
    });
    expect(Buffer.from(clinic.token, 'base64')).toHaveLength(32);
    expect(JSON.stringify(out)).not.toContain(clinic.token);
    expect(parseRoot(readFileSync(join(dir, 'root.json'), 'utf8').trimEnd()).digest).toBe(central.root.digest);
    const backupPem = readFileSync(join(central.keysDir, 'backup-ca.pem'), 'utf8');
    expect(readFileSync(join(dir, 'ca.pem'), 'utf8')).toBe(central.caPem + backupPem);
    expect(out.warnings).toEqual([]);
    expect(codeOf(await central.cli('usb', 'write', dir, '--site', 'north', '--json'))).toBe('central_exists');
    expect(codeOf(await central.cli('usb', 'write', join(central.dir, 's2'), '--site', 'south', '--json'))).toBe(
      'site_unknown',
    );
  });

  it('delivers an order with the next check-in until its result is reported, and lists what became of it', async () => {
    const issued = await central.json<{ digest: string; order_id: string; seq: number }>(
      ...['order', 'issue', '--appliance', 'north-1', '--kind', 'run_check', '--params', '{"checks":["disk"]}'],
    );
    const { orders } = await checkIn(central, server.url, me, { order_floor: 0 });
    expect(orders).toHaveLength(1);
    const order = openDocument(central.root.root, 'order', 'order', JSON.stringify(orders[0])).value;
    expect(order).toMatchObject({
      order_id: issued.order_id,
      class: 'read',
      seq: 1,
      epoch: 1,
      params: { checks: ['disk'] },
    });
    expect(order.expires_at - order.not_before).toBe(900);
    const at = Math.floor(Date.now() / 1_000);
    const report = { order_id: issued.order_id, payload_sha256: issued.digest, evidence_seq: 1, at };
    const accepted = await checkIn(central, server.url, me, { results: [{ ...report, state: 'accepted' }] });
    expect(accepted.orders).toHaveLength(1);
    const done = await checkIn(central, server.url, me, {
      order_floor: 1,
      results: [{ ...report, state: 'result', outcome: 'success' }],
    });
    expect(done.orders).toEqual([]);
    const foreign = { ...report, order_id: null, payload_sha256: 'ab'.repeat(32), evidence_seq: 2 };
    await checkIn(central, server.url, me, {
      results: [{ ...foreign, state: 'refused', outcome: 'rejected', code: 'signature_invalid' }],
    });
    const list = await central.json<{ orders: object[]; not_issued_here: object[] }>('order', 'list');
    expect(list.orders).toMatchObject([{ order_id: issued.order_id, state: 'result', outcome: 'success' }]);
    expect(list.not_issued_here).toMatchObject([{ code: 'signature_invalid', outcome: 'rejected' }]);
  });

  it('numbers orders above what the appliance has already decided on', async () => {
    await checkIn(central, server.url, me, { order_floor: 41 });
    const { seq } = await central.json('order', 'issue', '--appliance', 'north-1', '--kind', 'collect_diagnostics');
    expect(seq).toBe(42);
  });

  it('signs no disruptive order and no order under another class', async () => {
    const issue = (...args: string[]) => central.cli('order', 'issue', '--appliance', 'north-1', '--json', ...args);
    expect(codeOf(await issue('--kind', 'reboot'))).toBe('order_needs_authorisation');
    expect(codeOf(await issue('--kind', 'set_healing', '--params', '{"action":"enable"}'))).toBe(
      'order_needs_authorisation',
    );
    expect(codeOf(await issue('--kind', 'run_check', '--window', 'override', '--reason', 'x'))).toBe(
      'order_needs_authorisation',
    );
    expect(codeOf(await issue('--kind', 'restart_agent', '--class', 'read'))).toBe('order_class_differs');
    expect(codeOf(await issue('--kind', 'run_check', '--ttl', '901'))).toBe('usage');
    expect(codeOf(await issue('--kind', 'format_disk'))).toBe('usage');
    expect(codeOf(await issue('--kind', 'run_check', '--params', '{"a":1.5}'))).toBe('usage');
    expect(codeOf(await central.cli('order', 'issue', '--appliance', 'x', '--kind', 'run_check', '--json'))).toBe(
      'appliance_unknown',
    );
  });

  it('publishes a site policy that appliances of the site can fetch and verify, and no broken one', async () => {
    const file = join(central.dir, 'policy.yaml');
    writeFileSync(file, 'time_zone: America/New_York\nwindows:\n  - {days: [sat], start: "22:00", end: "04:00"}\n');
    const sign = (...args: string[]) =>
      central.cli('policy', 'sign', file, '--site', 'north', '--keys', central.keysDir, '--json', ...args);
    const first = JSON.parse((await sign()).stdout);
    expect(first).toMatchObject({ version: 1, persons: ['jane'] });
    const { policy } = await checkIn(central, server.url, me);
    expect(policy).toEqual({ version: 1, sha256: first.sha256 });
    const path = `/api/v1/appliances/documents/policy/${first.sha256}`;
    const fetched = await send(central, server.url, path, { method: 'GET', tls: me.tls });
    const opened = openPolicy(central.root.root, fetched.body, { siteId: 'north', currentVersion: null });
    expect(opened.value).toMatchObject({ version: 1, healing: { mode: 'off' }, retention_years: 7 });
    await central.json('site', 'add', 'south', '--customer', 'clinic');
    const elsewhere = await central.json<{ sha256: string }>(
      ...['policy', 'sign', file, '--site', 'south', '--keys', central.keysDir],
    );
    const foreign = `/api/v1/appliances/documents/policy/${elsewhere.sha256}`;
    expect((await send(central, server.url, foreign, { method: 'GET', tls: me.tls })).code).toBe('document_unknown');
    for (const [text, code] of [
      ['time_zone: Mars/Olympus\n', 'policy_invalid'],
      ['time_zone: UTC\nwindow: []\n', 'schema_invalid'],
      ['time_zone: UTC\nversion: 1\n', 'policy_version'],
      ['time_zone: UTC\nsite_id: south\n', 'policy_other_site'],
      ['- 1\n', 'usage'],
      ['a: [\n', 'usage'],
    ] as const) {
      writeFileSync(file, text);
      expect(codeOf(await sign()), text).toBe(code);
    }
    expect((await checkIn(central, server.url, me)).policy?.version).toBe(1);
  });

  it('publishes a content list of the digests of a folder', async () => {
    const dir = join(central.dir, 'content');
    mkdirSync(join(dir, 'baselines'), { recursive: true });
    mkdirSync(join(dir, 'windows'));
    writeFileSync(join(dir, 'baselines', 'appliance.yaml'), 'id: appliance\nversion: 3\n');
    writeFileSync(join(dir, 'windows', 'av.yaml'), 'id: RB-AV\nversion: 1\nclass: routine\n');
    const sign = () => central.cli('content', 'sign', '--dir', dir, '--keys', central.keysDir, '--json');
    const out = JSON.parse((await sign()).stdout);
    expect(out).toMatchObject({ version: 1, files: 2 });
    const { content } = await checkIn(central, server.url, me);
    expect(content).toEqual({ version: 1, sha256: out.sha256 });
    const path = `/api/v1/appliances/documents/content/${out.sha256}`;
    const fetched = await send(central, server.url, path, { method: 'GET', tls: me.tls });
    const list = openContentList(central.root.root, fetched.body, { currentVersion: null }).value;
    expect(list.files).toMatchObject([
      { path: 'baselines/appliance.yaml', kind: 'baseline', id: 'appliance', version: 3 },
      { path: 'windows/av.yaml', kind: 'runbook', id: 'RB-AV', class: 'routine' },
    ]);
    // What is named can be had by its digest, with the certificate of an appliance.
    const contentPath = (digest: string): string => `/api/v1/appliances/content/${digest}`;
    for (const [i, text] of ['id: appliance\nversion: 3\n', 'id: RB-AV\nversion: 1\nclass: routine\n'].entries()) {
      const file = await send(central, server.url, contentPath(list.files[i]!.sha256), { method: 'GET', tls: me.tls });
      expect([file.status, file.headers['content-type'], file.body]).toEqual([200, 'application/octet-stream', text]);
    }
    for (const digest of ['0'.repeat(64), 'x', '..%2Fcentral.db']) {
      const none = await send(central, server.url, contentPath(digest), { method: 'GET', tls: me.tls });
      expect([none.status, none.code]).toEqual([404, 'document_unknown']);
    }
    const nobody = await send(central, server.url, contentPath(list.files[0]!.sha256), { method: 'GET' });
    expect(nobody.code).toBe('client_certificate_missing');
    // With standing grants: what appliances are handed has the digests of what they name.
    mkdirSync(join(dir, 'rules'));
    writeFileSync(join(dir, 'rules', 'av-off.yaml'), 'id: av-off\nversion: 1\n');
    const grants = join(dir, 'grants.yaml');
    const grant = (line: string) =>
      `grants:\n  - grant_id: av\n    rule: av-off\n    runbook: RB-AV\n    baseline: appliance\n    ${line}\n` +
      "    scope: targets\n    limits: { per_day: 2 }\n    not_after: '2999-01-01T00:00:00Z'\n";
    const signGranted = () =>
      central.cli('content', 'sign', '--dir', dir, '--grants', grants, '--keys', central.keysDir, '--json');
    writeFileSync(grants, grant('class: read'));
    expect(codeOf(await signGranted())).toBe('usage');
    writeFileSync(grants, grant('class: routine'));
    expect(JSON.parse((await signGranted()).stdout)).toMatchObject({ version: 2, files: 3, grants: 1 });
    const shown = JSON.parse((await central.cli('content', 'show', '--json')).stdout);
    expect(shown).toMatchObject({
      version: 2,
      grants: [
        {
          ...{ grant_id: 'av', class: 'routine', scope: 'targets', limits: { per_day: 2 }, not_after: 32_472_144_000 },
          baseline_sha256: list.files[0]!.sha256,
          runbook: { id: 'RB-AV', version: 1, sha256: list.files[1]!.sha256 },
        },
      ],
    });
    const handed = (await checkIn(central, server.url, me)).content!.sha256;
    const second = `/api/v1/appliances/documents/content/${handed}`;
    const { body } = await send(central, server.url, second, { method: 'GET', tls: me.tls });
    expect(openContentList(central.root.root, body, { currentVersion: 1 }).value.grants).toEqual(shown.grants);
    expect((await central.cli('content', 'show')).stdout).toMatch(
      /^av +av-off +RB-AV 1 +appliance 3 +routine +targets +2 /m,
    );
    expect((await central.cli('content', 'show', '--version', '1')).stdout).toContain('no standing grants');
    expect(codeOf(await central.cli('content', 'show', '--version', '9', '--json'))).toBe('document_unknown');
    writeFileSync(join(dir, 'windows', 'av.yaml'), 'id: RB-AV\nversion: 1\n');
    expect(codeOf(await signGranted())).toBe('usage');
    const stranger = await makeCentral();
    const foreign = await central.cli('content', 'sign', '--dir', dir, '--keys', stranger.keysDir, '--json');
    await stranger.remove();
    expect(['usage', 'signer_not_in_root']).toContain(codeOf(foreign));
  });

  it('asks for two persons where the root has two, and publishes nothing that one alone signed', async () => {
    const two = await makeCentral({ persons: ['jane', 'bob'] });
    const file = join(two.dir, 'policy.yaml');
    writeFileSync(file, 'time_zone: UTC\n');
    rmSync(join(two.keysDir, 'operator-bob.pem'));
    const alone = await two.cli('policy', 'sign', file, '--site', 'north', '--keys', two.keysDir, '--json');
    await two.remove();
    expect([alone.code, codeOf(alone)]).toEqual([4, 'threshold_not_met']);
  });

  it('ends at SIGTERM with exit code 0 and drops idle connections', async () => {
    const other = await makeCentral();
    const running = await other.serve();
    const { hostname, port } = new URL(running.url);
    const idle = connect({ host: hostname, port: Number(port), ca: other.caPem });
    await once(idle, 'secureConnect');
    const closed = once(idle.resume(), 'close');
    await running.stop('SIGTERM');
    await closed;
    expect(running.process.exitCode).toBe(0);
    await other.remove();
  });

  it('keeps the health that an appliance reports for people to see', async () => {
    const change = {
      health: { ...checkinRequestOf(me).health, blocking_reason: { code: 'dns_failed', sentence: 'No DNS.' } },
    };
    expect((await postCheckin(central, server.url, me, { change })).status).toBe(200);
    const { appliances } = await central.json<{ appliances: { health: unknown }[] }>('appliance', 'list');
    expect(appliances[0]?.health).toMatchObject({ blocking_reason: { code: 'dns_failed' } });
  });
});
