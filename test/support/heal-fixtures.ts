// What a helper holds and is handed when it is to heal: a baseline with something for every verb, the runbooks of the appliance as
// they ship, a content list with grants for them, and a site policy that lets them run.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeEnvelope } from '../../agent/wire/dsse.ts';
import { EMPTY_LEDGER } from '../../agent/helpers/heal-ledger.ts';
import type { HandedFiles } from '../../agent/helpers/heal-inputs.ts';
import type { Grounds, HealAct } from '../../agent/helpers/heal-request.ts';
import type { HeldLines } from '../../agent/helpers/held-trust.ts';
import type { ActContext } from '../../agent/helpers/judge-act.ts';
import { signDocument } from '../../agent/wire/document.ts';
import { sha256Hex } from '../../agent/wire/digest.ts';
import { packRunbook } from '../../agent/wire/runbook-package.ts';
import type { ContentList, StandingGrant } from '../../agent/wire/schemas/content.ts';
import type { Authorisation, Order } from '../../agent/wire/schemas/order.ts';
import { helperTrust } from './helper-fixtures.ts';
import { NOW, uuidOf } from './trust-fixtures.ts';

export const RULE = { id: 'av-service-stopped', sha256: 'c1'.repeat(32) };
/** Id of the baseline that root's configuration names. */
export const BASELINE_ID = 'appliance';
const APPLIANCE_RUNBOOKS = join(import.meta.dirname, '../../runbooks/appliance');
const BOOT = { bootId: 'b0', bootMs: 600_000 };
const DAY_S = 86_400;

/** A runbook of the appliance as its one blob; `change` bends its text before. */
export function applianceRunbook(id: string, change: (text: string) => string = (text) => text) {
  const text = change(readFileSync(join(APPLIANCE_RUNBOOKS, id, 'runbook.yaml'), 'utf8'));
  const { bytes, sha256 } = packRunbook([{ path: 'runbook.yaml', text }]);
  return { bytes, ref: { id, version: 1, sha256 } };
}
export type PackedRunbook = ReturnType<typeof applianceRunbook>;

export interface BaselineWords {
  readonly avUnit?: string;
  readonly avBinary?: string;
  readonly avSha256?: string;
  readonly forwarder?: string;
  readonly backupUnit?: string;
  readonly repositoryFile?: string;
  readonly passwordFile?: string;
  readonly restorePath?: string;
  readonly id?: string;
  readonly version?: number;
  readonly tables?: string;
  readonly ruleset?: string;
}

export const RULESET = `table inet lab {
  set reached { type ipv4_addr . inet_service; flags timeout; timeout 1h; }
  chain output { type filter hook output priority 0; policy drop; oifname "lo" accept; ip daddr . tcp dport @reached accept; }
}`;

const indent = (text: string): string => text.replace(/^/gm, '      ');

/** The text of a baseline that declares something for every verb. */
export function healBaseline(words: BaselineWords = {}): Buffer {
  const {
    id = BASELINE_ID,
    version = 1,
    avSha256 = 'd1'.repeat(32),
    tables = '{ family: inet, name: lab, sha256: none }',
  } = words;
  return Buffer.from(`schema: compliance-agent/baseline/v1
id: ${id}
version: ${version}
title: Everything that a helper may touch
checks:
  av_edr:
    expected: declared
    unit: ${words.avUnit ?? 'lab-av.service'}
    binary: ${words.avBinary ?? '/opt/lab-av/avd'}
    binary_sha256: '${avSha256}'
    signatures: { expected: none, reason: the laboratory has none }
    scan: { expected: none, reason: the laboratory has none }
    exclusions: { expected: none, reason: the laboratory has none }
  logging:
    expected: declared
    persistent_required: true
    forwarder: ${words.forwarder ?? 'lab-forwarder.service'}
    canary_minutes: 60
    canaries_missing: 0
    suppressed_messages: 0
    journal_mib: 4096
  backup:
    expected: declared
    unit: ${words.backupUnit ?? 'lab-backup.service'}
    repository_file: ${words.repositoryFile ?? '/etc/lab/repository'}
    password_file: ${words.passwordFile ?? '/etc/lab/password'}
    host: any
    paths: []
    snapshot_hours: 24
    snapshot_critical_hours: 48
    clock_tolerance_minutes: 10
    lock_minutes: 60
    integrity: { days: 8, read_data_percent: 100 }
    restore_test: { days: 30, path: ${words.restorePath ?? '/srv/lab'} }
  firewall:
    expected: declared
    default_policy: { input: any, output: drop, forward: any }
    tables: [${tables}]
    undeclared_tables: allow
    listeners: any
    ruleset: |
${indent(words.ruleset ?? RULESET)}
`);
}

export type HealSite = ReturnType<typeof healSite>;

/** A site whose helpers may do everything that the shipped runbooks of the appliance ask for. */
export function healSite(o: { now?: number; baseline?: Buffer; seed?: string } = {}) {
  const { now = NOW, baseline = healBaseline() } = o;
  const site = helperTrust(now, o.seed);
  const { trust } = site;
  const runbooks = {
    av: applianceRunbook('RB-APP-AV-001'),
    logging: applianceRunbook('RB-APP-LOGGING-001'),
    firewall: applianceRunbook('RB-APP-FIREWALL-001'),
    backup: applianceRunbook('RB-APP-BACKUP-001'),
    restore: applianceRunbook('RB-APP-BACKUP-001', (text) =>
      text.replaceAll('RB-APP-BACKUP-001', 'RB-APP-BACKUP-002').replaceAll('verb: run-backup', 'verb: restore-test'),
    ),
  };
  runbooks.restore.ref.id = 'RB-APP-BACKUP-002';
  const baselineSha256 = sha256Hex(baseline);
  const grant = (runbook: PackedRunbook, change: Partial<StandingGrant> = {}): StandingGrant => ({
    schema: 'compliance-agent/standing-grant/v1',
    grant_id: `grant-${runbook.ref.id.toLowerCase()}`,
    rule: RULE,
    runbook: runbook.ref,
    baseline_sha256: baselineSha256,
    class: 'routine',
    scope: 'appliance',
    limits: {},
    not_after: now + 10 * DAY_S,
    ...change,
  });
  const content = (
    change: Partial<ContentList> = {},
    avClass: 'routine' | 'disruptive' = 'routine',
    grants = Object.values(runbooks).map((one) => grant(one)),
  ): string =>
    trust.sign(
      'contentList',
      trust.contentList({
        version: 3,
        issued_at: now - DAY_S,
        expires_at: now + 30 * DAY_S,
        files: [
          { path: 'rules/av.yaml', kind: 'rule', ...RULE, version: 1, size: 300 },
          {
            path: 'baselines/a.yaml',
            kind: 'baseline',
            id: BASELINE_ID,
            version: 1,
            sha256: baselineSha256,
            size: 900,
          },
          ...Object.entries(runbooks).map(([name, { ref }]) => ({
            path: `runbooks/${name}.json`,
            kind: 'runbook' as const,
            ...ref,
            size: 900,
            class: name === 'av' ? avClass : ('routine' as const),
          })),
        ],
        grants,
        ...change,
      }),
    );
  const policy = (change: Parameters<typeof site.policy>[1] = {}): string =>
    site.policy(4, { healing: { mode: 'on', runbooks: [] }, ...change });
  const lines: HeldLines = {
    root: site.root(1),
    revocations: site.revocations(2),
    content: content(),
    policy: policy(),
    binding: site.binding(),
  };
  const files = (runbook: PackedRunbook): HandedFiles => ({ baseline, runbook: runbook.bytes });
  const request = (
    runbook: PackedRunbook,
    what:
      | { readonly verb: 'restart-unit'; readonly what: 'av_edr' | 'log_forwarder' }
      | { readonly verb: 'run-backup' | 'restore-test' }
      | { readonly verb: 'restore-firewall'; readonly step: 'restore' },
    grounds: Grounds = { kind: 'grant', rule: RULE },
    n = 1,
  ): HealAct => ({
    schema: 'compliance-agent/heal-request/v1',
    request_id: uuidOf(n),
    runbook: runbook.ref,
    baseline_sha256: baselineSha256,
    grounds,
    ...what,
  });
  /** An order to run a runbook on the appliance itself. */
  const order = (runbook: PackedRunbook, change: Partial<Order> = {}): Order =>
    trust.order({
      kind: 'run_runbook',
      runbook: runbook.ref,
      class: 'routine',
      seq: 7,
      issued_at: now - 10,
      not_before: now - 10,
      expires_at: now + 600,
      ...change,
    });
  const byOrder = (value: Order, ...signers: Parameters<typeof signDocument>[2]): Grounds => ({
    kind: 'order',
    envelope: encodeEnvelope(signDocument('order', value, signers.length > 0 ? signers : trust.signersOf('order'))),
  });
  /** An order with an authorisation for exactly it; `change` bends the authorisation, `...people` sign it. */
  const disruptiveOrder = (
    runbook: PackedRunbook,
    change: {
      readonly order?: Partial<Order>;
      readonly authorisation?: Partial<Authorisation>;
      readonly people?: readonly string[];
    } = {},
  ): Order => {
    const authorisation = trust.authorisation({
      kind: 'run_runbook',
      runbook: runbook.ref,
      issued_at: now - 600,
      not_after: now + DAY_S,
      ...change.authorisation,
    });
    const people = (change.people ?? ['alice', 'bob']).map((person) => trust.keys[`operator:${person}`]!);
    return order(runbook, {
      class: 'disruptive',
      authorisation: trust.embed('authorisation', authorisation, ...people),
      ...change.order,
    });
  };
  const context: ActContext = {
    lines,
    time: { serverTime: now, ...BOOT },
    clock: { ...BOOT, wallMs: now * 1_000, synchronised: true },
    ledger: EMPTY_LEDGER,
    baselineId: BASELINE_ID,
  };
  return {
    ...site,
    runbooks,
    baseline,
    baselineSha256,
    grant,
    content,
    policy,
    lines,
    files,
    request,
    order,
    byOrder,
    disruptiveOrder,
    context,
  };
}

/** Part of a baseline on a machine whose mounted volumes are all in clear: for people, never for healing. */
export const DISKS_IN_CLEAR = `  encryption:
    expected: declared
    ignored_mounts: []
    luks_versions: [2]
    ciphers: [aes-xts-plain64]
    key_bits: 512
    recovery_slots: 1
    key_slots_max: 4
    tpm2_required: false
`;

/** Changes a text where it lies. */
export const editFile = (path: string, ...changes: readonly (readonly [RegExp | string, string])[]): void =>
  writeFileSync(
    path,
    changes.reduce((text, [from, to]) => text.replaceAll(from, to), readFileSync(path, 'utf8')),
  );
