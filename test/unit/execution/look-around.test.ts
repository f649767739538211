import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lookAround, MAX_AT_ONCE, type TargetRound } from '../../../agent/execution/look-around.ts';
import { lookAtTargets } from '../../../agent/execution/look-at-targets.ts';
import { isDark, reachFinding, type Reach } from '../../../agent/execution/reach.ts';
import { createTargetLocks } from '../../../agent/execution/target-locks.ts';
import type { Finding } from '../../../agent/wire/schemas/finding.ts';
import { factsLine, type SimulatedMachine } from '../../lab/simulated-site.ts';
import { statementsOf, withDir } from '../../support/evidence-fixtures.ts';
import { executorLab, type ExecutorLab } from '../../support/executor-lab.ts';
import { drifted, loadedRunbook, machine, TEST_CHECK } from '../../support/runbook-fixtures.ts';

const never = new AbortController().signal;
const BOOKS = [
  { loaded: loadedRunbook(), check: TEST_CHECK },
  { loaded: loadedRunbook({ version: 2 }), check: TEST_CHECK },
];

async function around(
  machines: Record<string, SimulatedMachine>,
  o: { deadlineMs?: number; arrange?: (lab: ExecutorLab) => void; signal?: AbortSignal; ids?: string[] } = {},
) {
  return withDir(async (dir) => {
    const lab = executorLab(dir, machines);
    o.arrange?.(lab);
    const seen = new Map<string, { reach: Reach; findings: readonly Finding[] }>();
    const ids = o.ids ?? Object.keys(machines);
    const rounds = ids.map((id): TargetRound => ({ target: { id, role: 'member-server' }, books: BOOKS }));
    const onTarget = (id: string, reach: Reach, findings: readonly Finding[]) => seen.set(id, { reach, findings });
    const deps = { ...lab.deps, onTarget, targetDeadlineMs: o.deadlineMs ?? 60_000 };
    try {
      await lookAround(rounds, deps, o.signal ?? never);
      return { seen, lab };
    } finally {
      lab.store.close();
    }
  });
}

describe('looks at many targets', () => {
  it('reach 25 of them, at most four at once, in one round', async () => {
    const machines = Object.fromEntries(Array.from({ length: 25 }, (_, n) => [`srv-${n}`, machine()]));
    const { seen, lab } = await around(machines, {
      arrange: (made) => (made.site.onRun = () => new Promise(setImmediate)),
    });
    expect(seen.size).toBe(25);
    expect(lab.site.most()).toBe(MAX_AT_ONCE);
    expect([...seen.values()].every(({ findings }) => findings.every(({ result }) => result === 'pass'))).toBe(true);
  });

  it('one that hangs hurts nobody, and is unknown with `timeout`', async () => {
    const machines = { 'srv-0': machine({ hangs: ['detect'] }), 'srv-1': drifted(), 'srv-2': machine() };
    const { seen } = await around(machines, { deadlineMs: 300 });
    expect(seen.get('srv-1')?.findings[0]?.result).toBe('fail');
    expect(seen.get('srv-2')?.findings[0]?.result).toBe('pass');
    expect(seen.get('srv-0')?.findings[0]).toMatchObject({ result: 'unknown', facts: { unseen: 'timeout' } });
  });

  it.each<[string, SimulatedMachine, Reach, string]>([
    ['unreachable', machine({ fails: 'winrm_unreachable' }), 'unreachable', 'unreachable'],
    ['refusing the password', machine({ fails: 'winrm_logon_failed' }), 'unauthorised', 'unauthorised'],
    ['held back by the lock-out guard', machine({ fails: 'credential_stopped' }), 'unauthorised', 'unauthorised'],
    ['denying the script', machine({ denied: ['detect'] }), 'answered', 'script_failed'],
    ['slow', machine({ fails: 'runner_timeout' }), 'answered', 'timeout'],
    ['using too much', machine({ cpuMs: 60_000 }), 'answered', 'over_budget'],
    [
      'printing other facts',
      machine({ answers: { detect: () => factsLine({ level: 9 }) } }),
      'answered',
      'wrong_shape',
    ],
  ])('one that is %s is unknown and says so, never a pass', async (_name, one, reach, unseen) => {
    const { seen } = await around({ 'srv-1': one });
    expect(seen.get('srv-1')).toMatchObject({ reach, findings: [{ result: 'unknown', facts: { unseen } }, {}] });
  });

  it('one that does not answer is asked once in a round, however many runbooks look there', async () => {
    const { seen, lab } = await around({ 'srv-1': machine({ fails: 'winrm_unreachable' }) });
    expect(lab.phases()).toEqual(['detect']);
    expect(seen.get('srv-1')?.findings.map(({ result }) => result)).toEqual(['unknown', 'unknown']);
  });

  it('one without credentials is unauthorised, one whose runbook is not listed is not asked at all', async () => {
    expect((await around({}, { ids: ['srv-9'] })).seen.get('srv-9')).toMatchObject({ reach: 'unauthorised' });
    const { seen, lab } = await around(
      { 'srv-1': machine() },
      { arrange: (made) => (made.circumstances = { ...made.circumstances, listedClass: null }) },
    );
    expect(seen.get('srv-1')?.findings[0]).toMatchObject({ result: 'unknown', facts: { unseen: 'not_listed' } });
    expect(lab.phases()).toEqual([]);
  });

  it('end with their caller', async () => {
    const controller = new AbortController();
    const running = around(
      { 'srv-1': machine({ hangs: ['detect'] }) },
      { signal: controller.signal, arrange: (made) => (made.site.onRun = () => controller.abort(new Error('stop'))) },
    );
    await expect(running).rejects.toThrow('stop');
  });
});

describe('a dark network', () => {
  const reaches = (answered: number, unreachable: number, unauthorised = 0): Reach[] => [
    ...Array.from({ length: answered }, () => 'answered' as const),
    ...Array.from({ length: unreachable }, () => 'unreachable' as const),
    ...Array.from({ length: unauthorised }, () => 'unauthorised' as const),
  ];
  const said = (list: Reach[]) =>
    reachFinding(list, {
      now: 1_780_315_200,
      target: { id: 'appliance', role: 'appliance', os_build: null },
      baseline: { id: 'appliance', version: 1, sha256: 'b1'.repeat(32) },
    });

  it.each([
    [reaches(1, 4), true],
    [reaches(0, 3), true],
    [reaches(5, 20), true],
    [reaches(2, 7), false],
    [reaches(6, 19), false],
    [reaches(0, 2), false],
    [reaches(1, 2), false],
    [reaches(0, 2, 1), false],
  ])('is one finding from 80 % of at least three on', (list, dark) => {
    expect(isDark(list)).toBe(dark);
    expect(said(list).result).toBe(dark ? 'fail' : 'unknown');
  });

  it('passes only where there is a target and every one answered', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom<Reach>('answered', 'unreachable', 'unauthorised')), (list) => {
        expect(said(list).result === 'pass').toBe(list.length > 0 && list.every((one) => one === 'answered'));
      }),
    );
  });
});

describe('a round of a site', () => {
  const round = (machines: Record<string, SimulatedMachine>, rounds: number) =>
    withDir(async (dir) => {
      const lab = executorLab(dir, machines);
      const shown: Finding[] = [];
      const site = {
        reach: new Map<string, Reach>(),
        known: () => Object.keys(machines),
        appliance: { id: 'appliance', role: 'appliance', os_build: null },
        baseline: () => ({ id: 'appliance', version: 1, sha256: 'b1'.repeat(32) }),
        show: (one: Finding) => void shown.push(one),
      };
      const all = Object.keys(machines).map((id): TargetRound => ({
        target: { id, role: 'server' },
        books: BOOKS.slice(0, 1),
      }));
      try {
        for (let n = 0; n < rounds; n++) await lookAtTargets(all, lab.deps, site, never);
        const entries = statementsOf(lab.store).flatMap(({ predicate }) =>
          predicate.kind === 'finding' ? [predicate] : [],
        );
        return { entries, shown };
      } finally {
        lab.store.close();
      }
    });
  const away = machine({ fails: 'winrm_unreachable' });

  it('whose network is dark writes one finding for all machines that are away, and shows each of them as unknown', async () => {
    const { entries, shown } = await round({ a: away, b: away, c: away, d: away, e: machine() }, 3);
    expect(entries.map(({ target, check, result }) => [target.id, check.id, result])).toEqual([
      ['e', 'windows_test', 'pass'],
      ['appliance', 'windows_targets', 'fail'],
    ]);
    expect(shown.slice(0, 4).map(({ result, facts }) => [result, facts['unseen']])).toEqual(
      Array.from({ length: 4 }, () => ['unknown', 'subnet_dark']),
    );
  });

  it('in which one of three machines is away writes what is known of each', async () => {
    const { entries, shown } = await round({ a: away, b: machine(), c: drifted() }, 1);
    expect(entries.map(({ target, result }) => `${target.id} ${result}`).toSorted()).toEqual([
      'a unknown',
      'appliance unknown',
      'b pass',
      'c fail',
    ]);
    expect(shown).toEqual([]);
  });
});

describe('locks', () => {
  it('let one at a time onto a target, in the order of their asking, and another past who gave up', async () => {
    const locks = createTargetLocks();
    const order: number[] = [];
    const first = await locks.hold('a', never);
    const controller = new AbortController();
    const gaveUp = locks.hold('a', controller.signal);
    const third = locks.hold('a', never).then((release) => {
      order.push(3);
      release();
    });
    const other = await locks.hold('b', never);
    controller.abort(new Error('no more'));
    await expect(gaveUp).rejects.toThrow('no more');
    expect(order).toEqual([]);
    first();
    await third;
    other();
    expect(order).toEqual([3]);
    await new Promise(setImmediate);
    expect([locks.isBusy('a'), locks.isBusy('b')]).toEqual([false, false]);
  });

  it('let one change at a time happen at the site', () => {
    const locks = createTargetLocks();
    const release = locks.tryChange();
    expect(locks.tryChange()).toBeNull();
    release?.();
    const next = locks.tryChange();
    expect(next).not.toBeNull();
    // A release that comes twice does not free somebody else's.
    release?.();
    expect(locks.tryChange()).toBeNull();
  });
});
