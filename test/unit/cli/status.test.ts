import { afterAll, beforeAll, describe, it, expect } from 'vitest';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { livenessOf } from '../../../agent/cli/liveness.ts';
import { STATUS_FILE, STATUS_STALE_S, writeStatus, type AgentStatus } from '../../../agent/system/status-file.ts';
import { agentStatus } from '../../support/cli-state.ts';
import { cli } from '../../support/run-cli.ts';
import { NOW } from '../../support/trust-fixtures.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'status-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

function status(partial: Partial<AgentStatus>, ...argv: string[]) {
  writeStatus(dir, agentStatus(partial));
  return cli(['status', '--state', dir, ...argv]);
}
const BLOCKED = {
  blocking_reason: {
    code: 'dns_failed',
    sentence: 'central.example does not resolve.',
    remedy: 'check the DNS server',
  },
};
const DRIFT = {
  findings: [{ check: 'disk', target: 'appliance', result: 'fail', sentence: 'Full.', read_at: NOW }],
};

describe('status', () => {
  it('says in plain words that nothing keeps the appliance from its work', async () => {
    const { code, out } = await status({});
    expect(code).toBe(0);
    expect(out).toContain('Nothing keeps this appliance from its work.');
    expect(out).toContain('12 entries, 9 stored at Central Command, 3 waiting (4.0 KiB)');
    expect(out).toMatch(/disk +appliance +pass +Enough room\./);
  });

  it('says how many targets are in each state, and of each that is not ready why', async () => {
    const targets: AgentStatus['targets'] = [
      { id: 'pc-1', state: 'credential_stopped', cause: 'winrm_account_locked' },
      { id: 'pc-2', state: 'ready', cause: null },
      { id: 'srv-1', state: 'outside_networks', cause: null },
      { id: 'srv-2', state: 'ready', cause: null },
      { id: 'srv-3', state: 'unknown', cause: 'store_corrupt' },
    ];
    const { out, code } = await status({ targets });
    expect(code).toBe(0);
    expect(out).toMatch(/targets +5: 2 ready, 1 credential_stopped, 1 outside_networks, 1 unknown\n/);
    expect(out).toMatch(/pc-1 +credential_stopped +its credential was proven wrong .*\(winrm_account_locked: .+\)/);
    expect(out).toMatch(/srv-1 +outside_networks +target_networks of the site policy/);
    expect(out).toMatch(/srv-3 +unknown .*\(store_corrupt: /);
    expect(out).not.toMatch(/pc-2|srv-2/);
    expect((await status({ targets }, '--json')).json()).toMatchObject({ status: { targets } });
    expect((await status({})).out).not.toMatch(/^targets/m);
    // As a daemon of before wrote it.
    const { targets: _, ...older } = agentStatus({});
    writeFileSync(join(dir, STATUS_FILE), JSON.stringify(older));
    expect((await cli(['status', '--state', dir])).code).toBe(0);
  });

  it.each([
    ['some', { size: 10, at: NOW - 30 }, 'witnessed=1 (operator) up to 10 entries 30 s ago, 2 unanchored'],
    ['all', { size: 12, at: NOW - 30 }, 'witnessed=1 (operator) up to 12 entries 30 s ago, nothing unanchored'],
    ['no', null, 'unanchored: no entry is witnessed yet'],
  ])('says how far the log is witnessed where %s entries are', async (_, witnessed, line) => {
    expect((await status({ witnessed })).out).toContain(line);
  });

  it('says witnessed≥2 up to where a trusted authority stamped, and as JSON the ranges of evidence verify', async () => {
    const partial = { witnessed: { size: 10, at: NOW - 30 }, timestamped: { size: 7, at: NOW - 3_600 } };
    expect((await status(partial)).out).toContain(
      'witnessed≥2 (operator, timestamp authority) up to 7 entries 60 min ago, witnessed=1 (operator) up to 10 entries 30 s ago, 2 unanchored',
    );
    expect((await status(partial, '--json')).json()).toMatchObject({
      ranges: [
        { from_seq: 0, to_seq: 7, range: 'witnessed>=2', by: ['witness', 'timestamp'] },
        { from_seq: 7, to_seq: 10, range: 'witnessed=1', by: ['witness'] },
        { from_seq: 10, to_seq: 12, range: 'unanchored', by: [] },
      ],
    });
    expect((await status({ log: null, witnessed: null }, '--json')).json()).toMatchObject({ ranges: null });
  });

  it('reads a status file of a version that knew no timestamps', async () => {
    const { timestamped: _none, ...old } = agentStatus();
    writeFileSync(join(dir, STATUS_FILE), JSON.stringify(old));
    const { code, out } = await cli(['status', '--state', dir]);
    expect([code, out.includes('witnessed=1 (operator) up to 10 entries')]).toEqual([0, true]);
  });

  it('says the one blocking reason with its code and remedy before everything else', async () => {
    const { code, out } = await status(BLOCKED);
    expect(code).toBe(0);
    expect(out.split('\n')[1]).toBe('Blocked: central.example does not resolve. (dns_failed) — check the DNS server');
  });

  it.each([
    [
      'lasts',
      { ...BLOCKED.blocking_reason, since: NOW - 7_200, until: null },
      BLOCKED,
      2,
      /^Blocked since .* \(2 h ago\)\.$/,
    ],
    [
      'is over',
      { ...BLOCKED.blocking_reason, since: NOW - 7_200, until: NOW - 3_600 },
      {},
      2,
      /^Last blocked 60 min ago for 60 min: central\.example does not resolve\. \(dns_failed\)$/,
    ],
  ])(
    'says before all the rest when a blocking reason that %s began and ended',
    async (_what, last, more, line, words) => {
      const { out } = await status({ ...more, last_blocking_reason: last });
      expect(out.split('\n')[line]).toMatch(words);
    },
  );

  it('reads a status file of a version that kept no last blocking reason', async () => {
    const { last_blocking_reason: _last, ...old } = agentStatus();
    writeFileSync(join(dir, STATUS_FILE), JSON.stringify(old));
    expect((await cli(['status', '--state', dir])).code).toBe(0);
  });

  it('gives the whole status as JSON, with whether the daemon runs', async () => {
    const { code, ...rest } = await status({}, '--json');
    expect(code).toBe(0);
    expect(rest.json()).toEqual({
      schema: 'compliance-agent/cli-status/v1',
      daemon: 'running',
      status: agentStatus(),
      ranges: [
        { from_seq: 0, to_seq: 10, range: 'witnessed=1', by: ['witness'] },
        { from_seq: 10, to_seq: 12, range: 'unanchored', by: [] },
      ],
    });
  });

  it.each([
    ['a stopped daemon', { state: 'stopped' as const }, 'stopped'],
    ['a daemon whose process is gone', { pid: 2 ** 22 + 1 }, 'gone'],
    ['a daemon that has not written for too long', { written_at: NOW - STATUS_STALE_S - 1 }, 'silent'],
  ])('says so of %s and exits 3', async (_what, partial, daemon) => {
    const text = await status(partial);
    expect(text.code).toBe(3);
    expect(text.out).not.toContain('Nothing keeps');
    expect(text.out).toContain('What follows is what it said last.');
    const asJson = await status(partial, '--json');
    expect([asJson.code, asJson.json()['daemon']]).toEqual([3, daemon]);
  });

  it('says that no daemon ever ran, exit 3', async () => {
    const { code, err } = await cli(['status', '--state', join(dir, 'empty')]);
    expect([code, err.split(':')[0]]).toEqual([3, 'daemon_not_running']);
  });

  it('refuses a status file that is not one, exit by its code', async () => {
    writeFileSync(join(dir, STATUS_FILE), 'x');
    const { err } = await cli(['status', '--state', dir]);
    expect(err.split(':')[0]).toBe('status_unreadable');
  });

  it.each([
    ['nothing to say', {}, 0],
    ['drift', DRIFT, 6],
    ['a blocking reason', BLOCKED, 3],
    ['both', { ...BLOCKED, ...DRIFT }, 3],
  ])('with --exit-code and %s exits %3$s', async (_what, partial, expected) => {
    expect((await status(partial, '--exit-code')).code).toBe(expected);
    expect((await status(partial)).code).toBe(0);
  });

  it('names stages that fail, a held-back upload, a pause and warnings', async () => {
    const { out } = await status({
      state: 'pending',
      upload_parked: { code: 'evidence_gap', sentence: 'It lacks entry 4.', until: NOW + 300 },
      healing_paused_until: NOW + 3_600,
      warnings: ['one person may authorise alone'],
      stages: [
        {
          name: 'checks',
          running: false,
          last_started_at: null,
          last_finished_at: null,
          last_error: { code: 'stage_overrun', sentence: 'It took too long.' },
          failures_in_a_row: 3,
          next_in_s: 12,
          cpu_ms: 0,
          grown_bytes: 0,
        },
      ],
    });
    expect(out).toContain('waiting for somebody to confirm this appliance');
    expect(out).toContain('held back by evidence_gap: It lacks entry 4. Next try in 5 min.');
    expect(out).toContain('checks failed 3 times in a row: stage_overrun: It took too long. Next try in 12 s.');
    expect(out).toContain('warning: one person may authorise alone');
  });

  it('does not let text of the status act on the terminal', async () => {
    const { out } = await status({ warnings: ['x\u001b[2Jy'], central_url: 'https://a\u001b]0;b' });
    expect(out).not.toContain('\u001b');
  });

  it('uses colours on a terminal only, and not where NO_COLOR is set', async () => {
    writeStatus(dir, agentStatus());
    const argv = ['status', '--state', dir];
    expect((await cli(argv, { tty: true })).out).toContain('\u001b[32m');
    expect((await cli(argv, { tty: true, env: { NO_COLOR: '1' } })).out).not.toContain('\u001b');
    expect((await cli(argv)).out).not.toContain('\u001b');
  });
});

describe('livenessOf', () => {
  it('believes a status for as long as it is fresh and its process exists', () => {
    expect(livenessOf(agentStatus({ written_at: NOW - STATUS_STALE_S }), NOW, true)).toBe('running');
    expect(livenessOf(agentStatus({ written_at: NOW - STATUS_STALE_S - 1 }), NOW, true)).toBe('silent');
    expect(livenessOf(agentStatus(), NOW, false)).toBe('gone');
  });
});
