// What listens in a network namespace, told by the agent and by ss(8).
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeListeners } from '../../agent/facts/proc-net.ts';
import type { FactSet } from '../../agent/facts/probes.ts';
import { namespaceProblem, openNetworkNamespace, type NetworkNamespace } from '../support/network-namespace.ts';

const problem = namespaceProblem('ss');
const PRINT_FACTS = join(import.meta.dirname, '../fixtures/programs/print-facts.ts');
/** Listens on every kind of address, keeps a connection and a connected UDP socket, then says so. */
const LISTEN = `
const net = require('net'), dgram = require('dgram');
const tcp = (port, host) => new Promise((done) => net.createServer().listen(port, host, done));
const udp = (type, port, host) => new Promise((done) => dgram.createSocket({ type }).bind(port, host, done));
(async () => {
  await tcp(2201, '0.0.0.0'); await tcp(2202, '127.0.0.1'); await tcp(2203, '::'); await tcp(2204, '::1'); await tcp(2205, '10.77.0.1');
  await udp('udp4', 2301, '0.0.0.0'); await udp('udp4', 2302, '127.0.0.1'); await udp('udp6', 2303, '::1');
  await new Promise((done) => net.connect(2202, '127.0.0.1', done));
  await new Promise((done) => dgram.createSocket('udp4').connect(2302, '127.0.0.1', done));
  console.log('ready');
})();`;

let space: NetworkNamespace;
beforeEach(async (context) => {
  context.skip(problem !== null, problem ?? '');
  space = await openNetworkNamespace();
  space.run(['ip', 'address', 'add', '10.77.0.1/32', 'dev', 'lo']);
});
afterEach(async () => {
  if (problem === null) await space.close();
});

const facts = (...names: string[]): FactSet =>
  JSON.parse(space.run([process.execPath, '--disable-sigusr1', PRINT_FACTS, ...names])) as FactSet;
const listeners = (): string[] => {
  const fact = facts('listeners').listeners;
  return fact?.status === 'read' ? describeListeners(fact.value.listeners) : [];
};

/** `tcp LISTEN 0 511 127.0.0.1:2202 0.0.0.0:*` in our words. */
function fromSs(text: string): string[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const named = lines.map((line) => {
    const [protocol, , , , local = ''] = line.trim().split(/\s+/);
    const at = local.lastIndexOf(':');
    const address = local.slice(0, at).replace(/%.*$/, '');
    const scope = ['0.0.0.0', '*', '[::]'].includes(address)
      ? 'any'
      : address.startsWith('127.') || address === '[::1]'
        ? 'loopback'
        : 'address';
    return `${protocol}-${scope}-${local.slice(at + 1)}`;
  });
  return [...new Set(named)].sort();
}

describe('listening sockets of a machine', () => {
  it('an empty namespace has none', () => {
    expect(listeners()).toEqual([]);
  });

  it('the agent finds what ss finds: every listener and no connection', async () => {
    const child = space.start([process.execPath, '-e', LISTEN]);
    if (child.stdout !== null) await once(child.stdout, 'data');
    const expected = fromSs(space.run(['ss', '-H', '-l', '-n', '-t', '-u']));
    expect(expected).toHaveLength(8);
    expect(listeners()).toEqual(expected);
  });

  it('listeners of other processes are not taken for our own', async () => {
    const child = space.start([process.execPath, '-e', LISTEN]);
    if (child.stdout !== null) await once(child.stdout, 'data');
    expect(facts('self').self).toMatchObject({ status: 'read', value: { listeners: [], debuggerSignal: false } });
  });
});
