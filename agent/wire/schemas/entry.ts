// One evidence entry: an in-toto Statement v1 whose predicate names what was observed or done (docs/formats/entry.md).
import * as v from 'valibot';
import {
  actionOutcome,
  bootId,
  checkResult,
  count,
  deploymentMode,
  embeddedEnvelope,
  id,
  int,
  name,
  namedCounts,
  origin,
  plainObject,
  semver,
  severity,
  sha256Hex,
  text,
  unixSeconds,
  uuidv7,
  version,
} from './primitives.ts';
import { orderKind, runbookRef } from './order.ts';

export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
/** A name, not an address: nothing is ever fetched from it. */
export const PREDICATE_TYPE = 'https://compliance-agent.example/evidence/v1';

/** An entry's line is at most this long, without its LF: C2SP tlog-tiles gives a leaf a 16-bit length. */
export const MAX_ENTRY_BYTES = 65_535;
/** Scrubbed facts inside a state change. */
export const MAX_FACTS_BYTES = 32 * 1024;

export const ENTRY_KINDS = [
  'epoch',
  'scope',
  'finding',
  'action',
  'incident',
  'order',
  'trust',
  'heartbeat',
  'digest',
  'gap',
  'waiver',
  'ticket',
  'learning',
  'transmission',
  'alert',
] as const;
export type EntryKind = (typeof ENTRY_KINDS)[number];

export const entryTarget = v.strictObject({ id, role: name, os_build: v.nullable(text(80)) });
export type EntryTarget = v.InferOutput<typeof entryTarget>;

export const entryClock = v.strictObject({
  /** Where the times of this entry come from: Central's signed time, an NTP-disciplined clock, or neither. */
  source: v.picklist(['central', 'ntp', 'unsynchronised']),
  synchronized: v.boolean(),
  /** Wall clock minus signed time; null without a signed time in this boot. */
  skew_ms: v.nullable(int(-4_102_444_800_000, 4_102_444_800_000)),
  boot_id: bootId,
});

const common = {
  schema: v.literal('compliance-agent/evidence/v1'),
  origin,
  seq: count,
  /** Leaf hash of entry seq−1; 64 zeros for entry 0. */
  prev: sha256Hex,
  bundle_id: uuidv7,
  partner_id: id,
  customer_id: id,
  site_id: id,
  appliance_id: id,
  deployment_mode: deploymentMode,
  reseller_id: v.optional(id),
  agent_version: semver,
  nixos_revision: v.nullable(text(80)),
  derivation_digest: v.nullable(text(120)),
  observed_from: unixSeconds,
  observed_to: unixSeconds,
  clock: entryClock,
  root_version: version,
  policy_version: v.nullable(version),
  /** SHA-256 over the digests of the rules and baselines in force; null before the first content list. */
  ruleset_digest: v.nullable(sha256Hex),
  /** True where one person alone may authorise at this partner. */
  single_approver: v.optional(v.boolean()),
  redaction: v.strictObject({
    policy_digest: sha256Hex,
    /** How many values each scrub rule removed or replaced. */
    counts: namedCounts,
  }),
};

const checkRef = v.strictObject({ id: name, version });
const control = v.strictObject({ map: name, cite: text(60) });
const orderLink = { order_digest: v.optional(sha256Hex), authorisation_digest: v.optional(sha256Hex) };

/** Why an epoch ended and what was known of its log; null: unknown. */
export const endedEpoch = v.strictObject({
  old_origin: origin,
  own_size: v.nullable(count),
  own_root: v.nullable(sha256Hex),
  witnessed_size: v.nullable(count),
  witnessed_root: v.nullable(sha256Hex),
  cause: name,
});
export type EndedEpoch = v.InferOutput<typeof endedEpoch>;

const kinds = {
  epoch: {
    binding: v.optional(embeddedEnvelope),
    /** Entry 0 of an epoch that the appliance opened itself: signed by the key of the epoch before, … */
    succession: v.optional(embeddedEnvelope),
    /** … whose binding this is. */
    predecessor: v.optional(embeddedEnvelope),
    ended: v.optional(endedEpoch),
    /** People vouch for a provisional epoch. */
    confirmation: v.optional(embeddedEnvelope),
    status: v.picklist(['confirmed', 'provisional']),
  },
  scope: {
    /** What is expected to be observed from now on; more than two cadences without it reads `unobserved`. */
    expected: v.pipe(
      v.array(v.strictObject({ target: id, check: name, check_version: version, cadence_s: int(1, 31_622_400) })),
      v.maxLength(512),
    ),
  },
  finding: {
    target: entryTarget,
    check: checkRef,
    baseline: v.strictObject({ id: name, version, sha256: sha256Hex }),
    controls: v.pipe(v.array(control), v.maxLength(32)),
    severity,
    result: checkResult,
    previous_result: v.nullable(checkResult),
    sentence: text(600),
    /** For `fail`: what would make it pass. */
    remedy: v.optional(text(600)),
    facts: plainObject,
    /** SHA-256 of the JCS of the judged facts (no times, no counters, ages in buckets). */
    facts_digest: sha256Hex,
    facts_read_at: unixSeconds,
    waiver_id: v.optional(id),
  },
  action: {
    phase: v.picklist(['intent', 'result']),
    target: entryTarget,
    controls: v.pipe(v.array(control), v.maxLength(32)),
    outcome: v.optional(actionOutcome),
    code: v.optional(name),
    pre_state: plainObject,
    post_state: v.optional(plainObject),
    actions: v.pipe(v.array(text(300)), v.maxLength(64)),
    plan_digest: v.optional(sha256Hex),
    rollback_available: v.boolean(),
    runbook: v.optional(runbookRef),
    incident_id: v.optional(uuidv7),
    llm: v.optional(v.strictObject({ model: text(120), prompt_sha256: sha256Hex, output_sha256: sha256Hex })),
    ...orderLink,
  },
  incident: {
    incident_id: uuidv7,
    target: entryTarget,
    check: checkRef,
    state: name,
    sentence: text(600),
    opened_seq: v.nullable(count),
    next_step_at: v.nullable(unixSeconds),
  },
  order: {
    order_digest: sha256Hex,
    authorisation_digest: v.optional(sha256Hex),
    /** What could be read of the order; null where a refusal came before that point. */
    order_id: v.nullable(uuidv7),
    order_seq: v.nullable(count),
    order_kind: v.nullable(orderKind),
    state: v.picklist(['accepted', 'started', 'handed_over', 'result', 'refused', 'deferred']),
    outcome: v.optional(actionOutcome),
    code: v.optional(name),
    sentence: text(600),
    result: v.optional(plainObject),
  },
  trust: {
    what: v.picklist(['root', 'content', 'policy', 'revocations']),
    version,
    sha256: sha256Hex,
    sentence: text(600),
  },
  heartbeat: {
    target: entryTarget,
    /** Findings that are as they were at `since_seq`. */
    unchanged: v.pipe(
      v.array(
        v.strictObject({
          check: name,
          result: checkResult,
          since_seq: count,
          facts_digest: sha256Hex,
          last_read_at: unixSeconds,
          runs: count,
        }),
      ),
      v.minLength(1),
      v.maxLength(64),
    ),
  },
  digest: {
    /** Entries covered: from_seq ≤ seq < to_seq. */
    from_seq: count,
    to_seq: count,
    root: sha256Hex,
    counts: v.custom<Partial<Record<EntryKind, number>>>(
      (value) =>
        v.is(namedCounts, value) && Object.keys(value).every((key) => ENTRY_KINDS.some((kind) => kind === key)),
      'must be counts by kind of entry',
    ),
    results: v.pipe(
      v.array(v.strictObject({ target: id, check: name, result: checkResult, since_seq: count, runs: count })),
      v.maxLength(512),
    ),
  },
  gap: {
    reason: name,
    sentence: text(600),
    gap_from: unixSeconds,
    gap_to: unixSeconds,
    dropped: namedCounts,
  },
  waiver: {
    waiver_id: id,
    check_id: name,
    target_id: id,
    state: v.picklist(['applied', 'expired', 'withdrawn']),
    approver: id,
    expires_at: unixSeconds,
    policy_sha256: sha256Hex,
  },
  ticket: {
    ticket_id: uuidv7,
    incident_id: v.nullable(uuidv7),
    state: v.picklist(['opened', 'updated', 'closed', 'reopened', 'delivered', 'undeliverable']),
    channel: v.nullable(name),
    sentence: text(600),
    evidence_seqs: v.pipe(v.array(count), v.maxLength(64)),
  },
  learning: {
    pattern_sha256: sha256Hex,
    state: v.picklist(['candidate', 'approved', 'rejected', 'canary', 'active', 'demoted']),
    rule: v.optional(v.strictObject({ id: name, sha256: sha256Hex })),
    statistics: namedCounts,
  },
  transmission: {
    output: id,
    what: name,
    sha256: sha256Hex,
    bytes: count,
    state: v.picklist(['delivered', 'failed']),
    code: v.optional(name),
  },
  alert: {
    code: name,
    state: v.picklist(['raised', 'cleared']),
    severity,
    sentence: text(600),
    remedy: text(600),
    details: plainObject,
  },
};

const entry = <K extends EntryKind, F extends v.ObjectEntries>(kind: K, fields: F) =>
  v.strictObject({ ...common, kind: v.literal(kind), ...fields });

export const predicateSchema = v.variant('kind', [
  entry('epoch', kinds.epoch),
  entry('scope', kinds.scope),
  entry('finding', kinds.finding),
  entry('action', kinds.action),
  entry('incident', kinds.incident),
  entry('order', kinds.order),
  entry('trust', kinds.trust),
  entry('heartbeat', kinds.heartbeat),
  entry('digest', kinds.digest),
  entry('gap', kinds.gap),
  entry('waiver', kinds.waiver),
  entry('ticket', kinds.ticket),
  entry('learning', kinds.learning),
  entry('transmission', kinds.transmission),
  entry('alert', kinds.alert),
]);
export type Predicate = v.InferOutput<typeof predicateSchema>;
export type PredicateOf<K extends EntryKind> = Extract<Predicate, { kind: K }>;

const commonSchema = v.strictObject(common);
export type PredicateCommon = v.InferOutput<typeof commonSchema>;

/** What a room hands to the log: everything of an entry that only that room knows. */
export type EntryBody<K extends EntryKind = EntryKind> = K extends EntryKind
  ? Omit<PredicateOf<K>, keyof PredicateCommon | 'kind'>
  : never;

export const statementSchema = v.strictObject({
  _type: v.literal(STATEMENT_TYPE),
  subject: v.pipe(
    v.array(v.strictObject({ name: text(200), digest: v.strictObject({ sha256: sha256Hex }) })),
    v.minLength(1),
    v.maxLength(64),
  ),
  predicateType: v.literal(PREDICATE_TYPE),
  predicate: predicateSchema,
});
export type Statement = v.InferOutput<typeof statementSchema>;
