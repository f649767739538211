// `helper set-clock` under a kernel whose clock it really moves: the kernel is User-Mode Linux, and nothing stands in for its
// adjtimex and clock_settime. The clock of this machine is out of its reach.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DAEMON_UID } from '../support/helper-lab.ts';
import { helperTrust } from '../support/helper-fixtures.ts';
import { CHECKOUT } from '../support/nspawn.ts';
import { runInUserModeLinux, userModeLinuxProblem } from '../support/user-mode-linux.ts';

const YEAR_S = 365 * 86_400;
/** Far more than NTP steps a clock by, far less than what is set in that kernel. */
const UNMOVED_MS = 600_000;

const problem = userModeLinuxProblem();
const now = Math.floor(Date.now() / 1_000);
const site = helperTrust(now);
/** No clock of this machine says it, so nobody but the helper can have set it. */
const signed = now + YEAR_S / 2;

interface Step {
  /** Seconds since that kernel booted, and Unix seconds of its wall clock; read in the order upBefore, before, after, upAfter. */
  readonly upBefore: number;
  readonly before: number;
  readonly after: number;
  readonly upAfter: number;
  readonly exit: number;
  readonly said: { readonly outcome: string; readonly code?: string; readonly details: Record<string, unknown> };
}

const HANDED = {
  ...{ roots: [site.root(1), site.root(2)].join('\n'), answer: site.answer(), binding: site.binding() },
  ...{ revocations: site.revocations(2), content: site.content(3), policy: site.policy(4) },
  ...{ 'answer.signed': site.answer(signed) },
};

/** Each step sets the clock wrong first; `struct timex` is filled as adjtimex(2) says: errors of 0 µs, not unsynchronised. */
const script = (dir: string): string => `set -eu
mkdir /run/helpers
cd /run/helpers
install -d -m 700 state credstore
install -d -m 755 results
install -d -m 750 -o ${DAEMON_UID} -g ${DAEMON_UID} drop
export STATE_DIRECTORY=$PWD/state RUNTIME_DIRECTORY=$PWD/results CONFIGURATION_DIRECTORY=$PWD/credstore
export COMPLIANCE_AGENT_DROP=$PWD/drop
hand() { install -m 640 -o ${DAEMON_UID} -g ${DAEMON_UID} "${dir}/handed/$1" "drop/$2"; }
up() { cut -d ' ' -f 1 /proc/uptime; }
step() {
  upBefore=$(up) before=$(date +%s) exit=0
  ${process.execPath} --disable-sigusr1 ${CHECKOUT}/agent/main.ts helper "$2" --config ${dir}/config.yaml --json >said || exit=$?
  after=$(date +%s) upAfter=$(up)
  printf '{"before":%s,"upBefore":%s,"after":%s,"upAfter":%s,"exit":%s,"said":%s}' \\
    "$before" "$upBefore" "$after" "$upAfter" "$exit" "$(cat said)" >"$OUT/$1"
}
for file in roots answer binding revocations content policy; do hand $file $file; done
step trusted sync-trust
hand answer.signed answer
date -s @${now - 3 * YEAR_S}
step behind set-clock
date -s @${now + 3 * YEAR_S}
step ahead set-clock
hand answer answer
date -s @${now - 3 * YEAR_S}
step old set-clock
hand answer.signed answer
date -s @${now - 3 * YEAR_S}
/usr/bin/python3 -c '
import ctypes, struct
timex = ctypes.create_string_buffer(struct.pack("I4xqqqqi", 0x4 | 0x8 | 0x10, 0, 0, 0, 0, 0), 512)
assert ctypes.CDLL(None).adjtimex(timex) == 0'
step synchronised set-clock
`;

/** What this machine's wall clock has gained on its boot clock, milliseconds. */
const machineClock = (): number => Date.now() - performance.now();

let dir: string;
let left: (name: string) => string;
let machineBefore: number;
beforeAll(async () => {
  if (problem !== null) return;
  dir = mkdtempSync('/tmp/moved-clock-');
  chmodSync(dir, 0o755);
  mkdirSync(join(dir, 'handed'));
  for (const [name, text] of Object.entries(HANDED)) writeFileSync(join(dir, 'handed', name), text);
  writeFileSync(join(dir, 'config.yaml'), `mode: direct\nroot_sha256: '${site.rootSha256}'\n`, { mode: 0o644 });
  machineBefore = machineClock();
  left = await runInUserModeLinux(dir, script(dir));
});
beforeEach((context) => {
  context.skip(problem !== null, problem ?? '');
});
afterAll(() => {
  if (problem === null) rmSync(dir, { recursive: true, force: true });
});

const step = (name: string): Step => JSON.parse(left(name)) as Step;

/** The clock went on from `from` by no more than what passed since the kernel was up for `up` seconds; clocks are read in seconds. */
function expectAt({ after, upAfter }: Step, from: number, up: number): void {
  expect(after).toBeGreaterThanOrEqual(from);
  expect(after).toBeLessThanOrEqual(from + Math.ceil(upAfter - up) + 1);
}

describe('set-clock under a kernel of its own', () => {
  it('moves a clock that is three years behind to the signed time', () => {
    expect(step('trusted')).toMatchObject({ exit: 0, said: { outcome: 'done' } });
    const behind = step('behind');
    expect(behind.before).toBeLessThan(now - 3 * YEAR_S + 60);
    expect([behind.exit, behind.said.outcome]).toEqual([0, 'done']);
    expectAt(behind, signed, behind.upBefore);
    expect(behind.said.details['stepped_s']).toBeGreaterThan(3 * YEAR_S);
  });

  it('moves a clock that is years ahead back to the signed time, as the boot clock carried it on', () => {
    const [behind, ahead] = [step('behind'), step('ahead')];
    expect(ahead.before).toBeGreaterThanOrEqual(now + 3 * YEAR_S);
    expect([ahead.exit, ahead.said.outcome]).toEqual([0, 'done']);
    expectAt(ahead, signed + Math.floor(ahead.upBefore - behind.upAfter), behind.upBefore);
    expect(ahead.said.details['stepped_s']).toBeLessThan(-2 * YEAR_S);
  });

  it('leaves a clock where it is when the daemon hands over an old answer', () => {
    const old = step('old');
    expect([old.exit, old.said.outcome, old.said.code]).toEqual([4, 'refused', 'helper_time_old']);
    expectAt(old, old.before, old.upBefore);
  });

  it('leaves a clock where it is when the kernel says that something keeps it', () => {
    const synchronised = step('synchronised');
    expect([synchronised.said.outcome, synchronised.said.code]).toEqual(['refused', 'helper_time_off']);
    expectAt(synchronised, synchronised.before, synchronised.upBefore);
  });

  it('does not touch the clock of this machine', () => {
    expect(step('ahead').said.outcome).toBe('done');
    expect(Math.abs(machineClock() - machineBefore)).toBeLessThan(UNMOVED_MS);
  });
});
