// The firewall check on a real nft, a real kernel and real listening sockets, in a network namespace.
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FactSet } from '../../agent/facts/probes.ts';
import type { Finding } from '../../agent/wire/schemas/finding.ts';
import { live } from '../support/check-rows.ts';
import { fixture } from '../support/fixture-facts.ts';
import { judgeLive } from '../support/judge-live.ts';
import { namespaceProblem, openNetworkNamespace, type NetworkNamespace } from '../support/network-namespace.ts';

const problem = namespaceProblem('nft', 'setpriv', 'ip');
const PROGRAM = join(import.meta.dirname, '../fixtures/programs/print-facts.ts');
const EGRESS = 'compliance-agent-egress';
const IN_TABLE = ['inet', EGRESS] as const;
const RULES = live('ruleset in a network namespace', 'nft');

let space: NetworkNamespace;
let declared: string;
beforeEach(async (context) => {
  context.skip(problem !== null, problem ?? '');
  space = await openNetworkNamespace();
  space.run(['nft', '-f', '-'], fixture('nft/egress.nft'));
  declare();
});
afterEach(async () => {
  if (problem === null) await space.close();
});

/** Both facts, read in a process inside the namespace. */
const read = (): FactSet => JSON.parse(space.run([process.execPath, PROGRAM, 'firewall', 'listeners'])) as FactSet;
/** Declares the table as it is now. */
function declare(): void {
  const { firewall } = read();
  if (firewall?.status !== 'read') throw new Error(`unreadable: ${JSON.stringify(firewall)}`);
  declared = firewall.value.tables.find((table) => table.name === EGRESS)?.sha256 ?? '';
}
const nft = (...words: [string, ...string[]]): string => space.run(['nft', ...words]);

/** Judged by the shipped baseline with this digest; what the fixture loads beside the table is allowed. */
const judge = (undeclared = 'allow'): Finding =>
  judgeLive('firewall', read(), RULES, (yaml) =>
    yaml
      .replace('sha256: none', `sha256: ${declared}`)
      .replace('undeclared_tables: fail', `undeclared_tables: ${undeclared}`)
      // This table is filled by nobody.
      .replace('egress_refresh: required', ''),
  );

/** A socket of another process inside, listening by the time this resolves. */
async function listen(code: string): Promise<void> {
  const child = space.start([process.execPath, '-e', `${code}; setInterval(() => {}, 1e6)`]);
  await once(child.stdout ?? child, 'data');
}

describe('the firewall check on a real kernel', () => {
  it('drift in the kernel turns a pass into a fail, and undoing it turns it back', () => {
    const healthy = judge();
    expect([healthy.result, healthy.facts.tables_matching]).toEqual(['pass', 1]);
    nft('chain', ...IN_TABLE, 'input', '{ policy accept; }');
    const drift = judge();
    expect([drift.result, drift.severity, drift.facts.input_policy]).toEqual(['fail', 'critical', 'accept']);
    nft('chain', ...IN_TABLE, 'input', '{ policy drop; }');
    expect(judge().facts_digest).toBe(healthy.facts_digest);
  });

  it('one rule more than declared is drift, and taking it out again is none', () => {
    const healthy = judge();
    nft('add', 'rule', ...IN_TABLE, 'input', 'tcp', 'dport', '25', 'accept');
    expect(judge()).toMatchObject({ result: 'fail', severity: 'high', facts: { tables_changed: 1 } });
    const listed = nft('-a', 'list', 'chain', ...IN_TABLE, 'input');
    nft('delete', 'rule', ...IN_TABLE, 'input', 'handle', /dport 25 accept # handle (\d+)/.exec(listed)?.[1] ?? '');
    expect(judge()).toMatchObject({ result: 'pass', facts_digest: healthy.facts_digest });
  });

  it('counters that move are no drift', () => {
    nft('insert', 'rule', ...IN_TABLE, 'output', 'udp', 'dport', '9', 'counter', 'accept');
    declare();
    const healthy = judge();
    const send = "const s=require('dgram').createSocket('udp4');s.send('x',9,'127.0.0.1',()=>s.close())";
    space.run([process.execPath, '-e', send]);
    expect(nft('-j', 'list', 'ruleset')).toMatch(/"packets": [1-9]/);
    expect(judge()).toMatchObject({ result: 'pass', facts_digest: healthy.facts_digest });
  });

  it('elements that come into sets with a timeout are no drift', () => {
    const healthy = judge();
    nft('add', 'element', ...IN_TABLE, 'central4', '{ 192.0.2.7 . 443 }');
    expect(judge()).toMatchObject({ result: 'pass', facts_digest: healthy.facts_digest });
  });

  it('a declared table that is missing is critical while others are still there', () => {
    nft('delete', 'table', ...IN_TABLE);
    nft('add', 'table', 'inet', 'somebody-elses');
    expect(judge()).toMatchObject({ result: 'fail', severity: 'critical', facts: { tables_missing: 1 } });
  });

  it('a flushed ruleset is a critical fail and never a pass', () => {
    nft('flush', 'ruleset');
    expect(judge()).toMatchObject({ result: 'fail', severity: 'critical', facts: { tables_missing: 1 } });
  });

  it('a table that nobody declared is a fail where the baseline says so', () => {
    nft('add', 'table', 'inet', 'somebody-elses');
    expect(judge('fail')).toMatchObject({ result: 'fail', severity: 'medium', facts: { tables_undeclared: 2 } });
  });

  it('a socket that nobody declared and that listens to everybody is a fail, and one for this machine only too', async () => {
    await listen("require('net').createServer().listen(8080, '0.0.0.0', () => console.log('up'))");
    expect(judge()).toMatchObject({
      result: 'fail',
      severity: 'high',
      facts: { listeners_undeclared: ['tcp-any-8080'] },
    });
    await listen("require('net').createServer().listen(8081, '127.0.0.1', () => console.log('up'))");
    expect(judge()).toMatchObject({ facts: { listeners_undeclared: ['tcp-any-8080', 'tcp-loopback-8081'] } });
  });

  it('a socket that the baseline declares is none', async () => {
    await listen("require('net').createServer().listen(53, '127.0.0.1', () => console.log('up'))");
    expect(judge()).toMatchObject({ result: 'pass', facts: { listeners: ['tcp-loopback-53'] } });
  });

  it('without a digest in the baseline the rules could not be compared, and the check is unknown', () => {
    declared = 'none';
    expect(judge().result).toBe('unknown');
  });
});
