// The trial of a learnt rule with the real daemon, whose time leaps: a real Central Command that lives by the same time, signed content,
// and two of the lab's machines.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { WINDOWS_CHECKS } from '../../agent/checks/windows/registry.ts';
import { loadRunbook } from '../../agent/execution/load-runbook.ts';
import { incidentOf } from '../../agent/healing/incident-store.ts';
import { draftRule, ruleText } from '../../agent/healing/learning/draft-rule.ts';
import { learntRules } from '../../agent/healing/learning/learnt-rules.ts';
import { patternIn } from '../../agent/healing/learning/pattern-store.ts';
import { CANARY_S, type LearntRule } from '../../agent/healing/learning/trial.ts';
import { openStore, type Store } from '../../agent/store/open-store.ts';
import { sha256Hex } from '../../agent/wire/digest.ts';
import type { Predicate } from '../../agent/wire/schemas/entry.ts';
import { PARTS } from '../lab/healing-host.ts';
import { createMachines } from '../lab/healing-month/machines.ts';
import { enrol } from '../lab/healing-month/run-healing-month.ts';
import { whyNoWallFile } from '../support/day/wall-file.ts';
import { createMonthDaemon } from '../support/month/month-daemon.ts';
import { makeMonthSite } from '../support/month/month-site.ts';

const MINUTE_S = 60;
const HOUR_S = 3_600;
/** About as often as the daemon of the month does anything. */
const STEP_S = 14 * MINUTE_S;
const WEEK_MS = 7 * 86_400_000;
/** Plain workstations: they drift alike, and hold what is put right. */
const FIRST = 'pc-7';
const OTHER = 'pc-9';
/** What a plan would have given, and people would have ordered. */
const PARAMS = JSON.stringify({ security_min_mib: 192 });

describe('the trial of a learnt rule by the daemon', () => {
  it('holds for 48 hours of signed time on its one target, whatever the wall clock says; then it heals another', async (ctx) => {
    const why = whyNoWallFile();
    ctx.skip(why !== null, why ?? '');
    const memory = '/dev/shm';
    const dir = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), 'learnt-rule-'));
    const startMs = Math.floor(Date.now() / 1_000) * 1_000;
    const world = await makeMonthSite(dir, startMs);
    const machines = createMachines();
    const { paths } = world.site;
    const daemon = createMonthDaemon({
      ...{ config: paths.config, walls: world.walls, wallMs: startMs, cut: () => null },
      answer: (ask) => machines.answer(ask, world.logSize),
    });
    const reading = <T>(read: (store: Store) => T): T => {
      const store = openStore({ dir: paths.state, clock: { wallMs: () => startMs }, readOnly: true });
      try {
        return read(store);
      } finally {
        store.close();
      }
    };
    /** Lets time pass until it is so, in small steps. */
    const within = async <T>(what: string, seconds: number, find: () => T | null | undefined): Promise<T> => {
      for (let left = seconds; ; left -= STEP_S) {
        const found = find();
        if (found !== null && found !== undefined) return found;
        if (left <= 0) throw new Error(`${what}: not so in ${seconds} s\n${daemon.lines().slice(-20).join('\n')}`);
        await daemon.live(STEP_S);
      }
    };
    const changes = (): string[] =>
      machines.journal.filter(({ phase }) => phase === 'remediate').map(({ target, part }) => `${target} ${part}`);
    const rule = (): LearntRule | undefined => reading((store) => [...learntRules(store).values()][0]);

    try {
      await daemon.start();
      await enrol(world, daemon);
      await world.equip(daemon.wallMs(), [FIRST, OTHER]);
      await within('both machines are looked at', 2 * HOUR_S, () => (machines.looks() >= 6 ? true : null));

      // The pattern is the daemon's own; what it would take weeks to count is taken for given (test/system/learnt-rule.test.ts).
      machines.drift(FIRST, 'logging');
      const row = await within('the drift is counted', 3 * HOUR_S, () =>
        reading((store) => store.learning.patterns(1)[0]),
      );
      machines.repair(FIRST, 'logging', daemon.wallMs());
      const content = join(dir, 'content');
      const { runbook, sha256 } = loadRunbook(join(content, 'windows', PARTS.logging), WINDOWS_CHECKS);
      const drafted = draftRule(
        patternIn(row),
        {
          ...{ runbookId: runbook.id, runbookSha256: sha256, params: PARAMS },
          ...{ tried: 3, verified: 3, l2Verified: 3, successPercent: 100, meanMs: 9_000 },
        },
        runbook,
      );
      if (typeof drafted === 'string') throw new Error(drafted);
      const text = ruleText(drafted);
      writeFileSync(join(content, 'rules', `${drafted.id}.yaml`), text);
      const grants = join(dir, 'grants.yaml');
      const until = new Date(daemon.wallMs() + 60 * 86_400_000).toISOString().slice(0, 19);
      const grant = `  - { grant_id: ${drafted.id}, rule: ${drafted.id}, runbook: ${runbook.id}, baseline: month, scope: targets, class: routine, not_after: "${until}Z" }\n`;
      writeFileSync(grants, readFileSync(grants, 'utf8') + grant);
      await world.site.central('content', 'sign', '--dir', content, '--keys', paths.keys, '--grants', grants);
      const canary = await within('it is on trial', HOUR_S, rule);
      expect(canary).toMatchObject({ sha256: sha256Hex(Buffer.from(text)), state: 'canary', targetId: null });
      /** Of true time, which Central Command signs. */
      const endMs = canary.until * 1_000;
      expect(Math.abs(endMs - CANARY_S * 1_000 - daemon.wallMs())).toBeLessThan(20 * MINUTE_S * 1_000);

      machines.drift(FIRST, 'logging');
      await within('it was tried, and held', 12 * HOUR_S, () =>
        rule()?.outcomes.includes(true) === true ? true : null,
      );
      expect([changes(), rule()?.targetId]).toEqual([[`${FIRST} logging`], FIRST]);

      machines.drift(OTHER, 'logging');
      const held = await within('drift elsewhere waits for the end of the trial', 12 * HOUR_S, () =>
        reading((store) => store.incidents.due(['waiting'], Number.MAX_SAFE_INTEGER))
          .map(incidentOf)
          .find(({ targetId, held: by }) => targetId === OTHER && by?.guard === 'trial'),
      );
      expect(held.condition).toBe(drafted.id);

      // A wall clock that is ahead by a week ends no trial: not in this process, and not in the next.
      daemon.stepClock(WEEK_MS);
      await daemon.live(6 * HOUR_S);
      await daemon.end('SIGKILL');
      await daemon.start();
      await daemon.live((endMs - daemon.wallMs()) / 1_000 - HOUR_S);
      expect(CANARY_S * 1_000 - (endMs - daemon.wallMs())).toBe(47 * HOUR_S * 1_000);
      expect([rule()?.state, changes()]).toEqual(['canary', [`${FIRST} logging`]]);

      // No look proves anything while the clocks of the machine and of the appliance are a week apart.
      daemon.stepClock(0);
      await within('it is active by itself', HOUR_S + 30 * MINUTE_S, () => (rule()?.state === 'active' ? true : null));
      expect(daemon.wallMs()).toBeGreaterThanOrEqual(endMs);
      // Central Command takes five check-ins in a real second: some of what leaps past is refused, and without one there are no credentials.
      await within('the other machine is healed', 24 * HOUR_S, () => (rule()?.outcomes.length === 2 ? true : null));
      expect(rule()).toMatchObject({ state: 'active', targetId: null, outcomes: [true, true] });
      expect(changes()).toEqual([`${FIRST} logging`, `${OTHER} logging`]);
      await daemon.end('SIGTERM');
      expect(daemon.defects).toEqual([]);
      const told = world.entries(0).flatMap((one) => step(one, drafted.id));
      // What the planner tried dry for the first drift is of before.
      expect(told.slice(told.indexOf('learning canary 0/0'))).toEqual([
        'learning canary 0/0',
        `action intent ${FIRST}`,
        `action result ${FIRST} success`,
        'learning active 1/1',
        `action intent ${OTHER}`,
        `action result ${OTHER} success`,
      ]);
    } finally {
      await daemon.end('SIGKILL');
      await world.close();
      rmSync(dir, { recursive: true, force: true });
    }
  }, 300_000);
});

/** What an entry says of the rule's way. */
function step(one: Predicate, ruleId: string): string[] {
  if (one.kind === 'learning') {
    const { tried, verified } = one.statistics;
    return one.rule?.id === ruleId ? [`learning ${one.state} ${verified}/${tried}`] : [];
  }
  if (one.kind === 'action' && one.runbook?.id === PARTS.logging)
    return [['action', one.phase, one.target.id, one.outcome].filter((word) => word !== undefined).join(' ')];
  return [];
}
