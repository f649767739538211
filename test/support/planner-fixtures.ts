// A finding that no rule fits, a policy that allows a model to be asked about it, and everything that asking needs. For tests only.
import { join } from 'node:path';
import { WINDOWS_CHECKS } from '../../agent/checks/windows/registry.ts';
import { loadRunbook } from '../../agent/execution/load-runbook.ts';
import type { PlannerDeps, PlannerSubject } from '../../agent/healing/planner/planner-types.ts';
import type { ContentList } from '../../agent/wire/schemas/content.ts';
import type { Finding } from '../../agent/wire/schemas/finding.ts';
import type { SitePolicy } from '../../agent/wire/schemas/site-policy.ts';
import { finding, type OpenLog } from './evidence-fixtures.ts';
import { fakeIds } from './fakes/fake-ids.ts';
import { policy as quietPolicy } from './healing-fixtures.ts';
import { NOW, uuidOf } from './trust-fixtures.ts';

const WINDOWS = join(import.meta.dirname, '../../runbooks/windows');

export const AV = loadRunbook(join(WINDOWS, 'RB-WIN-AV-001'), WINDOWS_CHECKS);
export const LOGGING = loadRunbook(join(WINDOWS, 'RB-WIN-LOGGING-001'), WINDOWS_CHECKS);

const listed = ({ runbook, sha256 }: typeof AV): ContentList['files'][number] => ({
  ...{ path: `windows/${runbook.id}`, kind: 'runbook', id: runbook.id, version: runbook.version, sha256, size: 1 },
  class: 'routine',
});

export const content: ContentList = {
  schema: 'compliance-agent/content-list/v1',
  partner_id: 'partner-1',
  version: 1,
  issued_at: NOW - 86_400,
  expires_at: NOW + 30 * 86_400,
  files: [listed(AV), listed(LOGGING)],
  grants: [],
};

type Llm = NonNullable<SitePolicy['llm']>;

export const remote = (port: number, more: Partial<Llm> = {}): Llm => ({
  provider: 'remote',
  host: 'localhost',
  port,
  model: 'small-2.1',
  credential: 'llm_key',
  baa_id: 'BAA-7',
  money_per_day_cents: 500,
  cents_per_million_tokens: 160,
  ...more,
});

export const policyWith = (llm: Llm | null, more: Partial<SitePolicy> = {}): SitePolicy => ({
  ...quietPolicy,
  llm,
  ...more,
});

/** Facts as the check `windows_av` records them. */
export const AV_FACTS: Finding['facts'] = {
  role: 'workstation',
  product: 'defender',
  defender: 'normal',
  realtime: false,
  tamper: true,
  signature_days: 9,
  exclusions: 3,
  exclusions_broad: 0,
  others_on: 0,
  managed: false,
};

export function subject(
  more: Partial<Finding> = {},
  rest: Partial<Omit<PlannerSubject, 'finding'>> = {},
): PlannerSubject {
  return {
    platform: 'windows',
    finding: finding({
      target: { id: 'front-desk-1', role: 'workstation', os_build: '10.0.22631' },
      check: { id: 'windows_av', version: 1 },
      result: 'fail',
      severity: 'high',
      sentence: 'Protection is off.',
      facts: AV_FACTS,
      ...more,
    }),
    incidentId: uuidOf(7),
    condition: 'unmatched',
    failingSince: NOW - 1_200,
    recurrences: 1,
    runs: [{ runbookId: 'RB-WIN-AV-001', outcome: 'reverted', code: 'runbook_cooling_down' }],
    ...rest,
  };
}

/** Ids differ from question to question, as those of a running agent do. */
let asked = 0;

export function plannerDeps(
  open: OpenLog,
  llm: Llm | null,
  caPem: string | null,
  more: Partial<PlannerDeps> = {},
): PlannerDeps {
  return {
    store: open.store,
    evidence: open.log,
    ids: fakeIds(`planner ${asked++}`, open.clock),
    now: () => Math.floor(open.clock.wallMs() / 1_000),
    policy: policyWith(llm),
    content,
    runbooks: [AV, LOGGING],
    secrets: () => ({ key: 'sk-test-key\n', caPem }),
    localMode: 'on',
    ...more,
  };
}
