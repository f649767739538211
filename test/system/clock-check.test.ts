// The clock check on a real chronyd in a network namespace, a real timedatectl in a booted container, and on neither.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ProbeContext } from '../../agent/facts/probe.ts';
import { readFacts } from '../../agent/facts/read-facts.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { createExec } from '../../agent/system/exec.ts';
import type { Finding } from '../../agent/wire/schemas/finding.ts';
import { until } from '../../tools/demo/process.ts';
import { live, type Part } from '../support/check-rows.ts';
import { probeContext } from '../support/fixture-facts.ts';
import { judgeLive } from '../support/judge-live.ts';
import { namespaceProblem, openNetworkNamespace, type NetworkNamespace } from '../support/network-namespace.ts';
import { bootContainer, nspawnProblem } from '../support/nspawn.ts';

const THREE_YEARS_MS = 94_608_000_000;
const NTP_OPTIONAL = (yaml: string): string => yaml.replace('ntp_required: true', 'ntp_required: false');

async function judge(part: Part, change: Partial<ProbeContext>, edit?: (yaml: string) => string): Promise<Finding> {
  const facts = await readFacts(['clock'], probeContext({ clock: systemClock, deadlineMs: 30_000, ...change }));
  return judgeLive('clock', facts, part, edit);
}

describe('the clock check on a real chronyd', () => {
  const problem = namespaceProblem('chronyd', 'chronyc');
  const CHRONY = live('chronyd in a network namespace', 'chronyd');
  let space: NetworkNamespace;
  let dir: string;
  beforeEach(async (context) => {
    context.skip(problem !== null, problem ?? '');
    space = await openNetworkNamespace();
    dir = mkdtempSync(join(tmpdir(), 'chrony-'));
  });
  afterEach(async () => {
    if (problem !== null) return;
    await space.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** It disciplines nothing (-x): the clock of the machine stays as it is. */
  async function start(...lines: string[]): Promise<void> {
    const conf = join(dir, 'chrony.conf');
    // Commands over 127.0.0.1 only, which is this namespace's own.
    const own = ['bindcmdaddress 127.0.0.1', 'bindcmdaddress /', `pidfile ${dir}/pid`, 'user root', 'port 0'];
    writeFileSync(conf, `${[...own, ...lines].join('\n')}\n`);
    space.start(['chronyd', '-d', '-x', '-f', conf]);
    await until(
      'chronyd answers',
      async () => {
        const { status, stdout } = await space.exec.run(['chronyc', '-c', 'tracking'], { deadlineMs: 5_000 });
        return status === 'exited' && stdout.toString().split(',').length === 14 ? true : null;
      },
      60_000,
    );
  }

  it('passes a clock that chrony keeps, and says how far it is off', async () => {
    await start('local stratum 8');
    const finding = await judge(CHRONY, { exec: space.exec, skewMs: 120 });
    expect(finding).toMatchObject({
      result: 'pass',
      facts: { source: 'chrony', synchronized: true, offset: 'within', skew: 'within', stratum: 8 },
    });
  });

  it('a chronyd that reaches no source is a fail', async () => {
    await start('server 192.0.2.1 iburst');
    expect(await judge(CHRONY, { exec: space.exec, skewMs: 0 })).toMatchObject({
      result: 'fail',
      severity: 'medium',
      facts: { source: 'chrony', synchronized: false },
    });
  });

  it('a clock three years ahead of the signed time is a fail of high severity, whatever chrony says', async () => {
    await start('local stratum 8');
    expect(await judge(CHRONY, { exec: space.exec, skewMs: THREE_YEARS_MS })).toMatchObject({
      result: 'fail',
      severity: 'high',
      facts: { skew: 'beyond', synchronized: true },
    });
  });
});

describe('the clock check where chrony is not asked', () => {
  const problem = nspawnProblem('timedatectl');

  it('goes by what timedatectl says in a booted system', async (context) => {
    context.skip(problem !== null, problem ?? '');
    const box = await bootContainer();
    try {
      const exec: ProbeContext['exec'] = {
        run: (argv, o) => box.exec.run(argv[0] === 'chronyc' ? ['nobody-installed-this'] : argv, o),
      };
      const said = /^NTPSynchronized=(yes|no)$/m.exec(box.run(['timedatectl', 'show']))?.[1];
      const finding = await judge(live('timedatectl in a booted container', 'timedatectl'), { exec, skewMs: 0 });
      expect(finding).toMatchObject({
        result: said === 'yes' ? 'pass' : 'fail',
        facts: { source: 'timedatectl', synchronized: said === 'yes' },
      });
    } finally {
      await box.close();
    }
  });

  const NOTHING = live('this machine with a PATH on which no time tool lies');
  const exec: ProbeContext['exec'] = {
    run: (argv, o) => createExec().run(['env', '-i', 'PATH=/nonexistent', ...argv], o),
  };

  it('where no tool can say anything it is unknown, though the signed time agrees', async (context) => {
    context.skip(spawnSync('env', ['true']).status !== 0, 'needs env');
    expect(await judge(NOTHING, { exec, skewMs: 10 })).toMatchObject({ result: 'unknown', facts: { source: 'none' } });
  });

  it('where NTP is not required the signed time vouches alone', async () => {
    expect(await judge(NOTHING, { exec, skewMs: 10 }, NTP_OPTIONAL)).toMatchObject({ result: 'pass' });
    expect(await judge(NOTHING, { exec }, NTP_OPTIONAL)).toMatchObject({ result: 'unknown' });
  });
});
