// The switch of the system as root's own program, with the programs that it starts in a table: what fails before the switch changes
// nothing, and what cannot be put back is said. The whole way on a booted machine: updates.test.ts.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyUpdate } from '../../agent/helpers/apply-update.ts';
import type { HelperDeps } from '../../agent/helpers/helper-deps.ts';
import { rollBackSystem, switchSystem } from '../../agent/helpers/switch-system.ts';
import { ROLLBACK, SWITCH_UNIT } from '../../agent/helpers/system-tools.ts';
import { readPlan, writePlan, type UpdatePlan } from '../../agent/helpers/update-plan.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { fakeClock } from '../support/fakes/fake-clock.ts';
import { fakeExec, type FakeTable } from '../support/fakes/fake-exec.ts';

const problem = process.getuid?.() === 0 ? null : 'needs root: what it keeps counts only where root wrote it';
const SYSTEM = {
  closure: `/nix/store/${'1'.repeat(32)}-new`,
  nar_hash: `sha256:0${'z'.repeat(51)}`,
  agent_version: '2.0.0',
};
const BEFORE = `/nix/store/${'2'.repeat(32)}-old`;
const RUN = '5c'.repeat(16);

let dir: string;
beforeEach((context) => {
  context.skip(problem !== null, problem ?? '');
  dir = mkdtempSync('/tmp/switch-');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Not a second for a new system to be healthy: nothing here ever is. */
function machine(table: FakeTable = {}) {
  const clock = fakeClock();
  const exec = fakeExec({ systemctl: {}, '/old/bin/systemctl': {}, '/old/bin/systemd-run': {}, ...table });
  const deps: HelperDeps = {
    places: { stateDir: dir, dropDir: dir, resultDir: dir, credentialDir: dir },
    clock,
    kernel: { isSynchronised: () => true, set: () => undefined },
    exec,
    uid: 0,
    firstRootSha256: null,
    baselineId: () => 'appliance',
    newRun: () => RUN,
    update: {
      nixBin: '/nix/bin',
      systemdBin: '/old/bin',
      nft: '/old/bin/nft',
      healthWithinMs: 0,
      egressTable: null,
      agentStateDir: dir,
      program: ['/old/bin/compliance-agent', 'helper', 'rollback-system'],
      environment: {},
    },
  };
  const told: Record<string, string | number> = {};
  const tell = (details: object): void => void Object.assign(told, details);
  const plan = (change: Partial<UpdatePlan> = {}): UpdatePlan => ({
    ...({ schema: 'compliance-agent/update-plan/v1', run: RUN, boot_id: clock.bootId() } as const),
    ...({ boot_ms: clock.bootMs(), system: SYSTEM, step: 'planned', before: null } as const),
    ...change,
  });
  return { deps, exec, told, tell, plan, clock };
}
const started = (calls: readonly (readonly string[])[]): string[] => calls.map((argv) => argv.join(' '));

describe('the switch of the system', () => {
  it('that cannot be pulled ends before anything is armed or changed, and says so', async () => {
    const { deps, exec, told, tell, plan } = machine({
      '/nix/bin/nix-store': { code: 1, stderr: 'lacks a signature' },
    });
    writePlan(dir, plan());
    await expectCodeAsync(switchSystem(deps, tell), 'update_pull_failed');
    expect(told).toEqual({ run: RUN, update: 'failed' });
    expect(readPlan(dir)?.step).toBe('ended');
    expect(started(exec.calls)).toHaveLength(1);
    expect(started(exec.calls)[0]).toContain(`--realise ${SYSTEM.closure}`);
    expect(started(exec.calls)[0]).toContain('--option require-sigs true');
    expect(started(exec.calls)[0]).toContain('--max-jobs 0');
    await expect(switchSystem(deps, tell)).resolves.toMatchObject({ outcome: 'unchanged' });
  });

  it('that was begun is not begun again, by whoever starts its unit', async () => {
    const { deps, exec, tell, plan } = machine();
    writePlan(dir, plan({ step: 'armed', before: BEFORE }));
    await expectCodeAsync(switchSystem(deps, tell), 'helper_update_under_way');
    await expectCodeAsync(applyUpdate(SYSTEM, deps), 'helper_update_under_way');
    expect(exec.calls).toEqual([]);
  });

  it('is planned and started by its exact name, and the plan is over where systemd does not start it', async () => {
    const good = machine();
    await expect(applyUpdate(SYSTEM, good.deps)).resolves.toMatchObject({ outcome: 'started', details: { run: RUN } });
    expect(started(good.exec.calls).join()).toContain(SWITCH_UNIT);
    expect(readPlan(dir)).toEqual(good.plan());
    good.clock.reboot();
    const bad = machine({ systemctl: { code: 1, stderr: 'masked' } });
    writePlan(dir, bad.plan({ step: 'ended' }));
    await expectCodeAsync(applyUpdate(SYSTEM, bad.deps), 'helper_act_failed');
    expect(readPlan(dir)?.step).toBe('ended');
  });

  it('whose old system is not seen to run again says that, ends the plan and takes the timer away', async () => {
    const { deps, exec, told, tell, plan } = machine({
      '/nix/bin/nix-env': {},
      [`${BEFORE}/bin/switch-to-configuration`]: { code: 1 },
    });
    writePlan(dir, plan({ step: 'armed', before: BEFORE }));
    await expectCodeAsync(rollBackSystem(deps, tell), 'update_rollback_failed');
    expect(told).toEqual({ run: RUN, update: 'failed', why: 'interrupted' });
    expect(readPlan(dir)?.step).toBe('ended');
    const calls = started(exec.calls);
    expect(calls[0]).toBe(`/old/bin/systemctl stop ${SWITCH_UNIT}`);
    expect(calls).toContain(`${BEFORE}/bin/switch-to-configuration switch`);
    expect(calls.at(-1)).toBe(`/old/bin/systemctl stop ${ROLLBACK}.timer`);
  });

  it('of another boot that was never kept is given up, and not gone on with', async () => {
    const { deps, exec, told, tell, plan, clock } = machine();
    writePlan(dir, plan({ step: 'armed', before: BEFORE }));
    clock.reboot();
    await expectCodeAsync(switchSystem(deps, tell), 'update_reverted');
    expect(told).toEqual({ run: RUN, update: 'reverted', why: 'interrupted' });
    expect(started(exec.calls).join()).not.toContain(SYSTEM.closure);
    await expect(rollBackSystem(deps, tell)).resolves.toMatchObject({ outcome: 'unchanged' });
  });

  it('with a plan that is damaged, or that others could have written, does nothing', async () => {
    const { deps, tell, plan } = machine();
    writeFileSync(join(dir, 'update.json'), '{"schema":"compliance-agent/update-plan/v1"}', { mode: 0o600 });
    await expectCodeAsync(switchSystem(deps, tell), 'helper_state_damaged');
    writePlan(dir, plan());
    chmodSync(join(dir, 'update.json'), 0o666);
    await expectCodeAsync(switchSystem(deps, tell), 'helper_surroundings_unsafe');
  });
});
