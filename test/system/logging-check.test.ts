// The check `logging` on a real journald, in a container that is booted by systemd.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FactSet } from '../../agent/facts/probes.ts';
import type { LoggingFacts } from '../../agent/facts/logging.ts';
import type { JobResult } from '../../agent/facts/job-result.ts';
import type { Finding } from '../../agent/wire/schemas/finding.ts';
import { until } from '../../tools/demo/process.ts';
import { bootContainer, CHECKOUT, nspawnProblem, type Container } from '../support/nspawn.ts';
import { live } from '../support/check-rows.ts';
import { judgeLive } from '../support/judge-live.ts';

const problem = nspawnProblem('journalctl', 'setpriv');
const JOURNAL = live('journald of a booted container', 'journalctl');
const PROGRAM = join(CHECKOUT, 'test/fixtures/programs/run-canary.ts');
/** D-Bus turns users away that nobody knows, so it is one that every system has. */
const AGENT_UID = 65_534;

interface Canary {
  readonly job: JobResult;
  readonly facts: FactSet;
}

function loggingOf(facts: FactSet): LoggingFacts {
  if (facts.logging?.status !== 'read') throw new Error(`unreadable: ${JSON.stringify(facts.logging)}`);
  return facts.logging.value;
}

const judge = (facts: FactSet, edit?: (yaml: string) => string): Finding => judgeLive('logging', facts, JOURNAL, edit);
const volatileAllowed = (yaml: string): string =>
  yaml.replace('persistent_required: true', 'persistent_required: false');

describe('a journald that keeps its journal on disk', () => {
  let box: Container;
  beforeAll(async () => {
    if (problem !== null) return;
    box = await bootContainer({
      files: {
        '/etc/systemd/journald.conf': '[Journal]\nStorage=persistent\nRateLimitIntervalSec=2s\nRateLimitBurst=50\n',
      },
    });
    box.run(['mkdir', '-p', '/var/lib/lab']);
  });
  beforeEach((context) => context.skip(problem !== null, problem ?? ''));
  afterAll(() => (problem === null ? box.close() : undefined));

  const canary = (...words: string[]): Canary =>
    JSON.parse(box.run([process.execPath, PROGRAM, '/var/lib/lab', ...words])) as Canary;

  it('passes after the canary was written and read back, and says how long that took', () => {
    const { job, facts } = canary();
    expect([job.last.outcome, loggingOf(facts).canary?.outcome]).toEqual(['proven', 'seen']);
    expect(loggingOf(facts)).toMatchObject({ storage: 'persistent', journald: 'active', suppressed: 0 });
    expect(loggingOf(facts).usedMib).toBeGreaterThan(0);
    const finding = judge(facts);
    expect([finding.result, finding.sentence]).toEqual([
      'pass',
      expect.stringMatching(/read back from the log after \d+ ms/),
    ]);
  });

  it('the canary is in the journal as an entry of the process that wrote it', () => {
    canary();
    const entries = box
      .run(['journalctl', '-o', 'json', 'SYSLOG_IDENTIFIER=compliance-agent-canary'])
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    expect(entries.at(-1)).toMatchObject({
      _TRANSPORT: 'journal',
      _EXE: expect.stringMatching(/node$/),
      PRIORITY: '7',
    });
    expect(new Set(entries.map((e) => e['COMPLIANCE_AGENT_CANARY'])).size).toBe(entries.length);
  });

  it('a flood that journald rate-limits is a fail that counts the dropped messages', () => {
    const flood = 'i=0; while [ $i -lt 400 ]; do echo "line $i"; i=$((i+1)); done; sleep 3; echo after';
    box.run(['systemd-run', '--quiet', '--wait', '--unit=flood', 'sh', '-c', flood]);
    const { facts } = canary();
    expect(loggingOf(facts).suppressed).toBeGreaterThan(100);
    const finding = judge(facts);
    expect([finding.result, finding.severity, finding.facts.suppressed]).toEqual(['fail', 'medium', 'beyond']);
  });

  it('a program that imitates the reports of journald counts nothing', () => {
    const before = loggingOf(canary().facts).suppressed;
    box.run(['logger', '--journald'], 'MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e\nN_DROPPED=999999\nMESSAGE=x\n');
    expect(loggingOf(canary().facts).suppressed).toBe(before);
  });

  it('a forwarder that is declared and does not run is a fail', () => {
    const { facts } = canary('systemd-journal-upload.service');
    const finding = judge(facts, (yaml) =>
      yaml.replace('forwarder: none', 'forwarder: systemd-journal-upload.service'),
    );
    expect([finding.result, finding.facts.forwarder]).toEqual([
      'fail',
      expect.stringMatching(/^(?:not_found|inactive)$/),
    ]);
  });

  it('without the group of the journal the fact is denied and the check unknown, though systemctl answers', () => {
    const words = ['setpriv', `--reuid=${AGENT_UID}`, `--regid=${AGENT_UID}`, '--clear-groups', '--'] as const;
    box.run(['install', '-d', '-o', String(AGENT_UID), '/var/lib/agent']);
    const { job, facts } = JSON.parse(box.run([...words, process.execPath, PROGRAM, '/var/lib/agent'])) as Canary;
    expect(job.last).toMatchObject({ outcome: 'inconclusive', reason: 'denied' });
    expect(facts.logging).toMatchObject({ status: 'unreadable', reason: 'denied' });
    expect(judge(facts).result).toBe('unknown');
  });

  it('a user who may read only his own messages is denied, and not shown a log in which nothing was dropped', () => {
    box.run(['useradd', '--uid', '1234', '--create-home', 'lab']);
    const words = ['setpriv', '--reuid=1234', '--regid=1234', '--clear-groups', '--'] as const;
    box.run([...words, 'logger', 'mine']);
    box.run(['journalctl', '--sync']);
    const own = box.run([...words, 'journalctl', '--quiet', '--output=cat', '--lines=1', 'MESSAGE=mine']);
    const { facts } = JSON.parse(box.run([...words, process.execPath, PROGRAM, '/home/lab'])) as Canary;
    expect([own.trim(), facts.logging]).toMatchObject(['mine', { status: 'unreadable', reason: 'denied' }]);
  });

  it('with the group of the journal and no other privilege the canary is read back', () => {
    const group = box.run(['getent', 'group', 'systemd-journal']).split(':')[2] ?? '';
    const words = ['setpriv', `--reuid=${AGENT_UID}`, `--regid=${AGENT_UID}`, `--groups=${group}`, '--'] as const;
    box.run(['install', '-d', '-o', String(AGENT_UID), '/var/lib/agent']);
    const { facts } = JSON.parse(box.run([...words, process.execPath, PROGRAM, '/var/lib/agent'])) as Canary;
    expect(loggingOf(facts).canary?.outcome).toBe('seen');
  });

  it('that root ran the job by hand neither keeps the agent from its canaries nor looks like a gap', () => {
    const group = box.run(['getent', 'group', 'systemd-journal']).split(':')[2] ?? '';
    box.run(['install', '-d', '-m', '0700', '-o', String(AGENT_UID), '-g', String(AGENT_UID), '/var/lib/fresh']);
    box.run([process.execPath, PROGRAM, '/var/lib/fresh']);
    const words = [
      'setpriv',
      `--reuid=${AGENT_UID}`,
      `--regid=${AGENT_UID}`,
      `--groups=${group.trim()}`,
      '--',
    ] as const;
    const { facts } = JSON.parse(box.run([...words, process.execPath, PROGRAM, '/var/lib/fresh'])) as Canary;
    expect(loggingOf(facts).canary).toMatchObject({ outcome: 'seen', expected: 1, missing: 0 });
  });

  it('the daemon writes canaries by itself, and the command line judges the log from what it left', async () => {
    const agent = [process.execPath, '--disable-sigusr1', join(CHECKOUT, 'agent/main.ts')] as const;
    box.run(['install', '-d', '-m', '0700', '/var/lib/agentd']);
    box.run(['tee', '/etc/agent.yaml'], 'mode: direct\nstate_dir: /var/lib/agentd\nprovision_dir: /var/lib/stick\n');
    box.run(['systemd-run', '--quiet', '--unit=agentd', ...agent, 'run', '--config', '/etc/agent.yaml']);
    try {
      const result = join(box.root, 'var/lib/agentd/jobs/logging-canary.json');
      await until('a canary of the daemon', () => (existsSync(result) ? true : null), 20_000);
      const argv = [...agent, '--json', '--config', '/etc/agent.yaml', 'check', 'logging'] as const;
      const { findings } = JSON.parse(box.run([...argv])) as { findings: Finding[] };
      expect(findings[0]?.facts).toMatchObject({ canary: 'seen', journald: 'active' });
    } finally {
      box.run(['systemctl', 'stop', 'agentd']);
    }
  });

  it('a journal that was cleared shows as a gap in the canaries', () => {
    canary();
    box.run(['journalctl', '--rotate']);
    box.run(['journalctl', '--vacuum-time=1us']);
    const { facts } = canary();
    expect(loggingOf(facts).canary).toMatchObject({ outcome: 'seen' });
    expect(loggingOf(facts).canary?.missing).toBeGreaterThan(0);
    expect(judge(facts)).toMatchObject({ result: 'fail', facts: { canary: 'seen', gaps: 'beyond' } });
  });

  it('a journald that hangs takes the canary and does not show it: a critical fail', () => {
    const pid = box.run(['systemctl', 'show', '--property=MainPID', '--value', 'systemd-journald.service']).trim();
    box.run(['kill', '-STOP', pid]);
    try {
      const { facts } = canary();
      expect(loggingOf(facts)).toMatchObject({ journald: 'active', canary: { outcome: 'not_seen' } });
      expect(judge(facts)).toMatchObject({ result: 'fail', severity: 'critical' });
    } finally {
      box.run(['kill', '-CONT', pid]);
    }
  });

  it('a journald that was stopped with its sockets takes no canary: a critical fail', () => {
    const sockets = ['', '-dev-log', '-audit'].map((name) => `systemd-journald${name}.socket`);
    box.run(['systemctl', 'mask', '--runtime', '--quiet', ...sockets, 'systemd-journald.service']);
    box.run(['systemctl', 'stop', ...sockets, 'systemd-journald.service']);
    const { facts } = canary();
    expect(loggingOf(facts).canary?.outcome).toMatch(/^not_(?:written|seen)$/);
    const finding = judge(facts);
    expect([finding.result, finding.severity]).toEqual(['fail', 'critical']);
    expect(finding.facts.journald).not.toBe('active');
  });
});

describe('a journald that keeps its journal elsewhere', () => {
  beforeEach((context) => context.skip(problem !== null, problem ?? ''));

  async function canaryWith(conf: string): Promise<Canary> {
    const box = await bootContainer({ files: { '/etc/systemd/journald.conf': `[Journal]\n${conf}\n` } });
    try {
      return JSON.parse(box.run([process.execPath, PROGRAM, '/var/tmp'])) as Canary;
    } finally {
      await box.close();
    }
  }

  it('a journal in memory is a fail where it has to survive a restart, and a pass where it need not', async () => {
    const { facts } = await canaryWith('Storage=volatile');
    expect(loggingOf(facts)).toMatchObject({ storage: 'volatile', canary: { outcome: 'seen' } });
    expect(judge(facts)).toMatchObject({ result: 'fail', severity: 'medium', facts: { storage: 'volatile' } });
    expect(judge(facts, volatileAllowed).result).toBe('pass');
  });

  it('a journald that stores nothing is a critical fail', async () => {
    const { facts } = await canaryWith('Storage=none');
    expect(loggingOf(facts)).toMatchObject({ storage: 'none', journald: 'active' });
    expect(judge(facts)).toMatchObject({ result: 'fail', severity: 'critical', facts: { storage: 'none' } });
  });
});

describe('a machine without systemd at work', () => {
  it('has no log that could be judged, and the check is unknown', async (context) => {
    context.skip(problem !== null, problem ?? '');
    const box = await bootContainer();
    try {
      // A private mount namespace in which nothing of systemd's can be reached.
      const hide = 'mount -t tmpfs none /run && exec "$@"';
      const words = ['unshare', '--mount', 'sh', '-c', hide, 'sh', process.execPath, PROGRAM, '/var/tmp'] as const;
      const { facts } = JSON.parse(box.run([...words])) as Canary;
      expect(facts.logging?.status).toBe('unreadable');
      expect(judge(facts).result).toBe('unknown');
    } finally {
      await box.close();
    }
  });
});
