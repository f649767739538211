// Both sides in a network of their own in which connections and questions vanish.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentStatus } from '../../agent/system/status-file.ts';
import { createSite, type Site } from '../../tools/demo/site.ts';
import { REPO } from '../support/demo-site.ts';
import { namespaceProblem, openNetworkNamespace, type NetworkNamespace } from '../support/network-namespace.ts';

const why = namespaceProblem('nft');
/** A request has 30 s. */
const WITHIN_MS = 120_000;
const VOID = '10.99.0.53';
const NAME = 'central.hang.test';

describe('a running daemon in a network that swallows things', () => {
  const dir = mkdtempSync(join(tmpdir(), 'network-'));
  const resolv = join(dir, 'resolv.conf');
  let ns: NetworkNamespace;
  let site: Site;

  beforeAll(async () => {
    if (why !== null) return;
    ns = await openNetworkNamespace();
    ns.run(['ip', 'address', 'add', VOID, 'dev', 'lo']);
    // Three servers that never answer, and a domain to search: a question takes a minute to fail.
    const servers = [VOID, VOID, VOID].map((address) => `nameserver ${address}\n`).join('');
    writeFileSync(resolv, `${servers}search clinic.test\noptions timeout:5 attempts:2 ndots:5\n`);
    const siteDir = join(dir, 'site');
    mkdirSync(siteDir);
    const bind = `mount --bind ${resolv} /etc/resolv.conf && exec "$@"`;
    site = createSite({
      dir: siteDir,
      repo: REPO,
      serveWrap: ns.inside,
      // Few threads for questions and files: questions that stay open would soon hold those that read files.
      agentEnv: { UV_THREADPOOL_SIZE: '2' },
      agentWrap: [...ns.inside, 'unshare', '--mount', 'sh', '-c', bind, 'sh'],
    });
    await site.provision();
    site.startAgent();
    await site.confirm();
  });
  afterAll(async () => {
    await site?.end();
    await ns?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const drop = (rules: string): void =>
    void ns.run(
      ['nft', '-f', '-'],
      `table inet swallow {\n chain input {\n  type filter hook input priority 0;\n ${rules}\n }\n}\n`,
    );
  const dropNothing = (): void => void ns.run(['nft', 'delete', 'table', 'inet', 'swallow']);
  const port = (): string => new URL(site.url()).port;

  /** It names `code`, and meanwhile checks and records as if nothing was wrong. */
  async function namesAndGoesOn(code: string): Promise<AgentStatus> {
    const began = Math.floor(Date.now() / 1_000);
    const before = site.status()!.log!.size;
    const seen = await site.untilStatus(
      `the reason is ${code}`,
      (s) => s.blocking_reason?.code === code && s.log!.size > before,
      WITHIN_MS,
    );
    return await site
      .untilStatus(
        'every check was run since',
        (s) => s.findings.every((finding) => finding.read_at > began),
        WITHIN_MS,
      )
      .then(() => seen);
  }
  async function isWellAgain(): Promise<void> {
    await site.untilStatus(
      'it is answered and everything is stored',
      (s) => s.blocking_reason === null && s.last_answer_at !== null && s.stored_size === s.log?.size,
      WITHIN_MS,
    );
  }

  it('names Central Command that accepts connections and never answers, and goes on', async (ctx) => {
    ctx.skip(why !== null, why ?? '');
    // The kernel goes on taking connections for a process that is stopped.
    const { pid } = site.centralProcess()!;
    process.kill(pid, 'SIGSTOP');
    await namesAndGoesOn('request_timeout');
    process.kill(pid, 'SIGCONT');
    await isWellAgain();
  });

  it('notices that the other end of an open connection is gone without a word, and connects anew when it is back', async (ctx) => {
    ctx.skip(why !== null, why ?? '');
    await isWellAgain();
    drop(`tcp dport ${port()} drop; tcp sport ${port()} drop;`);
    await namesAndGoesOn('request_timeout');
    dropNothing();
    await isWellAgain();
  });

  it('names DNS that never answers, and its checks of files do not wait behind the questions', async (ctx) => {
    ctx.skip(why !== null, why ?? '');
    await site.endAgent('SIGTERM');
    drop(`ip daddr ${VOID} drop;`);
    const config = readFileSync(site.paths.config, 'utf8');
    writeFileSync(site.paths.config, `${config}central_url: https://${NAME}:${port()}\n`);
    const agent = site.startAgent();
    await site.untilStatus(
      'it names the resolution',
      (s) => /name|resol|DNS/i.test(s.blocking_reason?.sentence ?? ''),
      WITHIN_MS,
    );
    const { findings } = await namesAndGoesOn(site.status()!.blocking_reason!.code);
    expect(findings.find((finding) => finding.check === 'disk')?.result).toBe('pass');
    expect(agent.output()).not.toContain('probe=disk');
    await site.endAgent('SIGTERM');
    writeFileSync(site.paths.config, config);
    dropNothing();
    site.startAgent();
    await isWellAgain();
  });
});
