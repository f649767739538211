// The firewall probe on a real nft and a real kernel, in a network namespace; what is judged stands in firewall-check.test.ts.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FirewallFacts } from '../../agent/facts/firewall.ts';
import { readFacts } from '../../agent/facts/read-facts.ts';
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
    const { tables, policies } = await readFirewall();
    expect(tables).toEqual([]);
    expect(policies).toEqual({ input: 'accept', output: 'accept', forward: 'accept' });
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
