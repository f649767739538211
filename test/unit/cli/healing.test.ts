import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pauseLength } from '../../../agent/cli/healing.ts';
import { takeControlDrops, writeStatus, type AgentStatus } from '../../../agent/system/status-file.ts';
import { agentStatus } from '../../support/cli-state.ts';
import { expectCode } from '../../support/expect-code.ts';
import { cli } from '../../support/run-cli.ts';
import { NOW } from '../../support/trust-fixtures.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'healing-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const HEALING: NonNullable<AgentStatus['healing']> = {
  ...{ mode: 'dry_run', paused_by_order: null, paused_by_hand: NOW + 7_200, rules: 18, rules_refused: 1, grants: 2 },
  ...{ memory_lost: false, stopped_runbooks: ['RB-WIN-PATCH-001'], incidents: { ticketed: 1, waiting: 2 } },
};

describe('healing pause', () => {
  it('leaves a request with its length for the daemon, also while that does not run', async () => {
    writeStatus(dir, agentStatus({ healing: null }));
    const running = await cli(['healing', 'pause', '--for', '30m', '--state', dir]);
    expect([running.code, takeControlDrops(dir)]).toMatchObject([0, [{ verb: 'healing_pause', for_s: 1_800 }]]);
    writeStatus(dir, agentStatus({ state: 'stopped' }));
    const stopped = await cli(['healing', 'pause', '--state', dir]);
    expect(stopped.out).toContain('begins when it starts');
    expect(takeControlDrops(dir)).toMatchObject([{ for_s: 14_400 }]);
  });

  it('takes lengths and times, at most 30 days', () => {
    expect(pauseLength({ for: '90s' }, NOW)).toBe(90);
    expect(pauseLength({ for: '30d' }, NOW)).toBe(2_592_000);
    expect(pauseLength({ until: new Date((NOW + 60) * 1_000).toISOString().slice(0, 19).concat('Z') }, NOW)).toBe(60);
    expect(pauseLength({}, NOW)).toBe(14_400);
  });

  it.each([
    { for: '2 hours' },
    { for: '0m' },
    { for: '31d' },
    { until: 'tomorrow' },
    { until: '2020-01-01T00:00:00Z' },
    { for: '1h', until: '2030-01-01T00:00:00Z' },
  ])('refuses %o', (options) => {
    expectCode(() => pauseLength(options, NOW), 'usage');
  });
});

describe('healing status', () => {
  it('says the mode, both pauses, rules, grants, and what is stopped until two persons enable it', async () => {
    writeStatus(dir, agentStatus({ healing: HEALING }));
    const { code, out } = await cli(['healing', 'status', '--state', dir]);
    expect(code).toBe(0);
    expect(out).toMatch(/mode +dry run: /);
    expect(out).toMatch(/paused by order +no\n.*paused by hand +until .* \(in 2 h\)/);
    expect(out).toMatch(/rules +18 in force, 1 cannot be used/);
    expect(out).toMatch(/stopped +RB-WIN-PATCH-001 \(set_healing close_breaker, or enable\)/);
    expect(out).toMatch(/incidents +1 ticketed, 2 waiting/);
    expect((await cli(['healing', 'status', '--state', dir, '--json'])).json()).toMatchObject({ healing: HEALING });
  });

  it('exits 3 where no daemon runs, and says so of what it said last', async () => {
    writeStatus(dir, agentStatus({ state: 'stopped', healing: HEALING }));
    const { code, out } = await cli(['healing', 'status', '--state', dir]);
    expect([code, out.split('\n')[0]]).toEqual([3, 'the daemon is not running; this is what it said last']);
    const empty = mkdtempSync(join(tmpdir(), 'healing-none-'));
    expect((await cli(['healing', 'status', '--state', empty])).err).toContain('daemon_not_running');
    rmSync(empty, { recursive: true });
  });
});
