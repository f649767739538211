// Runbooks of the appliance by signed orders: the real daemon in its unit, the real helpers, systemd and nft, a real Central Command
// beside them. One container; each test goes on from the one before it.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { openStore } from '../../agent/store/open-store.ts';
import type { PredicateOf } from '../../agent/wire/schemas/entry.ts';
import { until } from '../../tools/demo/process.ts';
import { evaluateModule } from '../../tools/evaluate-module.ts';
import {
  AGENT,
  APPLIANCE,
  applianceBox,
  applianceBoxProblem,
  STATE_DIR,
  type ApplianceBox,
} from '../support/appliance-box.ts';
import { healBaseline, RULESET } from '../support/heal-fixtures.ts';
import { agentJournal, nameRoot, tableDigest, untilHelpersHold } from '../support/heal-box.ts';
import { CHECKOUT } from '../support/nspawn.ts';

const problem =
  applianceBoxProblem() ??
  (spawnSync('sh', ['-c', 'test -x /usr/lib/polkit-1/polkitd && command -v nft']).status === 0
    ? null
    : 'needs polkitd and nft');
const WITHIN_MS = 60_000;
const CONTENT = '/root/content';
const BASELINE = '/etc/compliance-agent/baseline.yaml';
const AV_PROGRAM = '/opt/lab-av/avd';
/** Like the other one, and with no way out, not even to this machine itself. */
const CUTTING_OFF = RULESET.replace('oifname "lo" accept; ', '');

let box: ApplianceBox;
const journal = (): string => agentJournal(box);
const state = (unit: string, property = 'ActiveState'): string =>
  box.run(['systemctl', 'show', unit, `--property=${property}`, '--value']).trim();
const chain = (): string => box.run(['nft', 'list', 'chain', 'inet', 'lab', 'output']);

/** Signs a baseline with this ruleset and the shipped runbooks, with shorter times; both the daemon and the helpers take them. */
async function sign(version: number, ruleset: string): Promise<void> {
  const avSha256 = createHash('sha256')
    .update(readFileSync(join(box.root, AV_PROGRAM)))
    .digest('hex');
  const tables = `{ family: inet, name: lab, sha256: '${tableDigest(box, ruleset)}' }`;
  const baseline = healBaseline({ version, avSha256, tables, ruleset });
  const inside = join(box.root, CONTENT);
  mkdirSync(join(inside, 'baselines'), { recursive: true });
  writeFileSync(join(inside, 'baselines/appliance.yaml'), baseline);
  writeFileSync(join(box.root, BASELINE), baseline);
  // Each list has runbooks of its own: what changed the appliance minutes ago is cooling down.
  for (const name of ['AV', 'FIREWALL']) {
    const id = `RB-APP-${name}-00${version}`;
    const shipped = readFileSync(join(CHECKOUT, `runbooks/appliance/RB-APP-${name}-001/runbook.yaml`), 'utf8');
    const text = shipped
      .replace(`RB-APP-${name}-001`, id)
      .replace(/within_s: \d+/, 'within_s: 20')
      .replace(/stable_for_s: \d+/, 'stable_for_s: 2');
    mkdirSync(join(inside, 'appliance', id), { recursive: true });
    writeFileSync(join(inside, 'appliance', id, 'runbook.yaml'), text);
  }
  const { sha256 } = box.central('content', 'sign', '--dir', CONTENT, '--keys', '/root/keys');
  await untilHelpersHold(box, sha256, WITHIN_MS);
}

interface Ended {
  readonly state: string;
  readonly outcome: string | null;
  readonly code: string | null;
}

/** Orders it at Central Command, and waits for the end of it on the appliance. */
async function order(...words: string[]): Promise<Ended> {
  const issued = box.central(
    ...['order', 'issue', '--appliance', APPLIANCE, '--kind', 'run_runbook', '--ttl', '300'],
    ...words,
  );
  return until(
    'the end of the order',
    () => {
      const { orders } = JSON.parse(box.run([AGENT, 'orders', '--json'])) as {
        orders: (Ended & { order_id: string })[];
      };
      return orders.find((one) => one.order_id === issued['order_id'] && one.state === 'result') ?? null;
    },
    WITHIN_MS,
    journal,
  );
}

/** The `action` entries of the log so far, as the running daemon has them on the disk. */
function actions(): PredicateOf<'action'>[] {
  const store = openStore({ dir: join(box.root, STATE_DIR), clock: { wallMs: () => Date.now() }, readOnly: true });
  try {
    const limits = { maxEntries: 100_000, maxBytes: Number.MAX_SAFE_INTEGER };
    return store.entries.range(1, 0, limits).flatMap(({ line }) => {
      const { predicate } = statementOf(line);
      return predicate.kind === 'action' ? [predicate] : [];
    });
  } finally {
    store.close();
  }
}

beforeAll(async () => {
  if (problem !== null) return;
  box = await applianceBox();
  box.run(['install', '-d', '/etc/polkit-1/rules.d']);
  box.run(['tee', '/etc/polkit-1/rules.d/10-compliance-agent.rules'], evaluateModule().polkitRule);
  box.run(['install', '-D', '-m', '0755', '/usr/bin/sleep', AV_PROGRAM]);
  box.run(['tee', '/etc/systemd/system/lab-av.service'], `[Service]\nExecStart=${AV_PROGRAM} infinity\n`);
  box.run(['systemctl', 'daemon-reload']);
  box.run(['systemctl', 'start', 'lab-av.service']);
  box.run(['nft', '-f', '-'], RULESET);
  writeFileSync(join(box.root, BASELINE), healBaseline());
  box.run(['tee', '-a', '/etc/compliance-agent/config.yaml'], `\nbaseline_path: ${BASELINE}\n`);
  await box.enrol();
  nameRoot(box);
  box.run(['tee', '/root/policy.yaml'], 'time_zone: UTC\nhealing: { mode: on, runbooks: [] }\n');
  box.central('policy', 'sign', '/root/policy.yaml', '--site', 'north', '--keys', '/root/keys');
  await sign(1, RULESET);
}, 120_000);
beforeEach((context) => context.skip(problem !== null, problem ?? ''));
afterAll(() => (problem === null ? box.close() : undefined));

describe('runbooks of the appliance by order, in a booted system', () => {
  it('start a dead scanner again, and are done when root’s facts show what runs', async () => {
    box.run(['systemctl', 'kill', '--kill-whom=main', '--signal=KILL', 'lab-av.service']);
    await until('the service is dead', () => (state('lab-av.service') === 'failed' ? true : null), WITHIN_MS);
    expect(await order('--runbook', 'RB-APP-AV-001', '--dry-run')).toMatchObject({ outcome: 'dry_run' });
    expect(state('lab-av.service')).toBe('failed');
    const ended = await order('--runbook', 'RB-APP-AV-001', '--target', 'appliance');
    expect(ended, journal()).toMatchObject({ outcome: 'success' });
    expect(state('lab-av.service')).toBe('active');
    const [, intent, result] = actions();
    expect(intent).toMatchObject({ phase: 'intent', pre_state: { service: 'failed' } });
    expect(result).toMatchObject({
      ...{ phase: 'result', outcome: 'success', order_digest: intent?.order_digest },
      post_state: { service: 'active' },
      actions: ['ran the helper restart-unit on av_edr'],
    });
  });

  it('load the signed packet filter again, and leave it there since Central Command answers', async () => {
    box.run(['nft', 'flush chain inet lab output; add rule inet lab output accept']);
    const ended = await order('--runbook', 'RB-APP-FIREWALL-001');
    expect(ended, journal()).toMatchObject({ outcome: 'success' });
    expect(chain()).toContain('ip daddr . tcp dport @reached accept');
    expect(state('compliance-agent-revert-firewall.timer')).toBe('inactive');
  });

  it('take a signed packet filter back that cuts Central Command off, and a look sees what was there before', async () => {
    await sign(2, CUTTING_OFF);
    box.run(['nft', 'add rule inet lab output tcp dport 4444 accept']);
    const before = chain();
    const ended = await order('--runbook', 'RB-APP-FIREWALL-002');
    expect(ended, journal()).toMatchObject({ outcome: 'reverted', code: 'runbook_reverted' });
    expect(chain()).toBe(before);
    expect(actions().at(-1)).toMatchObject({
      outcome: 'reverted',
      actions: ['ran the helper restore-firewall', 'ran the way back of the helper restore-firewall'],
    });
  });

  it('are not for anything else, and say so', async () => {
    const ended = await order('--runbook', 'RB-APP-AV-001', '--target', 'srv-1');
    expect(ended).toMatchObject({ outcome: 'failed', code: 'runbook_not_for_platform' });
  });

  it('end as failed where their helper is gone, and nothing is done', async () => {
    box.run(['systemctl', 'kill', '--kill-whom=main', '--signal=KILL', 'lab-av.service']);
    await until('the service is dead', () => (state('lab-av.service') === 'failed' ? true : null), WITHIN_MS);
    box.run(['rm', '/etc/systemd/system/compliance-agent-restart-unit.service']);
    box.run(['systemctl', 'daemon-reload']);
    const ended = await order('--runbook', 'RB-APP-AV-002');
    expect(ended).toMatchObject({ outcome: 'failed', code: 'helper_not_installed' });
    expect(state('lab-av.service')).toBe('failed');
  });
});
