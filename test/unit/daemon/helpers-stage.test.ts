import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DaemonContext } from '../../../agent/daemon/context.ts';
import { helpersStage } from '../../../agent/daemon/stages/helpers-stage.ts';
import { stepLearnt, takeUpLearnt } from '../../../agent/healing/learning/learnt-rules.ts';
import { afterRun } from '../../../agent/healing/learning/trial.ts';
import { parseRule } from '../../../agent/healing/rule.ts';
import { indexRules } from '../../../agent/healing/rule-index.ts';
import { GIVEN_UP_FILE, judgeGivenUp } from '../../../agent/helpers/given-up-rules.ts';
import { withLog } from '../../support/evidence-fixtures.ts';
import { fakeExec } from '../../support/fakes/fake-exec.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';
import { healSite } from '../../support/heal-fixtures.ts';
import { ruleText } from '../../support/rule-fixtures.ts';
import { NOW } from '../../support/trust-fixtures.ts';

describe('what is handed over to the helpers', () => {
  it('is a learnt rule of the appliance as soon as it is demoted, with the documents', () =>
    withLog(async ({ store, log, clock }, dir) => {
      const folders = { dropDir: join(dir, 'drop'), resultDir: join(dir, 'results') };
      for (const one of Object.values(folders)) mkdirSync(one);
      const bytes = Buffer.from(ruleText({ id: 'learnt-one', source: 'promoted', learnt_from: 'ab'.repeat(32) }));
      const rule = parseRule(bytes, 'rule.yaml');
      const index = indexRules([rule]);
      const exec = fakeExec({
        systemctl: (argv) => (argv[1] === 'show' ? { stdout: 'ActiveState=inactive\nJob=\n' } : {}),
      });
      const starts = (): number => exec.calls.filter(([, verb]) => verb === 'start').length;
      const stage = helpersStage({
        ...{ folders, store, clock, exec, log: memoryLog(), keys: { atRest: 'credential' } },
        state: {
          answerHeld: { line: 'an answer', atMs: clock.monoMs() },
          enrolled: { identity: { bindingLine: 'a binding', applianceId: 'a', epoch: 1 } },
          ...{ clockSynchronised: true, clockOffsetMs: 0, lifecycle: 'enrolled', enrolment: null },
        },
        config: { state_dir: dir, poll_interval_s: 60, provision_dir: join(dir, 'provision') },
        healing: { rules: { index } },
      } as unknown as DaemonContext);
      const look = () => stage.run(AbortSignal.timeout(60_000), 'run');
      const file = join(folders.dropDir, GIVEN_UP_FILE);

      const deps = { store, evidence: log };
      store.content.write(bytes);
      takeUpLearnt(deps, index, () => true, NOW);
      await look();
      await look();
      expect([starts(), existsSync(file)]).toEqual([1, false]);

      stepLearnt(deps, rule.sha256, (one) => afterRun(one, false));
      await look();
      await look();
      expect(starts()).toBe(2);
      const site = healSite();
      const grant = site.grant(site.runbooks.av, { rule: { id: 'learnt-one', sha256: rule.sha256 } });
      expect(judgeGivenUp(readFileSync(file), { grants: [grant] }, [])).toEqual([rule.sha256]);
    }));
});
