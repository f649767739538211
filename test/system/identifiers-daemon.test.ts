// A real daemon whose tools print identifiers of people wherever they print anything: none of it may lie anywhere afterwards.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentStatus } from '../../agent/system/status-file.ts';
import { readStatus } from '../../agent/system/status-file.ts';
import { start, until, type Running } from '../../tools/demo/process.ts';
import { chosenSeed } from '../support/acknowledgements.ts';
import { linesOnDisk } from '../support/crash-runs.ts';
import { demoSite } from '../support/demo-site.ts';
import { identifiers, leaksIn } from '../support/identifiers.ts';

const TOOLS = [
  'nft',
  'chronyc',
  'timedatectl',
  'restic',
  'journalctl',
  'systemctl',
  'apt-get',
  'clamdscan',
  'nixos-version',
];
const SEEN_MS = 120_000;

function problem(): string | null {
  if (process.getuid?.() !== 0) return 'needs root, for a mount namespace';
  const tried = spawnSync('unshare', ['--mount', 'true']);
  return tried.status === 0 ? null : 'this machine makes no mount namespaces';
}
const why = problem();

/** Where the agent looks for tools first (system/exec.ts), in a mount namespace of its own. */
const IN_NAMESPACE =
  'mount -t tmpfs tmpfs /run && mkdir -p /run/current-system/sw && cp -r "$1" /run/current-system/sw/bin && shift && exec "$@"';

/** All that the files of a folder hold, the payloads of signed lines decoded. */
function everythingIn(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const text = readFileSync(join(entry.parentPath, entry.name), 'latin1');
      const payloads = [...text.matchAll(/"payload":"([A-Za-z0-9+/=]+)"/g)].map(([, base64 = '']) =>
        Buffer.from(base64, 'base64').toString('utf8'),
      );
      return [entry.name, text, ...payloads].join('\n');
    })
    .join('\n');
}

describe('a daemon whose tools print identifiers of people', () => {
  const site = demoSite();
  // A date without its dashes is too short to be told from the digits of a digest.
  const all = identifiers(chosenSeed('IDENTIFIER_SEED')).filter(({ text }) => !/^[0-9]{1,8}$/.test(text));
  let tools: string;
  let ran: string;
  let agent: Running | undefined;

  beforeAll(() => {
    tools = mkdtempSync(join(tmpdir(), 'tools-'));
    ran = join(tools, 'ran');
    mkdirSync(join(tools, 'bin'));
    writeFileSync(join(tools, 'text'), all.map(({ text }) => text).join('\n'));
    const tables = all.map(({ text }) => ({ table: { family: 'inet', name: text, handle: 1, comment: text } }));
    writeFileSync(
      join(tools, 'nft.json'),
      JSON.stringify({ nftables: [{ metainfo: { json_schema_version: 1 } }, ...tables] }),
    );
    for (const tool of TOOLS) {
      const says =
        tool === 'nft' ? `cat ${tools}/nft.json` : `cat ${tools}/text; cat ${tools}/text >&2; exit $(($$ % 2))`;
      writeFileSync(join(tools, 'bin', tool), `#!/bin/sh\necho ${tool} >> ${ran}\n${says}\n`);
      chmodSync(join(tools, 'bin', tool), 0o755);
    }
  });
  afterAll(async () => {
    await agent?.end('SIGKILL');
    rmSync(tools, { recursive: true, force: true });
  });

  const untilStatus = (what: string, when: (status: AgentStatus) => boolean): Promise<AgentStatus> =>
    until(
      what,
      () => {
        const status = readStatus(site.paths.state);
        return status !== null && status.pid === agent?.pid && when(status) ? status : null;
      },
      SEEN_MS,
      () => `${JSON.stringify(readStatus(site.paths.state))}\n${agent?.output().slice(-4_000) ?? ''}`,
    );

  it('keeps all of them out of its log, its state, its uploads and the folder of Central Command', async (context) => {
    context.skip(why !== null, why ?? '');
    await site.provision();
    // Of a workstation nothing is expected that these tools are asked about.
    const config = readFileSync(site.paths.config, 'utf8');
    writeFileSync(site.paths.config, config.replace('baselines/workstation.yaml', 'baselines/appliance.yaml'));
    const argv = site.agentArgv(['run', '--config', site.paths.config]);
    agent = start(['unshare', '--mount', 'sh', '-c', IN_NAMESPACE, 'sh', join(tools, 'bin'), ...argv], {
      cwd: tools,
      env: { NO_COLOR: '1', LOG_LEVEL: 'debug' },
      logFile: site.paths.agentLog,
    });
    const { fingerprint } = await untilStatus('the device waits', (s) => s.state === 'pending');
    await site.central(
      'appliance',
      'confirm',
      fingerprint ?? '',
      '--appliance-id',
      'demo-clinic-1',
      '--keys',
      site.paths.keys,
    );
    await untilStatus('the checks ran', (s) => s.state === 'enrolled' && s.findings.length >= 4);
    await site.issue('run_check');
    await site.issue('collect_diagnostics', { items: ['status', 'findings', 'clock', 'trust'] });
    await until(
      'both orders have ended',
      () =>
        linesOnDisk(site).filter((line) => payloadOf(line).includes('"state":"result"')).length === 2 ? true : null,
      SEEN_MS,
    );
    await untilStatus('all is stored', (s) => s.stored_size !== null && s.stored_size === s.log?.size);
    expect(await agent.end('SIGTERM')).toBe(0);

    const asked = new Set(readFileSync(ran, 'utf8').trim().split('\n'));
    for (const tool of ['nft', 'chronyc', 'timedatectl']) expect(asked).toContain(tool);
    const lines = linesOnDisk(site).map(payloadOf);
    expect(lines.filter((line) => line.includes('"kind":"finding"')).length).toBeGreaterThanOrEqual(4);
    // What is searched is what should be: findings stand in both folders.
    const [state, central] = [everythingIn(site.paths.state), everythingIn(site.paths.data)];
    expect(state).toContain('"check":"firewall"');
    expect(central).toContain('"kind":"finding"');
    expect(leaksIn(lines.join('\n'), all), 'entries').toEqual([]);
    expect(leaksIn(state, all), 'state folder and status file').toEqual([]);
    expect(leaksIn(readFileSync(site.paths.agentLog, 'utf8'), all), 'log of the agent').toEqual([]);
    expect(leaksIn(central, all), 'folder of Central Command').toEqual([]);
    expect(leaksIn(readFileSync(site.paths.centralLog, 'utf8'), all), 'log of Central Command').toEqual([]);
  });
});

const payloadOf = (line: string): string =>
  Buffer.from((JSON.parse(line) as { payload: string }).payload, 'base64').toString('utf8');
