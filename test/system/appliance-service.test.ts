// The service as an appliance runs it, booted by systemd: what nix/module.nix evaluates to, the agent without types, and
// a real Central Command in the same private network. One container for all tests; they leave it running as they found it.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  AGENT,
  APPLIANCE,
  applianceBox,
  applianceBoxProblem,
  NODE,
  STATE_DIR,
  UNIT,
} from '../support/appliance-box.ts';
import type { ApplianceBox } from '../support/appliance-box.ts';
import { live, noteRow } from '../support/check-rows.ts';

const problem = applianceBoxProblem();
/** Somebody whom every system knows and who is in no group of ours. */
const NOBODY = 65_534;
const DEADLINE_MS = 30_000;
/** What the daemon promises, with what systemd adds for looking. */
const STOP_US = 10_000_000;
const WARNING = 4;

let box: ApplianceBox;
beforeAll(async () => {
  if (problem !== null) return;
  box = await applianceBox();
  await box.enrol();
});
beforeEach((context) => context.skip(problem !== null, problem ?? ''));
afterAll(() => (problem === null ? box.close() : undefined));

const mainPid = (): string => box.show('MainPID').MainPID;
const proc = (file: string): string => box.run(['cat', `/proc/${mainPid()}/${file}`]);

/** Waits until systemd runs another process than `before`, and that one has an answer of Central Command. */
async function restarted(before: string): Promise<void> {
  const isNew = (seen: Record<'MainPID' | 'ActiveState', string>): boolean =>
    seen.ActiveState === 'active' && seen.MainPID !== before;
  await box.untilUnit('systemd started it again', ['MainPID', 'ActiveState'], isNew);
  await box.untilStatus(
    'it works again',
    (s) => s.state === 'enrolled' && s.last_answer_at !== null && s.blocking_reason === null,
  );
}

describe('the service, booted by systemd', () => {
  it('systemd has been told that it is ready, and shows which appliance it is', async () => {
    const seen = await box.untilUnit('the status text', ['ActiveState', 'Type', 'StatusText'], ({ StatusText }) =>
      StatusText.startsWith('enrolled'),
    );
    expect(seen).toEqual({ ActiveState: 'active', Type: 'notify', StatusText: `enrolled as ${APPLIANCE} at north` });
  });

  it('the unit that runs is the one that the module evaluates to', () => {
    expect(box.run(['cat', `/etc/systemd/system/${UNIT}`])).toBe(box.units[UNIT]);
    expect(box.show('NeedDaemonReload', 'DropInPaths')).toEqual({ NeedDaemonReload: 'no', DropInPaths: '' });
  });

  it('checks in from the sandbox, and Central Command has stored its evidence', async () => {
    const status = await box.untilStatus(
      'evidence is stored',
      (s) => (s.stored_size ?? 0) > 1 && s.findings.length > 3,
    );
    expect(status).toMatchObject({ state: 'enrolled', blocking_reason: null, appliance_id: APPLIANCE });
    expect(JSON.stringify(box.central('appliance', 'list'))).toContain(APPLIANCE);
  });

  it('its own check of itself passes: no listener, no root, no capability, seccomp, no core dump, keys of its own', async () => {
    const isJudged = (s: { findings: readonly { check: string }[] }): boolean =>
      s.findings.some((f) => f.check === 'self');
    const { findings } = await box.untilStatus('the check `self` has run', isJudged);
    const self = findings.find((finding) => finding.check === 'self');
    expect(self).toMatchObject({ result: 'pass' });
    noteRow('self', self?.result ?? '', live('unit of the appliance in a booted container', 'systemctl'));
  });

  it('the technician reads its state with the command line', () => {
    expect(box.run([AGENT, 'status'])).toContain(`appliance    ${APPLIANCE} (site north, partner northwind-msp`);
  });

  it("root's timer hands over the firewall, which the daemon itself may not read", async () => {
    const sentence = (): string => box.status()?.findings.find((one) => one.check === 'firewall')?.sentence ?? '';
    await box.untilStatus('the firewall is judged', () => sentence() !== '');
    // Central Command beside it listens, so the check fails either way; what it could read of the rules differs.
    expect(sentence()).not.toMatch(/policy|table/);
    box.run(['systemctl', 'start', 'compliance-agent-facts.timer']);
    await box.untilStatus('the fact counts', () => /policy|table/.test(sentence()));
    const files = ['firewall', 'encryption'].map((name) => `/run/compliance-agent/facts/${name}.json`);
    expect(
      box
        .run(['stat', '-c', '%a %U', ...files])
        .trim()
        .split('\n'),
    ).toEqual(['644 root', '644 root']);
  });
});

describe('the journal of the service', () => {
  it('carries priorities: an outage of Central Command is a warning, and the routine is none', async () => {
    const warnings = (): string[] => box.journal('-p', 'warning').map((entry) => entry['MESSAGE'] ?? '');
    const before = warnings();
    expect(before.filter((line) => /^(?:started|enrolled)/.test(line))).toEqual([]);
    box.run(['systemctl', 'stop', 'central-1.service']);
    await box.untilStatus('the outage is named', (s) => s.blocking_reason !== null);
    const { StatusText } = await box.untilUnit('the status text names it', ['StatusText'], (s) =>
      s.StatusText.includes('('),
    );
    expect(StatusText).toMatch(/^enrolled as north-1 at north; .*\(connect_refused\)$/);
    const entries = box.journal('-p', 'warning');
    expect(entries.length).toBeGreaterThan(before.length);
    expect(entries.filter((entry) => Number(entry['PRIORITY']) > WARNING)).toEqual([]);
    expect(entries.at(-1)).toMatchObject({ SYSLOG_IDENTIFIER: 'compliance-agent', _SYSTEMD_UNIT: UNIT });
    await box.startCentral();
    await box.untilStatus('it comes back by itself', (s) => s.blocking_reason === null);
  });

  it('shows the routine with its priority, one readable line each', () => {
    const started = box.journal().find((entry) => entry['MESSAGE']?.startsWith('started '));
    expect(started).toMatchObject({
      PRIORITY: '6',
      MESSAGE: expect.stringMatching(/^started version=\S+ state=\w+ state_dir=\S+$/),
    });
  });
});

describe('the sandbox of the service', () => {
  it('holds the running daemon: filter, no capabilities, no new privileges, no core dump, its own user', () => {
    const status = Object.fromEntries(
      proc('status')
        .split('\n')
        .map((line) => line.split(/:\s+/)),
    ) as Record<string, string>;
    const none = '0000000000000000';
    expect(status).toMatchObject({
      Seccomp: '2',
      NoNewPrivs: '1',
      CapEff: none,
      CapPrm: none,
      CapBnd: none,
      CapAmb: none,
    });
    expect(status['Uid']).toBe(['396', '396', '396', '396'].join('\t'));
    expect(proc('limits')).toMatch(/^Max core file size +0 +0 /m);
  });

  it('nothing of the service listens, while Central Command beside it does', () => {
    const listening = box.run(['ss', '-H', '-l', '-n', '-t', '-u', '-p']);
    expect(listening).toContain('127.0.0.1:8443');
    expect(listening).not.toContain(`pid=${mainPid()},`);
  });

  it('refuses to listen and to accept, on TCP and on unix sockets, and lets connections out', async () => {
    const code = `
      import { connect, createServer } from 'node:net';
      const listen = (...where) => new Promise((done) => {
        const server = createServer();
        server.on('error', (error) => done(error.code + ' ' + error.syscall));
        server.listen(...where, () => done('listens'));
      });
      const out = () => new Promise((done) => {
        const socket = connect(8443, '127.0.0.1');
        socket.on('connect', () => (socket.destroy(), done('connected')));
        socket.on('error', (error) => done(error.code));
      });
      console.log(JSON.stringify([await listen(0, '127.0.0.1'), await listen(0, '::1'), await listen('${STATE_DIR}/s'), await out()]));
      process.exit();`;
    const { result, output } = await box.probe(code);
    expect([result, JSON.parse(output)]).toEqual([
      'success',
      ['EPERM listen', 'EPERM listen', 'EPERM listen', 'connected'],
    ]);
    // The same code without the filter does listen.
    const script = '/opt/listens.mjs';
    box.run(['tee', script], code);
    const free = await box.exec.run(['timeout', '10', NODE, script], { deadlineMs: DEADLINE_MS });
    expect(free.stdout.toString()).toContain('listens');
  });

  it('sees no process, no device and no file but its own, and writes nowhere but its state', async () => {
    const code = `
      import { readFileSync, readdirSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
      import { spawnSync } from 'node:child_process';
      import { setPriority } from 'node:os';
      const tried = (act) => { try { return act() ?? 'done'; } catch (error) { return error.code; } };
      console.log(JSON.stringify({
        shadow: tried(() => readFileSync('/etc/shadow', 'utf8')),
        keys: tried(() => readdirSync('/root/keys')),
        homes: tried(() => readdirSync('/home').length),
        central: tried(() => readFileSync('/var/lib/central/central.db').length),
        etc: tried(() => writeFileSync('/etc/forged', 'x')),
        own: tried(() => writeFileSync('/opt/compliance-agent/forged', 'x')),
        facts: tried(() => writeFileSync('/run/compliance-agent/facts/firewall.json', 'x')),
        state: tried(() => { writeFileSync('${STATE_DIR}/probe', 'x'); rmSync('${STATE_DIR}/probe'); }),
        init: tried(() => readFileSync('/proc/1/cmdline', 'utf8').length),
        processes: readdirSync('/proc').filter((name) => /^\\d+$/.test(name) && name !== String(process.pid)),
        devices: readdirSync('/dev').filter((name) => /^(?:sd|vd|loop|nvme|mem|kmsg|rtc|tpm)/.test(name)),
        priority: tried(() => setPriority(0, -5)),
        root: tried(() => process.setuid(0)),
        mount: spawnSync('mount', ['-t', 'tmpfs', 'none', '/mnt']).status === 0,
        namespace: spawnSync('unshare', ['--user', 'true']).status === 0,
        chown: spawnSync('chown', ['root', '${STATE_DIR}/status.json']).status === 0,
      }));`;
    const { result, output } = await box.probe(code);
    expect([result, JSON.parse(output)]).toEqual([
      'success',
      {
        shadow: 'EACCES',
        keys: 'EACCES',
        homes: expect.toSatisfy((seen) => seen === 0 || seen === 'EACCES'),
        central: expect.stringMatching(/^(?:EACCES|ENOENT)$/),
        etc: 'EROFS',
        own: 'EROFS',
        facts: expect.stringMatching(/^(?:EROFS|EACCES)$/),
        state: 'done',
        init: 'ENOENT',
        processes: [],
        devices: [],
        priority: expect.stringMatching(/^(?:EPERM|EACCES|ERR_SYSTEM_ERROR)$/),
        root: 'EPERM',
        mount: false,
        namespace: false,
        chown: false,
      },
    ]);
  });

  it('its keys are readable for itself alone, and nobody else enters its state', async () => {
    const files = [`${STATE_DIR}/keys/device.key`, `${STATE_DIR}/keys/tls.key`, `${STATE_DIR}/agent.db`];
    expect(
      box
        .run(['stat', '-c', '%a %U', ...files])
        .trim()
        .split('\n'),
    ).toEqual(files.map(() => '600 compliance-agent'));
    const other = box.execAs(NOBODY);
    for (const file of [...files, `${STATE_DIR}/status.json`]) {
      expect((await other.run(['cat', file], { deadlineMs: DEADLINE_MS })).code, file).not.toBe(0);
    }
    expect((await other.run(['cat', '/etc/compliance-agent/config.yaml'], { deadlineMs: DEADLINE_MS })).code).toBe(0);
  });
});

describe('the life of the service', () => {
  it('killed, it is started again by systemd and works on', async () => {
    const before = mainPid();
    const size = box.status()?.log?.size ?? 0;
    box.run(['kill', '-KILL', before]);
    await restarted(before);
    expect(Number(box.show('NRestarts').NRestarts)).toBeGreaterThan(0);
    expect(box.status()?.log?.size).toBeGreaterThanOrEqual(size);
  });

  it('ended by a segmentation fault, it leaves no core anywhere: what is in its memory stays out of every file', async () => {
    const places = '/ /run /tmp /var/tmp /dev/shm';
    const cores = (): string =>
      box.run([
        'sh',
        '-c',
        `find ${places} -xdev -type f -newer /run/before-cores -name 'core*' -size +16k 2>/dev/null || true`,
      ]);
    box.run(['touch', '/run/before-cores']);
    // The search finds what is there, where this kernel writes cores as files.
    if (!readFileSync('/proc/sys/kernel/core_pattern', 'utf8').startsWith('|')) {
      const crash = 'cd /var/tmp && ulimit -c unlimited && sh -c "kill -SEGV \\$\\$"';
      box.run(['systemd-run', '--wait', '--quiet', '-p', 'LimitCORE=infinity', 'sh', '-c', `${crash}; true`]);
      expect(cores()).toMatch(/^\/var\/tmp\/core/m);
      box.run(['sh', '-c', 'rm /var/tmp/core*']);
    }
    const before = mainPid();
    box.run(['kill', '-SEGV', before]);
    await restarted(before);
    expect(cores()).toBe('');
    // systemd says `dumped` where the kernel wrote a core.
    const ended = box.journal('-n', '200').map(({ MESSAGE = '' }) => /code=(\w+), status=11\/SEGV/.exec(MESSAGE)?.[1]);
    expect(ended.filter((code) => code !== undefined).at(-1)).toBe('killed');
  });

  it('ended with exit code 0 without systemd having asked for it, as after its own limits, it is started again', async () => {
    const before = mainPid();
    const restarts = Number(box.show('NRestarts').NRestarts);
    box.run(['kill', '-TERM', before]);
    await restarted(before);
    expect(Number(box.show('NRestarts').NRestarts)).toBe(restarts + 1);
    expect(box.run(['journalctl', '-o', 'cat', `_PID=${before}`])).toContain('stopped clean=true');
  });

  it('asked to stop, it ends by itself within ten seconds and says so', () => {
    box.run(['systemctl', 'stop', UNIT]);
    const at = (start: string): number => {
      const entry = box.journal().findLast(({ MESSAGE }) => MESSAGE?.startsWith(start) === true);
      return Number(entry?.['__MONOTONIC_TIMESTAMP']);
    };
    expect(at('stopped clean=true') - at('stopping reason=SIGTERM')).toBeLessThan(STOP_US);
    // Its exit code was 0 and no signal had to end it.
    expect(at('compliance-agent.service: Deactivated successfully.')).toBeGreaterThan(at('stopping reason=SIGTERM'));
    box.run(['systemctl', 'start', UNIT]);
  });

  it('hung, it is killed by the watchdog and started again', async () => {
    // The same unit with less patience, so that the test need not wait for half a minute.
    box.run(['install', '-d', `/run/systemd/system/${UNIT}.d`]);
    box.run(['tee', `/run/systemd/system/${UNIT}.d/quick.conf`], '[Service]\nWatchdogSec=3\n');
    box.run(['systemctl', 'daemon-reload']);
    box.run(['systemctl', 'restart', UNIT]);
    const before = mainPid();
    box.run(['kill', '-STOP', before]);
    await restarted(before);
    const said = box.run(['journalctl', '-o', 'cat', `UNIT=${UNIT}`]);
    expect(said).toContain(`Watchdog timeout`);
    expect(said).toContain("Failed with result 'watchdog'");
  });
});
