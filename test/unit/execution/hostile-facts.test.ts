import { expect, it } from 'vitest';
import { factsLine } from '../../lab/simulated-site.ts';
import { verdictOn, withDir } from '../../support/evidence-fixtures.ts';
import { executorLab } from '../../support/executor-lab.ts';
import { drifted, loadedRunbook, testTarget } from '../../support/runbook-fixtures.ts';

// Numbers and names where the format of an entry has no room for them.
it.each<[string, object]>([
  [
    'a build below nothing',
    { host: { role: 'member_server', build: -5 }, guard_on: false, level: 1, maintained: false },
  ],
  [
    'a build beyond all versions',
    { host: { role: 'member_server', build: 2 ** 53 - 1 }, guard_on: false, level: 1, maintained: false },
  ],
  [
    'facts under a name that JavaScript uses itself',
    JSON.parse(
      '{"__proto__":{"guard_on":true},"host":{"role":"member_server","build":20348},"guard_on":false,"level":1,"maintained":false}',
    ) as object,
  ],
  ['a thousand facts', Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`f${n}`, 'x'.repeat(50)]))],
  [
    'a long text in place of a role',
    { host: { role: 'x'.repeat(5000), build: 20_348 }, guard_on: false, level: 1, maintained: false },
  ],
])('a host that prints %s gets a finding, and the log holds', (_name, facts) =>
  withDir(async (dir) => {
    const lab = executorLab(dir, { 'srv-1': drifted({ answers: { detect: () => factsLine(facts) } }) });
    try {
      const result = await lab.run();
      expect(lab.actions().at(-1)).toMatchObject({ phase: 'result', outcome: result.outcome });
      expect(verdictOn(lab.store).ok).toBe(true);
    } finally {
      lab.store.close();
    }
  }),
);

it.each([
  ['calls itself a member server', 'domain_controller', 'member_server'],
  ['calls itself a domain controller', 'member_server', 'domain_controller'],
] as const)('a machine that %s and is declared as another is held to both roles', (_name, declared, said) =>
  withDir(async (dir) => {
    const lab = executorLab(
      dir,
      { 'srv-1': drifted({ role: said }) },
      { targets: [testTarget('srv-1', { role: declared })] },
    );
    const loaded = loadedRunbook({ applies_if: { role: [said], os_build: { min: 14_393 } } });
    expect(await lab.run({ loaded })).toMatchObject({ outcome: 'rejected', code: 'runbook_not_applicable' });
    lab.store.close();
  }),
);
