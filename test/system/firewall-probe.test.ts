// The firewall probe and check on a real nft and a real kernel, in a network namespace.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseBaseline } from '../../agent/checks/baseline.ts';
import { judgeAll } from '../../agent/checks/judge-all.ts';
import { CHECKS } from '../../agent/checks/registry.ts';
import type { FirewallFacts } from '../../agent/facts/firewall.ts';
import type { FactSet } from '../../agent/facts/probes.ts';
import { readFacts } from '../../agent/facts/read-facts.ts';
import type { Finding } from '../../agent/wire/schemas/finding.ts';
import { namespaceProblem, openNetworkNamespace, type NetworkNamespace } from '../support/network-namespace.ts';
import { fixture, probeContext } from '../support/fixture-facts.ts';

const problem = namespaceProblem('nft', 'setpriv');
const RULESET = fixture('nft/egress.nft');
const EGRESS = 'compliance-agent-egress';
const IN_TABLE = ['inet', EGRESS] as const;

let space: NetworkNamespace;
beforeEach(async (context) => {
  context.skip(problem !== null, problem ?? '');
  space = await openNetworkNamespace();
  space.run(['nft', '-f', '-'], RULESET);
});
afterEach(async () => {
  if (problem === null) await space.close();
});

async function readFirewall(): Promise<FirewallFacts> {
  const { firewall } = await readFacts(
    ['firewall'],
    probeContext({ exec: space.exec, procDir: '/proc', deadlineMs: 20_000 }),
  );
  if (firewall?.status !== 'read') throw new Error(`unreadable: ${JSON.stringify(firewall)}`);
  return firewall.value;
}
const digest = async (): Promise<string | undefined> =>
  (await readFirewall()).tables.find((table) => table.name === EGRESS)?.sha256;
const nft = (...words: [string, ...string[]]): string => space.run(['nft', ...words]);

describe('the firewall probe on a real kernel', () => {
  it('one changed rule in the kernel changes the digest of its table, and undoing it restores the digest', async () => {
    const before = await digest();
    nft('add', 'rule', ...IN_TABLE, 'input', 'tcp', 'dport', '25', 'accept');
    const changed = await digest();
    expect(changed).not.toBe(before);
    const handle =
      /tcp dport 25 accept # handle (\d+)/.exec(nft('-a', 'list', 'chain', ...IN_TABLE, 'input'))?.[1] ?? '';
    nft('delete', 'rule', ...IN_TABLE, 'input', 'handle', handle);
    expect(await digest()).toBe(before);
  });

  it('elements of timeout sets, which the refresher changes all day, do not change the digest', async () => {
    const before = await digest();
    nft('add', 'element', ...IN_TABLE, 'central4', '{ 192.0.2.7 . 443 }');
    nft('add', 'element', ...IN_TABLE, 'seen', '{ 192.0.2.9 }');
    expect(nft('-j', 'list', 'ruleset')).toContain('192.0.2.7');
    expect(await digest()).toBe(before);
  });

  it('an element of a fixed set changes the digest', async () => {
    const before = await digest();
    nft('add', 'element', ...IN_TABLE, 'fixed', '{ 198.51.100.0/24 }');
    expect(await digest()).not.toBe(before);
  });

  it('packets that are counted do not change the digest', async () => {
    nft('insert', 'rule', ...IN_TABLE, 'output', 'udp', 'dport', '9', 'counter', 'accept');
    const before = await digest();
    const script = `const s=require('dgram').createSocket('udp4');s.send('x',9,'127.0.0.1',()=>s.close())`;
    space.run([process.execPath, '-e', script]);
    expect(nft('-j', 'list', 'ruleset')).toMatch(/"packets": [1-9]/);
    expect(await digest()).toBe(before);
  });

  it('a reload that gives every rule another handle does not change the digest', async () => {
    const before = await digest();
    nft('flush', 'ruleset');
    nft('add', 'table', 'inet', 'in-between');
    space.run(['nft', '-f', '-'], RULESET);
    nft('delete', 'table', 'inet', 'in-between');
    expect(await digest()).toBe(before);
  });

  it('a policy switched to accept is read from the kernel', async () => {
    expect((await readFirewall()).policies).toEqual({ input: 'drop', output: 'drop', forward: 'drop' });
    nft('chain', ...IN_TABLE, 'output', '{ policy accept; }');
    expect((await readFirewall()).policies.output).toBe('accept');
  });

  it('a flushed ruleset is read as no tables and accept everywhere', async () => {
    nft('flush', 'ruleset');
    expect(await readFirewall()).toEqual({
      tables: [],
      policies: { input: 'accept', output: 'accept', forward: 'accept' },
    });
  });

  it('nft without CAP_NET_ADMIN is unreadable: denied', async () => {
    const drop = [
      'setpriv',
      '--bounding-set=-net_admin',
      '--inh-caps=-net_admin',
      '--reuid=65534',
      '--clear-groups',
    ] as const;
    const exec = {
      run: (argv: readonly [string, ...string[]], options: Parameters<typeof space.exec.run>[1]) =>
        space.exec.run([...drop, ...argv], options),
    };
    // The status of this test's process has the capability; only the tool's own complaint tells.
    const { firewall } = await readFacts(['firewall'], probeContext({ exec, procDir: '/proc', deadlineMs: 20_000 }));
    expect(firewall).toMatchObject({ status: 'unreadable', reason: 'denied' });
  });
});

describe('the firewall check on a real kernel', () => {
  /** Reads both facts in a process inside the namespace and judges them by the shipped baseline with this digest. */
  function judge(sha256: string): Finding | undefined {
    const program = join(import.meta.dirname, '../fixtures/programs/print-facts.ts');
    const facts = JSON.parse(space.run([process.execPath, program, 'firewall', 'listeners'])) as FactSet;
    const yaml = readFileSync(join(import.meta.dirname, '../../runbooks/baselines/appliance.yaml'), 'utf8')
      .replace('sha256: none', `sha256: ${sha256}`)
      .replace('undeclared_tables: fail', 'undeclared_tables: allow');
    return judgeAll({
      checks: CHECKS.filter((check) => check.id === 'firewall'),
      facts,
      baseline: parseBaseline(Buffer.from(yaml), 'appliance.yaml'),
      controls: [],
      waivers: [],
      now: facts.firewall?.readAt ?? 0,
      target: { id: 'appliance', role: 'appliance', os_build: null },
      baselineSigned: true,
    })[0];
  }

  it('drift in the kernel turns a pass into a fail, and undoing it turns it back', async () => {
    const declared = (await digest()) ?? '';
    const healthy = judge(declared);
    expect([healthy?.result, healthy?.facts.tables_matching]).toEqual(['pass', 1]);
    nft('chain', ...IN_TABLE, 'input', '{ policy accept; }');
    const drift = judge(declared);
    expect([drift?.result, drift?.severity, drift?.facts.input_policy]).toEqual(['fail', 'critical', 'accept']);
    nft('chain', ...IN_TABLE, 'input', '{ policy drop; }');
    expect(judge(declared)?.facts_digest).toBe(healthy?.facts_digest);
  });

  it('a flushed ruleset is a critical fail and never a pass', async () => {
    const declared = (await digest()) ?? '';
    nft('flush', 'ruleset');
    expect(judge(declared)).toMatchObject({ result: 'fail', severity: 'critical', facts: { tables_missing: 1 } });
  });
});
