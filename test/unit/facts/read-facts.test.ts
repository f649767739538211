import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Unreadable, type Probe } from '../../../agent/facts/probe.ts';
import { PROBE_NAMES } from '../../../agent/facts/probes.ts';
import { readFact, readFacts } from '../../../agent/facts/read-facts.ts';
import { createExec } from '../../../agent/system/exec.ts';
import { fakeExec } from '../../support/fakes/fake-exec.ts';
import { fixture, probeContext, READ_AT, temporaryTree, toolsOnPath } from '../../support/fixture-facts.ts';

const asRoot = { 'self/status': fixture('proc/status-node') };

describe('probes whose tool misbehaves', () => {
  it.each([
    ['is not installed', {}, 'missing_tool'],
    ['hangs', { nft: 'hangs' }, 'timeout'],
    ['ignores SIGTERM', { nft: 'ignores-sigterm' }, 'timeout'],
    ['prints 100 MB', { nft: 'prints-100mb' }, 'too_much_output'],
    ['prints 100 MB to stderr', { nft: 'prints-100mb-to-stderr' }, 'too_much_output'],
    ['may not be executed', { nft: 'not-executable' }, 'denied'],
    ['ends with an error', { nft: 'exits-3' }, 'failed'],
    ['is killed', { nft: 'kills-itself' }, 'failed'],
    ['prints something else', { nft: 'prints-environment' }, 'unparsable'],
    ['prints nothing', { nft: 'prints-to-stderr' }, 'unparsable'],
  ] as [string, Record<string, string>, string][])(
    'the firewall is unreadable when nft %s',
    async (_what, tools, reason) => {
      using path = toolsOnPath(tools);
      using proc = temporaryTree(asRoot);
      // The programs themselves need sh, sleep and head; a missing tool must not be found anywhere.
      const dirs =
        reason === 'missing_tool' ? [path.dir] : [path.dir, '/run/current-system/sw/bin', '/usr/bin', '/bin'];
      const deadlineMs = reason === 'timeout' ? 200 : 20_000;
      const context = probeContext({ exec: createExec(dirs), procDir: proc.dir, deadlineMs });
      const { firewall: facts } = await readFacts(['firewall'], context);
      expect(facts).toMatchObject({ status: 'unreadable', probe: 'firewall', reason, readAt: READ_AT });
    },
  );

  it('nft that is refused by the kernel is denied', async () => {
    using proc = temporaryTree(asRoot);
    const exec = fakeExec({ nft: { code: 1, stderr: 'Operation not permitted (you must be root)\n' } });
    const { firewall } = await readFacts(['firewall'], probeContext({ exec, procDir: proc.dir }));
    expect(firewall).toMatchObject({ status: 'unreadable', reason: 'denied' });
  });

  it('without CAP_NET_ADMIN nft is not even asked, since an empty list would look like no firewall', async () => {
    using proc = temporaryTree({ 'self/status': fixture('proc/status-hardened') });
    const exec = fakeExec({ nft: { stdout: fixture('nft/none.json') } });
    const { firewall } = await readFacts(['firewall'], probeContext({ exec, procDir: proc.dir }));
    expect(firewall).toMatchObject({ status: 'unreadable', reason: 'denied' });
    expect(exec.calls).toEqual([]);
  });

  it('nft that works gives digests and default policies', async () => {
    using proc = temporaryTree(asRoot);
    const exec = fakeExec({ 'nft -j list ruleset': { stdout: fixture('nft/egress-fresh.json') } });
    const { firewall } = await readFacts(['firewall'], probeContext({ exec, procDir: proc.dir }));
    expect(firewall).toMatchObject({
      status: 'read',
      value: { tables: [{ name: 'compliance-agent-egress' }, { name: 'legacy' }], policies: { output: 'drop' } },
    });
  });
});

describe('the clock probe', () => {
  const read = async (table: Parameters<typeof fakeExec>[0], skewMs?: number | null) =>
    (await readFacts(['clock'], probeContext({ exec: fakeExec(table), ...(skewMs === undefined ? {} : { skewMs }) })))
      .clock;
  const chrony = { stdout: fixture('chrony/local-reference.csv') };
  const timedatectl = { stdout: fixture('timedatectl/synchronised.txt') };

  it('chrony counts before timedatectl', async () => {
    expect(await read({ chronyc: chrony, timedatectl })).toMatchObject({
      value: { source: 'chrony', synchronized: true, stratum: 8, skewMs: null },
    });
  });

  it('timedatectl counts where chrony is missing, hangs or prints something else', async () => {
    for (const broken of [
      {},
      { chronyc: { hangs: 'until_deadline' } },
      { chronyc: { stdout: '506 Cannot talk' } },
    ] as const) {
      expect(await read({ ...broken, timedatectl })).toMatchObject({
        value: { source: 'timedatectl', synchronized: true },
      });
    }
  });

  it('the file of systemd-timesyncd counts where no tool answers', async () => {
    using run = temporaryTree({ 'systemd/timesync/synchronized': '' });
    const { clock } = await readFacts(['clock'], probeContext({ runDir: run.dir }));
    expect(clock).toMatchObject({ value: { source: 'timesyncd', synchronized: true, offsetMs: null } });
  });

  it('with no tool at all the skew from the signed time is still a fact', async () => {
    expect(await read({}, -42)).toMatchObject({
      status: 'read',
      value: { source: 'none', synchronized: null, skewMs: -42 },
    });
  });

  it('a skew is a whole number of milliseconds and never minus zero', async () => {
    for (const [given, expected] of [
      [-0, 0],
      [-0.4, 0],
      [1.6, 2],
    ] as const) {
      const fact = await read({}, given);
      expect(fact?.status === 'read' && Object.is(fact.value.skewMs, expected)).toBe(true);
    }
  });

  it('with no tool and no signed time the clock is unreadable, and the reason is the telling one', async () => {
    expect(await read({})).toMatchObject({ status: 'unreadable', reason: 'missing_tool' });
    expect(await read({ chronyc: { hangs: 'until_deadline' } }, null)).toMatchObject({ reason: 'timeout' });
    expect(await read({ timedatectl: { stdout: 'garbage' } })).toMatchObject({ reason: 'unparsable' });
    const noSystemd = { code: 1, stderr: 'System has not been booted with systemd as init system (PID 1).' };
    expect(await read({ timedatectl: noSystemd })).toMatchObject({ reason: 'failed' });
  });
});

describe('the self probe', () => {
  const tree = (status: string, limits: string): Record<string, string> => ({
    '4711/status': fixture(`proc/${status}`),
    '4711/limits': fixture(`proc/${limits}`),
    '4711/net/tcp': fixture('proc/net/tcp'),
    '4711/net/udp': fixture('proc/net/udp'),
    '4711/fd/none': '',
  });

  it('hardening, key files and database are read; a kernel without IPv6 has no tcp6', async () => {
    using proc = temporaryTree({ ...tree('status-hardened', 'limits-without-core-dumps'), 'keys/open': 'k' });
    const context = probeContext({ procDir: proc.dir, keyFiles: [join(proc.dir, 'keys/open'), '/nowhere/key'] });
    const { self } = await readFacts(['self'], { ...context, databaseCheck: '*** in database main ***' });
    expect(self).toMatchObject({
      value: {
        listeners: [],
        runsAsRoot: false,
        noNewPrivileges: true,
        hasCapabilities: false,
        coreDumps: false,
        debuggerSignal: false,
        keyFiles: 2,
        keyFilesMissing: 1,
        keyFilesExposed: 1,
        database: 'damaged',
      },
    });
  });

  it('a process that is not there is unreadable', async () => {
    const { self } = await readFacts(['self'], probeContext({ procDir: '/proc', pid: 2 ** 22 + 7 }));
    expect(self).toMatchObject({ status: 'unreadable', reason: 'failed' });
  });

  it('a table of sockets that cannot be read makes the fact unreadable and not empty', async () => {
    using proc = temporaryTree({ ...tree('status-node', 'limits'), '4711/net/tcp': '<html>' });
    const { self } = await readFacts(['self'], probeContext({ procDir: proc.dir }));
    expect(self).toMatchObject({ status: 'unreadable', reason: 'unparsable' });
  });
});

describe('reading several facts', () => {
  it('where nothing can be read every fact says so and nothing is thrown', async () => {
    const facts = await readFacts(PROBE_NAMES, probeContext({ stateDir: '/nowhere' }));
    expect(Object.keys(facts).sort()).toEqual([...PROBE_NAMES].sort());
    for (const fact of Object.values(facts)) expect(fact.status).toBe('unreadable');
  });

  it('a probe that hangs costs its own fact and no other', async () => {
    using proc = temporaryTree(asRoot);
    const exec = fakeExec({
      nft: { hangs: 'until_deadline' },
      timedatectl: { stdout: fixture('timedatectl/synchronised.txt') },
    });
    const facts = await readFacts(['firewall', 'clock'], probeContext({ exec, procDir: proc.dir }));
    expect([facts.firewall?.status, facts.clock?.status]).toEqual(['unreadable', 'read']);
  });

  it('a probe that never answers is given up after its deadline', async () => {
    const deaf = { name: 'deaf', read: () => new Promise<never>(() => undefined) };
    expect(await readFact(deaf, probeContext({ deadlineMs: 5 }))).toMatchObject({
      status: 'unreadable',
      reason: 'timeout',
    });
  });

  it('a probe that throws at once, or throws no error at all, yields an unreadable fact', async () => {
    const throwing = (what: unknown) => ({
      name: 'broken',
      read: () => {
        throw what;
      },
    });
    expect(await readFact(throwing(new TypeError('x')), probeContext())).toMatchObject({ reason: 'failed' });
    expect(await readFact(throwing(null), probeContext())).toMatchObject({ reason: 'failed' });
  });

  it('an abort ends the reading at once with unreadable facts', async () => {
    const controller = new AbortController();
    const deaf = { name: 'deaf', read: () => new Promise<never>(() => undefined) };
    const reading = readFact(deaf, probeContext({ deadlineMs: 60_000, signal: controller.signal }));
    controller.abort();
    expect(await reading).toMatchObject({ status: 'unreadable', reason: 'timeout' });
    const late = probeContext({ signal: AbortSignal.abort() });
    expect(await readFact(deaf, late)).toMatchObject({ status: 'unreadable', reason: 'timeout' });
  });
});

describe('a probe whose agent adds a part of its own', () => {
  const probe: Probe<{ read: number; own: string | null }> = {
    name: 'half',
    read: () => Promise.resolve({ read: 1, own: null }),
    own: (value, { stateDir }) => ({ ...value, own: stateDir }),
  };

  it('gives it with what was read here', async () => {
    const { stateDir } = probeContext();
    expect(await readFact(probe, probeContext())).toMatchObject({ value: { read: 1, own: stateDir } });
  });

  it('leaves it out of what is handed over to another agent', async () => {
    expect(await readFact(probe, { ...probeContext(), handsOver: true })).toMatchObject({ value: { own: null } });
  });

  it('is unreadable where its own part is, with that reason', async () => {
    const own = (): never => {
      throw new Unreadable('unparsable', 'the result of a job is not JSON');
    };
    const reason = { status: 'unreadable', reason: 'unparsable' };
    expect(await readFact({ ...probe, own }, probeContext())).toMatchObject(reason);
  });
});
