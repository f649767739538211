// In which order a restore of the packet filter does things: whatever moment it is killed at, the way back is kept and armed. The real
// nft and the real timer are in test/system/heal-helpers.test.ts.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseBaseline } from '../../../agent/checks/baseline.ts';
import type { PendingFirewall } from '../../../agent/helpers/helper-state.ts';
import {
  confirmFirewall,
  restoreFirewall,
  revertFirewall,
  REVERT_TIMER,
  type FirewallDeps,
} from '../../../agent/helpers/restore-firewall.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { fakeClock } from '../../support/fakes/fake-clock.ts';
import { fakeExec, type FakeProgram } from '../../support/fakes/fake-exec.ts';
import { healBaseline, RULESET } from '../../support/heal-fixtures.ts';

const RUN = '5c'.repeat(16);
const BEFORE = 'table inet lab {\n\tchain output {\n\t}\n}\n';
const BACK = `table inet lab\ndelete table inet lab\n${BEFORE}\n`;
const baseline = parseBaseline(healBaseline(), 'b');
const clock = fakeClock();
const ARM = `systemctl --no-ask-password restart -- ${REVERT_TIMER}`;
const DISARM = `systemctl --no-ask-password stop -- ${REVERT_TIMER}`;
const ANSWERS: Readonly<Record<string, string>> = {
  'nft -j list ruleset': JSON.stringify({ nftables: [{ table: { family: 'inet', name: 'lab' } }] }),
  'nft -j list sets': JSON.stringify({ nftables: [] }),
  'nft list table inet lab': BEFORE,
};

let dir: string;
let pending: PendingFirewall | null;
let asked: {
  readonly words: string;
  readonly stdin: string;
  readonly kept: string | null;
  readonly run: string | null;
}[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'firewall-'));
  pending = null;
  asked = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const kept = (): string | null => {
  const path = join(dir, 'firewall-before.nft');
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
};
/** nft and systemd, with what was on the disk when they were asked. */
function deps(fails: (words: string, stdin: string) => boolean = () => false): FirewallDeps {
  const answer = (argv: readonly string[], o: { readonly stdin?: string | Buffer }): FakeProgram => {
    const words = argv.join(' ');
    const stdin = (o.stdin ?? '').toString();
    asked.push({ words, stdin, kept: kept(), run: pending?.run ?? null });
    return fails(words, stdin) ? { code: 1, stderr: 'no' } : { stdout: ANSWERS[words] ?? '' };
  };
  const exec = fakeExec({
    nft: answer,
    systemctl: answer,
    ...Object.fromEntries(Object.keys(ANSWERS).map((k) => [k, answer])),
  });
  return { exec, clock, stateDir: dir, pending, keep: (next) => void (pending = next), newRun: () => RUN };
}
const words = (): string[] => asked.map((one) => one.words);
const loads = () => asked.filter((one) => one.words === 'nft -f -');

describe('a restore of the packet filter', () => {
  it('keeps the way back, checked by nft, and arms the timer before it loads anything', async () => {
    expect(await restoreFirewall(baseline, deps())).toMatchObject({ outcome: 'done', details: { run: RUN } });
    expect(loads()).toMatchObject([{ kept: BACK, run: RUN }]);
    expect(loads()[0]?.stdin).toContain(RULESET);
    expect(asked.filter((one) => one.words === 'nft -c -f -').map((one) => one.stdin)).toEqual([
      BACK,
      loads()[0]?.stdin,
    ]);
    expect(words().indexOf(ARM)).toBeGreaterThan(-1);
    expect(words().indexOf(ARM)).toBeLessThan(words().indexOf('nft -f -'));
    expect(pending).toEqual({ run: RUN, boot_id: clock.bootId() });
  });

  it('holds up no other restore where it is killed before its timer is armed', async () => {
    await restoreFirewall(baseline, deps());
    expect(asked.find((one) => one.words === ARM)).toMatchObject({ kept: BACK, run: null });
  });

  it.each([
    ['the way back does not load', (w: string, text: string) => w === 'nft -c -f -' && text === BACK],
    ['the ruleset does not load', (w: string, text: string) => w === 'nft -c -f -' && text !== BACK],
    ['the timer cannot be armed', (w: string) => w === ARM],
    ['nft says nothing', (w: string) => w === 'nft -j list ruleset'],
  ])('loads nothing and keeps nothing where %s', async (_why, fails) => {
    await expectCodeAsync(restoreFirewall(baseline, deps(fails)), 'helper_act_failed');
    expect([loads(), pending, kept()]).toEqual([[], null, null]);
  });

  it('forgets the way back and disarms the timer where the kernel does not take it', async () => {
    await expectCodeAsync(
      restoreFirewall(
        baseline,
        deps((w) => w === 'nft -f -'),
      ),
      'helper_act_failed',
    );
    expect([pending, kept(), words().at(-1)]).toEqual([null, null, DISARM]);
  });

  it('waits for the one before it, but not for one of another boot', async () => {
    pending = { run: 'ab'.repeat(16), boot_id: clock.bootId() };
    await expectCodeAsync(restoreFirewall(baseline, deps()), 'helper_not_now');
    expect(asked).toEqual([]);
    pending = { run: 'ab'.repeat(16), boot_id: 'another' };
    await expectCodeAsync(confirmFirewall('ab'.repeat(16), deps()), 'helper_nothing_pending');
    expect(await revertFirewall(deps())).toMatchObject({ outcome: 'unchanged' });
    expect([pending, loads()]).toEqual([null, []]);
    expect(await restoreFirewall(baseline, deps())).toMatchObject({ outcome: 'done' });
  });

  it('is refused where the baseline declares no ruleset', async () => {
    const text = healBaseline()
      .toString()
      .replace(/ {4}ruleset: \|[\s\S]*$/, '');
    await expectCodeAsync(restoreFirewall(parseBaseline(Buffer.from(text), 'b'), deps()), 'helper_not_declared');
  });
});
