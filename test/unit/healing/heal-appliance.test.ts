// A shipped rule and a shipped runbook heal the appliance itself: the incident steps along, and the helper gets the grant as its grounds.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { watchedLooks } from '../../../agent/daemon/healing-deps.ts';
import type { HelperGrounds } from '../../../agent/execution/appliance/appliance-run.ts';
import { runApplianceRunbook } from '../../../agent/execution/appliance/run-appliance-runbook.ts';
import { healIncident, type HealDeps } from '../../../agent/healing/heal-incident.ts';
import { noteFinding } from '../../../agent/healing/incident-book.ts';
import { incidentOf } from '../../../agent/healing/incident-store.ts';
import { readRuleFile } from '../../../agent/healing/read-rules.ts';
import { indexRules } from '../../../agent/healing/rule-index.ts';
import { parseRule } from '../../../agent/healing/rule.ts';
import { done, onAppliance, shippedRunbook, soundMachine, untilOver } from '../../support/appliance-lab.ts';
import { content, DAY, facts, policy } from '../../support/healing-fixtures.ts';
import { NOW } from '../../support/trust-fixtures.ts';
import { RUNBOOKS } from '../checks/sample-facts.ts';

const ID = '019e0000-0000-7000-8000-0000000000c1';
const BASELINE = 'dd'.repeat(32);
const sound = soundMachine();
const stopped = { av_edr: { ...sound.av_edr, activeState: 'failed', running: 'nothing' as const } };
const place = join(RUNBOOKS, 'rules/av-service-stopped.yaml');
const rule = parseRule(readRuleFile(place).bytes, place);
const loaded = shippedRunbook('RB-APP-AV-001');
const { id, version } = loaded.runbook;
const named = { id, version, sha256: loaded.sha256 };

describe('healing the appliance itself', () => {
  it.each([
    ['heals a stopped scanner under its grant, verified by a look of its own', true, 'healed', ['healed']],
    ['counts as failed where the service does not stay up', false, 'seen', ['failed']],
  ] as const)('%s', (_what, works, state, last) =>
    onAppliance(stopped, async (lab) => {
      const { store, log } = lab;
      const given: HelperGrounds[] = [];
      lab.onHelper = (_verb, request) => {
        if (request.step === 'act') given.push(request.grounds);
        if (works) lab.machine = { ...lab.machine, av_edr: sound.av_edr };
        return done();
      };
      const finding = await lab.deps.look('av_edr', new AbortController().signal);
      const record: HealDeps['record'] = (incident, sentence) =>
        log.append('incident', {
          ...{
            incident_id: incident.id,
            target: finding.target,
            check: finding.check,
            state: incident.state,
            sentence,
          },
          ...{ opened_seq: incident.openedSeq, next_step_at: incident.nextStepAt },
        }).seq;
      const index = indexRules([rule]);
      for (const at of [NOW - 600, NOW]) {
        noteFinding({ store, newId: () => ID, index, record }, finding, 1, at);
      }
      const incident = incidentOf(store.incidents.get(ID)!);
      const running = healIncident(
        incident,
        {
          ...{ store, record, index, now: () => NOW, finding: () => finding, baselineSha256: () => BASELINE },
          runner: {
            held: (asked) => (asked === id ? loaded : null),
            whyNotNow: () => null,
            run: ({ params, dryRun, link, rule: of, watch }, signal) =>
              runApplianceRunbook(
                {
                  ...{ loaded, params, dryRun, link, action: 'remediate', windowOverridden: false },
                  grounds: { kind: 'grant', rule: of! },
                },
                watchedLooks(lab.deps, watch),
                signal,
              ),
          },
          facts: () => ({
            ...facts,
            ...{ now: NOW, policy, runs: [], seenAt: incident.seenAt },
            content: {
              ...content,
              ...{ issued_at: NOW - DAY, expires_at: NOW + DAY },
              files: [{ path: 'r', kind: 'runbook', size: 1, class: 'routine', ...named }],
              grants: [
                {
                  ...content.grants[0]!,
                  ...{ rule: { id: rule.file.id, sha256: rule.sha256 }, runbook: named, baseline_sha256: BASELINE },
                  ...{ scope: 'appliance', not_after: NOW + DAY },
                },
              ],
            },
          }),
        },
        new AbortController().signal,
      );
      await untilOver(running, lab.clock);
      expect(await running).toBe('ran');
      expect(incidentOf(store.incidents.get(ID)!).state).toBe(state);
      expect(store.incidents.lines(ID).map(({ what }) => what)).toEqual(['seen', 'acting', 'verifying', ...last]);
      expect(given).toEqual([{ kind: 'grant', rule: { id: rule.file.id, sha256: rule.sha256 } }]);
      expect(lab.actions().map(({ phase, incident_id: of }) => [phase, of])).toEqual([
        ['intent', ID],
        ['result', ID],
      ]);
    }),
  );
});
