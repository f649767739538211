// What may stand in an entry, as data: each field of each kind has a rule, and what has no rule does not come out.
// POLICY_DIGEST in every entry names exactly these rules. They are written down in docs/evidence.md.
import type { EntryKind } from '../wire/schemas/entry.ts';

/**
 * A value type by name; a list of fields; all members of a list; all values of a record; an open record, some fields of which
 * have a rule of their own; fixed words, the last of which
 * stands in for any other; a signed document of one kind (kept byte for byte, and only where its own schema accepts it);
 * the facts of a finding.
 */
export type Rule =
  | ValueType
  | { readonly fields: Readonly<Record<string, Rule>> }
  | { readonly list: Rule }
  | { readonly values: Rule }
  | { readonly open_but: Readonly<Record<string, Rule>> }
  | { readonly one_of: readonly string[] }
  | { readonly signed: SignedDocument }
  | { readonly facts_of_check: true };

/** Documents that an entry may embed. */
export type SignedDocument = 'binding' | 'succession' | 'epochConfirmation';

export type ValueType =
  | 'integer'
  | 'boolean'
  | 'word'
  | 'id'
  | 'name'
  | 'uuid'
  | 'digest'
  | 'origin'
  | 'cite'
  | 'revision'
  | 'version'
  | 'sentence'
  | 'listener'
  | 'open';

/** Shapes of text values. `open` and `sentence` have rules of their own (scrub-value.ts, scrub-sentence.ts). */
export const SHAPES = {
  id: '^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$',
  name: '^(?:[a-z][a-z0-9_-]{0,63}|RB(?:-[A-Z]{2,12}){1,3}-[0-9]{3})$',
  uuid: '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$',
  digest: '^[0-9a-f]{64}$',
  origin: '^[a-z0-9-]+(?:\\.[a-z0-9-]+)*/[a-z0-9-]+/[1-9][0-9]{0,8}$',
  cite: '^[0-9]{3}\\.[0-9]{1,4}(?:\\([A-Za-z0-9]{1,4}\\))*$',
  revision: '^(?:[a-z]{1,16}[0-9.]{0,8}-){0,4}[0-9][0-9a-z]{0,39}(?:[.+-][0-9a-z]{1,24}){0,8}$',
  version: '^(?:[a-z]{1,12}-)?v?[0-9]{1,10}(?:[.:~+-][0-9a-z]{1,16}){1,8}$',
  listener: '^(?:(?:tcp|udp)-(?:any|loopback|address)-[0-9]{1,5}|and-[0-9]{1,5}-more)$',
} as const satisfies Partial<Record<ValueType, string>>;

/** Texts that are never kept, whatever the rule of their place is. Name → pattern (case-insensitive). */
export const FORBIDDEN = {
  email: '(?<![^\\s@<>"])[^\\s@<>"]+@[^\\s@<>"]+\\.[a-z]{2,}',
  ssn: '(?<![0-9a-z.])[0-9]{3}[- ][0-9]{2}[- ][0-9]{4}(?![0-9-])',
  phone: '(?<![0-9a-z.-])(?:\\+?1[-. ]?)?(?:\\([0-9]{3}\\) ?|[0-9]{3}[-. ])[0-9]{3}[-. ][0-9]{4}(?![0-9a-z-])',
  /** A version of four small numbers looks the same, and goes with it. */
  ipv4: '(?<![0-9.])(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?![0-9]|\\.[0-9])',
  ipv6_or_mac: '(?<![0-9a-z:])(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{0,4}(?![0-9a-z])',
  /** Before 2000, where no time of ours lies, or as no sentence of ours writes one. */
  date: '(?<![0-9a-z.-])(?:1[89][0-9]{2}-[01][0-9]-[0-3][0-9]|[0-3]?[0-9](?<sep>[-./])[0-3]?[0-9]\\k<sep>(?:1[89]|20)[0-9]{2})(?![0-9a-z])',
  /** A range goes upwards, so its end has not fewer digits. */
  zip: '(?<![0-9a-z.-])[0-9]{5}-[0-9]{4}(?![0-9a-z-])',
  card: '(?<![0-9a-z-])[0-9]{4}(?:[ -][0-9]{4}){3}(?![0-9a-z-])',
  mrn: '\\bmrn[^0-9a-z]{0,3}[0-9]{4,}',
  aws_key: '\\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[0-9A-Z]{12,}',
  private_key: '-----BEGIN[ A-Z]*PRIVATE KEY',
  windows_path: '(?:[a-z]:|\\\\)\\\\[^\\s]*',
} as const;

const target: Rule = { fields: { id: 'id', role: 'name', os_build: 'revision' } };
const check: Rule = { fields: { id: 'name', version: 'integer' } };
const controls: Rule = { list: { fields: { map: 'name', cite: 'cite' } } };
const runbook: Rule = { fields: { id: 'name', version: 'integer', sha256: 'digest' } };
const orderLink = { order_digest: 'digest', authorisation_digest: 'digest' } as const;

export const KIND_RULES: Readonly<Record<EntryKind, Readonly<Record<string, Rule>>>> = {
  epoch: {
    binding: { signed: 'binding' },
    succession: { signed: 'succession' },
    predecessor: { signed: 'binding' },
    confirmation: { signed: 'epochConfirmation' },
    ended: {
      fields: {
        old_origin: 'origin',
        own_size: 'integer',
        own_root: 'digest',
        witnessed_size: 'integer',
        witnessed_root: 'digest',
        cause: 'name',
      },
    },
    status: 'word',
  },
  scope: {
    expected: { list: { fields: { target: 'id', check: 'name', check_version: 'integer', cadence_s: 'integer' } } },
  },
  finding: {
    target,
    check,
    baseline: { fields: { id: 'name', version: 'integer', sha256: 'digest' } },
    controls,
    severity: 'word',
    result: 'word',
    previous_result: 'word',
    sentence: 'sentence',
    remedy: 'sentence',
    facts: { facts_of_check: true },
    facts_digest: 'digest',
    facts_read_at: 'integer',
    waiver_id: 'id',
  },
  action: {
    phase: 'word',
    target,
    controls,
    outcome: 'word',
    code: 'name',
    pre_state: 'open',
    post_state: 'open',
    actions: { list: 'sentence' },
    plan_digest: 'digest',
    rollback_available: 'boolean',
    runbook,
    incident_id: 'uuid',
    llm: { fields: { model: 'revision', prompt_sha256: 'digest', output_sha256: 'digest' } },
    ...orderLink,
  },
  incident: {
    incident_id: 'uuid',
    target,
    check,
    state: 'name',
    sentence: 'sentence',
    opened_seq: 'integer',
    next_step_at: 'integer',
  },
  order: {
    ...orderLink,
    order_id: 'uuid',
    order_seq: 'integer',
    order_kind: 'word',
    state: 'word',
    outcome: 'word',
    code: 'name',
    sentence: 'sentence',
    result: 'open',
  },
  trust: { what: 'word', version: 'integer', sha256: 'digest', sentence: 'sentence' },
  heartbeat: {
    target,
    unchanged: {
      list: {
        fields: {
          check: 'name',
          result: 'word',
          since_seq: 'integer',
          facts_digest: 'digest',
          last_read_at: 'integer',
          runs: 'integer',
        },
      },
    },
  },
  digest: {
    from_seq: 'integer',
    to_seq: 'integer',
    root: 'digest',
    counts: { values: 'integer' },
    results: {
      list: { fields: { target: 'id', check: 'name', result: 'word', since_seq: 'integer', runs: 'integer' } },
    },
  },
  gap: { reason: 'name', sentence: 'sentence', gap_from: 'integer', gap_to: 'integer', dropped: { values: 'integer' } },
  waiver: {
    waiver_id: 'id',
    check_id: 'name',
    target_id: 'id',
    state: 'word',
    approver: 'id',
    expires_at: 'integer',
    policy_sha256: 'digest',
  },
  ticket: {
    ticket_id: 'uuid',
    incident_id: 'uuid',
    state: 'word',
    channel: 'name',
    sentence: 'sentence',
    evidence_seqs: { list: 'integer' },
  },
  learning: {
    pattern_sha256: 'digest',
    state: 'word',
    rule: { fields: { id: 'name', sha256: 'digest' } },
    statistics: { values: 'integer' },
  },
  transmission: { output: 'id', what: 'name', sha256: 'digest', bytes: 'integer', state: 'word', code: 'name' },
  alert: {
    code: 'name',
    state: 'word',
    severity: 'word',
    sentence: 'sentence',
    remedy: 'sentence',
    details: { open_but: { target: 'id' } },
  },
};
