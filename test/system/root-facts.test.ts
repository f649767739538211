// Facts that root's oneshot hands over to an agent without privileges: real nft, real users, real files.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Fact } from '../../agent/facts/probe.ts';
import { PROBES, PROBE_NAMES, type FactSet, type ProbeName } from '../../agent/facts/probes.ts';
import type { FirewallFacts } from '../../agent/facts/firewall.ts';
import { CHECKS } from '../../agent/checks/registry.ts';
import { fixture } from '../support/fixture-facts.ts';
import { live } from '../support/check-rows.ts';
import { judgeLive } from '../support/judge-live.ts';
import { namespaceProblem, openNetworkNamespace, type NetworkNamespace } from '../support/network-namespace.ts';
import { CHECKOUT } from '../support/nspawn.ts';

const problem = namespaceProblem('nft', 'setpriv');
const RULES = live('ruleset in a network namespace, handed over by root', 'nft');
const PRINT = join(CHECKOUT, 'test/fixtures/programs/print-root-facts.ts');
const MAIN = join(CHECKOUT, 'agent/main.ts');
const { version: VERSION } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as { version: string };
const NOBODY = 65_534;
const AS_NOBODY = [
  ...['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--bounding-set=-all', '--inh-caps=-all'],
  '--',
] as const;

let space: NetworkNamespace;
let lab: string;
let dir: string;
let file: string;
beforeEach(async (context) => {
  context.skip(problem !== null, problem ?? '');
  space = await openNetworkNamespace();
  space.run(['nft', '-f', '-'], fixture('nft/egress.nft'));
  lab = mkdtempSync(join(tmpdir(), 'root-facts-'));
  chmodSync(lab, 0o755);
  dir = join(lab, 'facts');
  mkdirSync(dir, { mode: 0o755 });
  file = join(dir, 'firewall.json');
});
afterEach(async () => {
  if (problem !== null) return;
  await space.close();
  rmSync(lab, { recursive: true });
});

/** The oneshot: the command line as root, inside. */
const handOver = (...names: string[]): string =>
  space.run([process.execPath, MAIN, '--state', join(lab, 'state'), 'facts', ...names, '--write', dir]);
/** What an agent without privileges reads, inside. */
const readAsNobody = (names: readonly ProbeName[] = ['firewall', 'listeners'], version = VERSION): FactSet =>
  JSON.parse(space.run([...AS_NOBODY, process.execPath, PRINT, dir, version, ...names])) as FactSet;
const firewallFact = (): Fact<FirewallFacts> | undefined => readAsNobody().firewall;

const declared = (sha256: string) => (yaml: string) =>
  yaml
    .replace('sha256: none', `sha256: ${sha256}`)
    .replace('undeclared_tables: fail', 'undeclared_tables: allow')
    .replace('egress_refresh: required', '');

function digestIn(fact: Fact<FirewallFacts> | undefined): string {
  const table =
    fact?.status === 'read' ? fact.value.tables.find((t) => t.name === 'compliance-agent-egress') : undefined;
  if (table === undefined) throw new Error(`no table: ${JSON.stringify(fact)}`);
  return table.sha256;
}

/** Changes what stands in the file, as root. */
function rewrite(change: (file: { agent_version: string; fact: { readAt: number; probe: string } }) => void): void {
  const value = JSON.parse(readFileSync(file, 'utf8')) as {
    agent_version: string;
    fact: { readAt: number; probe: string };
  };
  change(value);
  writeFileSync(file, JSON.stringify(value));
}

describe('an agent without privileges', () => {
  it('reads no firewall by itself: denied, so the check is unknown and never a pass', () => {
    const facts = readAsNobody();
    expect(facts.firewall).toMatchObject({ status: 'unreadable', reason: 'denied' });
    expect(judgeLive('firewall', facts, RULES).result).toBe('unknown');
  });

  it('takes the firewall that root read, judges it, and sees a drift at the next turn', () => {
    handOver('firewall');
    const facts = readAsNobody();
    const sha256 = digestIn(facts.firewall);
    expect(judgeLive('firewall', facts, RULES, declared(sha256)).result).toBe('pass');
    space.run(['nft', 'chain', 'inet', 'compliance-agent-egress', 'output', '{ policy accept; }']);
    handOver('firewall');
    expect(judgeLive('firewall', readAsNobody(), RULES, declared(sha256)).result).toBe('fail');
  });

  it('gives the time at which root read, not the time at which the file was taken', () => {
    handOver('firewall');
    const before = firewallFact()?.readAt ?? 0;
    rewrite((value) => void (value.fact.readAt = before - 300));
    expect(firewallFact()).toMatchObject({ status: 'read', readAt: before - 300 });
  });

  it('passes no check that rests on a fact for root, whatever this machine is', () => {
    const facts = readAsNobody(PROBE_NAMES);
    const privileged = CHECKS.filter((check) => check.probes.some((name) => PROBES[name].asRoot !== undefined));
    expect(privileged.map((check) => check.id)).toContain('firewall');
    for (const check of privileged) {
      expect(
        judgeLive(check.id, facts, live('this machine, read without privileges'), declared('ab'.repeat(32))).result,
        check.id,
      ).not.toBe('pass');
    }
  });
});

describe('a file of facts', () => {
  it('is replaced in one step, can be read by everybody whatever the umask is, and leaves nothing beside it', () => {
    handOver('firewall');
    const first = statSync(file).ino;
    const argv = [process.execPath, MAIN, '--state', join(lab, 'state'), 'facts', 'firewall', 'clock', '--write', dir];
    const result = spawnSync('sh', ['-c', 'umask 077; exec "$@"', 'sh', ...argv], { encoding: 'utf8' });
    expect(result.status, result.stderr).toBe(0);
    const { mode, uid, ino } = statSync(file);
    expect([mode & 0o777, uid, ino === first]).toEqual([0o644, 0, false]);
    expect(readdirSync(dir).sort()).toEqual(['clock.json', 'firewall.json']);
  });

  it.each([
    ['older than two turns of its timer', -1_201],
    ['dated more than a minute ahead', 120],
  ])('that is %s is stale, and the check unknown', (_what, shift) => {
    handOver('firewall');
    rewrite((value) => void (value.fact.readAt += shift));
    const facts = readAsNobody();
    expect(facts.firewall).toMatchObject({ status: 'unreadable', reason: 'stale' });
    expect(judgeLive('firewall', facts, RULES)).toMatchObject({
      result: 'unknown',
      facts: { unreadable_firewall: 'stale' },
    });
  });

  it('of another version of the agent is stale', () => {
    handOver('firewall');
    expect(readAsNobody(['firewall'], '9.9.9').firewall).toMatchObject({ status: 'unreadable', reason: 'stale' });
  });

  it.each<[string, () => void]>([
    ['belongs to another user than root', () => chownSync(file, NOBODY, NOBODY)],
    ['its group may write', () => chmodSync(file, 0o664)],
    ['everybody may write', () => chmodSync(file, 0o646)],
    ['is a link to a file of another user', forge],
    ['lies in a folder that everybody may write into', () => chmodSync(dir, 0o1777)],
    ['lies in a folder of another user', () => chownSync(dir, NOBODY, NOBODY)],
    ['lies in a folder that is reached by a link', () => linkFolder()],
  ])('that %s is refused as untrusted, and the check unknown', (_what, spoil) => {
    handOver('firewall');
    spoil();
    const facts = readAsNobody();
    expect(facts.firewall).toMatchObject({ status: 'unreadable', reason: 'untrusted' });
    expect(judgeLive('firewall', facts, RULES)).toMatchObject({
      result: 'unknown',
      facts: { unreadable_firewall: 'untrusted' },
    });
  });

  it.each(['', 'not json', '{}', '{"schema":"compliance-agent/fact/v1","agent_version":"x","fact":null}'])(
    'that holds %j is not understood',
    (content) => {
      writeFileSync(file, content);
      expect(firewallFact()).toMatchObject({ status: 'unreadable', reason: 'unparsable' });
    },
  );

  it('of another probe under this name is not understood', () => {
    handOver('firewall');
    rewrite((value) => void (value.fact.probe = 'listeners'));
    expect(firewallFact()).toMatchObject({ status: 'unreadable', reason: 'unparsable' });
  });

  it('in whose place a pipe was put is not waited for', () => {
    space.run(['mkfifo', '--mode=644', file]);
    expect(firewallFact()).toMatchObject({ status: 'unreadable', reason: 'failed' });
  });

  it('that says why root could not read is handed on with that reason', () => {
    const argv = [process.execPath, MAIN, '--state', join(lab, 'state'), 'facts', 'firewall', '--write', dir];
    space.run([
      'setpriv',
      '--bounding-set=-net_admin',
      '--inh-caps=-net_admin',
      '--',
      'sh',
      '-c',
      'exec "$@"',
      'sh',
      ...argv,
    ]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ fact: { status: 'unreadable' } });
    expect(firewallFact()).toMatchObject({ status: 'unreadable', reason: 'denied' });
  });

  it.each([
    ['/dev/null', 'is taken where the tool cannot be run', 'read'],
    ['/bin/false', 'is not taken in place of a reading that was tried and failed', 'unreadable'],
  ] as const)('with %s in place of nft %s', (program, _what, status) => {
    handOver('firewall');
    const hide = 'mount --bind "$0" "$(readlink -f "$(command -v nft)")" && exec "$@"';
    const words = ['unshare', '--mount', 'sh', '-c', hide, program, process.execPath, PRINT, dir, VERSION, 'firewall'];
    const facts = JSON.parse(space.run(words as [string, ...string[]])) as FactSet;
    expect(facts.firewall?.status).toBe(status);
  });

  it('is not read by one who may read himself', () => {
    handOver('firewall');
    rewrite((value) => void (value.fact.readAt = 1));
    const facts = JSON.parse(space.run([process.execPath, PRINT, dir, VERSION, 'firewall'])) as FactSet;
    expect(facts.firewall?.status).toBe('read');
    expect(facts.firewall?.readAt).toBeGreaterThan(1);
  });
});

function forge(): void {
  const theirs = join(lab, 'theirs.json');
  writeFileSync(theirs, readFileSync(file));
  chownSync(theirs, NOBODY, NOBODY);
  rmSync(file);
  symlinkSync(theirs, file);
}

function linkFolder(): void {
  const elsewhere = join(lab, 'elsewhere');
  mkdirSync(elsewhere, { mode: 0o755 });
  writeFileSync(join(elsewhere, 'firewall.json'), readFileSync(file), { mode: 0o644 });
  rmSync(dir, { recursive: true });
  symlinkSync(elsewhere, dir);
}
