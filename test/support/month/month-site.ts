// A site for a month that leaps: a real Central Command that lives by the month's clock, signed content and policy, 25 targets, a
// language model that proposes one runbook; and the people who sign orders.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { statementOf } from '../../../agent/cli/entry-summary.ts';
import { openStore } from '../../../agent/store/open-store.ts';
import { maxLineBytes, parseDocument, signDocument } from '../../../agent/wire/document.ts';
import { parseEnvelope } from '../../../agent/wire/dsse.ts';
import type { Predicate } from '../../../agent/wire/schemas/entry.ts';
import { loadOnlineKeys } from '../../../central/keys/online-keys.ts';
import { personKeyFiles, readPersonKey } from '../../../central/keys/person-keys.ts';
import { openTargetVault } from '../../../central/keys/target-vault.ts';
import { draftAuthorisation, publishAuthorisation } from '../../../central/service/authorise.ts';
import { openRecords, type Records } from '../../../central/service/central.ts';
import { issueOrder, type OrderWish } from '../../../central/service/issue-order.ts';
import { addTarget, setTargetSecret } from '../../../central/service/targets.ts';
import { APPLIANCE, createSite, PARTNER, SITE, type Site } from '../../../tools/demo/site.ts';
import { PARTS, type Part } from '../../lab/healing-host.ts';
import { TARGETS } from '../../lab/healing-month/machines.ts';
import { livesByFile, openWallFile } from '../day/wall-file.ts';
import { completion, planText, sendJson, startLyingModel, type LyingModel } from '../lying-model.ts';
import { makeTestCa } from '../test-ca.ts';

const REPO = join(import.meta.dirname, '../../..');
const DAY_MS = 86_400_000;
const PORT = 5_985;
/** As often as it must be, so that targets stay known: what Central Command hands out is forgotten after a quarter of an hour. */
const CHECKIN_S = 760;
const CLAIM_S = 300;

/** Nights, in the site's own time. */
export const ZONE = 'America/New_York';
export const WINDOW = { start: 22, end: 4 } as const;

/** Rules that heal by themselves; what is wrong with logs has none here, and is for the model and for people. */
export const RULES: Readonly<Record<Exclude<Part, 'logging'>, { readonly id: string; readonly disruptive: boolean }>> =
  {
    firewall: { id: 'windows-firewall-off', disruptive: true },
    av: { id: 'windows-av-off', disruptive: false },
  };

export interface Told {
  readonly ticketId: string;
  readonly condition: string;
  readonly state: string;
}

export interface MonthSite {
  readonly site: Site;
  readonly walls: { readonly ownWall: string; readonly centralWall: string };
  readonly model: LyingModel;
  /** After the appliance is enrolled. `targets`: those of the lab's machines that it is to reach. */
  equip(nowMs: number, targets?: readonly string[]): Promise<void>;
  order(
    wish: Pick<OrderWish, 'kind' | 'params'> & { readonly runbook?: Part; readonly target?: string },
    nowMs: number,
  ): void;
  /** What two people sign: healing goes on, whatever broke it off. */
  enable(nowMs: number): Promise<void>;
  /** Tickets as Central Command holds them. */
  tickets(): readonly Told[];
  /** The log of the appliance from entry `from` on, as it lies on its disk. */
  entries(from: number): readonly Predicate[];
  lines(): readonly string[];
  logSize(): number;
  close(): Promise<void>;
}

/** `dir`: an empty folder that the caller removes. `startMs`: the first moment of the month. */
export async function makeMonthSite(dir: string, startMs: number): Promise<MonthSite> {
  const walls = { ownWall: join(dir, 'own-wall'), centralWall: join(dir, 'central-wall') };
  for (const path of Object.values(walls)) {
    const wall = openWallFile(path);
    wall.set(startMs / 1_000);
    wall.close();
  }
  const site = createSite({
    dir,
    repo: REPO,
    persons: ['Alice Ames', 'Bob Brown'],
    serve: ['--checkin-interval', String(CHECKIN_S), '--claim-interval', String(CLAIM_S)],
    centralEnv: livesByFile(walls.centralWall),
  });
  await site.provision();
  const { paths } = site;
  const baseline = join(dir, 'baseline.yaml');
  writeFileSync(baseline, BASELINE);
  writeFileSync(paths.config, configText(paths, baseline));
  const ca = await makeTestCa();
  const year = { notBefore: new Date(startMs - DAY_MS), notAfter: new Date(startMs + 400 * DAY_MS) };
  const model = await startLyingModel(await ca.issueServer({ ips: ['127.0.0.1'], ...year }));
  const plan = planText({
    runbook_id: PARTS.logging,
    params: { security_min_mib: 192 },
    rationale: 'The logs are too small.',
  });
  model.say((response) => sendJson(response, completion(plan)));
  const credentials = join(paths.state, 'credentials');
  mkdirSync(credentials, { recursive: true, mode: 0o700 });
  writeFileSync(join(credentials, 'llm_key'), 'a key of the lab\n', { mode: 0o600 });
  writeFileSync(join(credentials, 'llm_key.ca'), ca.caPem);

  const withRecords = <T>(nowMs: number, work: (records: Records) => T): T => {
    const records = openRecords(paths.data, () => Math.floor(nowMs / 1_000));
    try {
      return work(records);
    } finally {
      records.close();
    }
  };
  const issue = (nowMs: number, wish: Omit<OrderWish, 'applianceId' | 'issuedBy'>): void =>
    withRecords(nowMs, (records) => {
      const keys = loadOnlineKeys(paths.data, records.trust.root().root);
      issueOrder({ ...records, keys }, { applianceId: APPLIANCE, issuedBy: 'alice-ames', ...wish });
    });
  const reading = <T>(read: (store: ReturnType<typeof openStore>) => T): T => {
    const store = openStore({ dir: paths.state, clock: { wallMs: () => startMs }, readOnly: true });
    try {
      return read(store);
    } finally {
      store.close();
    }
  };
  /** Kept open: asked for each change. */
  let sizes: ReturnType<typeof openStore> | null = null;
  let listed: readonly { readonly id: string; readonly version: number; readonly sha256: string }[] = [];

  return {
    site,
    walls,
    model,
    async equip(nowMs, targets = TARGETS) {
      const content = join(dir, 'content');
      for (const part of ['baselines', 'controls', 'rules', ...Object.values(PARTS).map((id) => join('windows', id))]) {
        cpSync(join(REPO, 'runbooks', part), join(content, part), { recursive: true });
      }
      rmSync(join(content, 'rules/windows-audit-incomplete.yaml'));
      cpSync(baseline, join(content, 'baselines/month.yaml'));
      const until = new Date(nowMs + 80 * DAY_MS).toISOString().slice(0, 19);
      const grants = Object.entries(RULES).map(
        ([part, { id, disruptive }]) =>
          `  - { grant_id: let-${part}, rule: ${id}, runbook: ${PARTS[part as Part]}, baseline: month, scope: targets,` +
          ` class: ${disruptive ? 'disruptive' : 'routine'}, not_after: "${until}Z" }`,
      );
      const file = join(dir, 'grants.yaml');
      writeFileSync(file, `grants:\n${grants.join('\n')}\n`);
      await site.central('content', 'sign', '--dir', content, '--keys', paths.keys, '--grants', file);
      const policy = join(dir, 'policy.yaml');
      writeFileSync(policy, policyText(model.port));
      await site.central('policy', 'sign', policy, '--site', SITE, '--keys', paths.keys);
      withRecords(nowMs, (records) => {
        listed = (records.trust.content()?.value.files ?? []).flatMap((one) =>
          one.kind === 'runbook' ? [{ id: one.id, version: one.version, sha256: one.sha256 }] : [],
        );
        const central = { ...records, targetVault: openTargetVault(paths.data) };
        const who = { credentialId: 'clinic-svc', person: 'alice-ames' };
        const secret = Buffer.from('lab only: Grüße');
        setTargetSecret(central, { ...who, siteId: SITE, principal: 'svc-compliance', domain: 'CLINIC', secret });
        for (const [n, id] of TARGETS.entries())
          if (targets.includes(id)) addTarget(central, { ...who, applianceId: APPLIANCE, fields: fieldsOf(id, n) });
      });
    },
    order({ runbook, target, ...wish }, nowMs) {
      const ref = runbook === undefined ? undefined : listed.find(({ id }) => id === PARTS[runbook]);
      issue(nowMs, {
        ...wish,
        ...(ref === undefined ? {} : { runbook: ref }),
        ...(target === undefined ? {} : { targets: [{ id: target }] }),
      });
    },
    async enable(nowMs) {
      const signers = await Promise.all(
        personKeyFiles(paths.keys)
          .filter(({ role }) => role === 'operator')
          .map(readPersonKey),
      );
      withRecords(nowMs, (records) => {
        const wish = { applianceId: APPLIANCE, kind: 'set_healing', params: { action: 'enable' }, days: 2 } as const;
        // In the window, like anything disruptive.
        const value = draftAuthorisation(records, { ...wish, targets: [], window: { mode: 'require' } });
        const envelope = signDocument(
          'authorisation',
          value,
          signers.map(({ signer }) => signer),
        );
        publishAuthorisation(records, envelope, 'authorisation.json');
      });
    },
    tickets: () =>
      withRecords(startMs, ({ store }) =>
        store.tickets.list({ applianceId: null, closedToo: true, limit: 10_000 }).map(({ line }) => {
          const { payload } = parseEnvelope(line, { maxBytes: maxLineBytes('ticketUpdate') });
          const { ticket_id: ticketId, condition, state } = parseDocument('ticketUpdate', payload);
          return { ticketId, condition, state };
        }),
      ),
    entries: (from) =>
      reading(({ entries }) =>
        entries.range(1, from, EVERYTHING).map(({ line }) => statementOf(line.toString()).predicate),
      ),
    lines: () => reading(({ entries }) => entries.range(1, 0, EVERYTHING).map(({ line }) => line.toString())),
    logSize: () =>
      (sizes ??= openStore({ dir: paths.state, clock: { wallMs: () => startMs }, readOnly: true })).entries.state(1)
        .size,
    async close() {
      sizes?.close();
      await site.end();
      await model.close();
    },
  };
}

const EVERYTHING = { maxEntries: 1_000_000, maxBytes: 1024 * 1024 * 1024 };

const fieldsOf = (id: string, n: number): Parameters<typeof addTarget>[1]['fields'] => ({
  ...{ id, hostname: id, address: `127.0.1.${n + 1}`, port: PORT, scheme: 'http', auth: 'ntlm' },
  tls: { trust: 'system' },
  role: id.startsWith('dc') ? 'domain-controller' : n % 5 === 0 ? 'member-server' : 'workstation',
});

const none = (what: string): string => `${what}: { expected: none, reason: "nobody has declared it for this machine" }`;

/** Of the appliance itself only the clock is looked at: healing asks it. */
const BASELINE = [
  'schema: compliance-agent/baseline/v1',
  'id: month',
  'version: 1',
  'title: A machine on which a month of healing is simulated',
  'checks:',
  '  clock: { expected: declared, ntp_required: false, offset_ms: 5000, skew_ms: 5000 }',
  ...['disk', 'firewall', 'self', 'av_edr', 'backup', 'encryption', 'logging', 'patching'].map(
    (one) => `  ${none(one)}`,
  ),
  '',
].join('\n');

const policyText = (modelPort: number): string =>
  [
    `time_zone: ${ZONE}`,
    `windows: [{ days: [mon, tue, wed, thu, fri, sat, sun], start: "${WINDOW.start}:00", end: "0${WINDOW.end}:00" }]`,
    `target_networks: [{ prefix: 127.0.0.0/8, ports: [${PORT}] }]`,
    'healing: { mode: on, runbooks: [] }',
    `llm: { provider: local, host: 127.0.0.1, port: ${modelPort}, model: small-2.1, credential: llm_key, money_per_day_cents: 0 }`,
    'outputs: [{ id: tickets, kind: central, host: central, port: 443, events: [ticket] }]',
    '',
  ].join('\n');

const configText = (paths: Site['paths'], baseline: string): string =>
  [
    'mode: reseller',
    `reseller_id: ${PARTNER}`,
    `state_dir: ${paths.state}`,
    `provision_dir: ${paths.provision}`,
    `baseline_path: ${baseline}`,
    `poll_interval_s: ${CHECKIN_S}`,
    'upload_interval_s: 3600',
    '',
  ].join('\n');
