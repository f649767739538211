// The in-toto Statement of one entry, from what a room says and what the log knows. Pure.
import type { Binding } from '../wire/schemas/enrolment.ts';
import { PREDICATE_TYPE, STATEMENT_TYPE } from '../wire/schemas/entry.ts';
import type { EntryBody, EntryKind, PredicateCommon, Statement } from '../wire/schemas/entry.ts';

/** What every entry says of its surroundings at the moment it is written. */
export type EntryContext = Pick<
  PredicateCommon,
  | 'agent_version'
  | 'nixos_revision'
  | 'derivation_digest'
  | 'clock'
  | 'root_version'
  | 'policy_version'
  | 'ruleset_digest'
  | 'single_approver'
>;

export interface Subject {
  readonly name: string;
  readonly sha256: string;
}

/** What every entry says of whose log it is in. */
export type StatedLog = Pick<
  Binding,
  'origin' | 'partner_id' | 'customer_id' | 'site_id' | 'appliance_id' | 'deployment_mode' | 'reseller_id'
>;

export interface StatementParts<K extends EntryKind> {
  readonly kind: K;
  readonly body: EntryBody<K>;
  readonly binding: StatedLog;
  readonly seq: number;
  /** Leaf hash of the entry before, hex; 64 zeros for entry 0. */
  readonly prev: string;
  readonly bundleId: string;
  readonly observedFrom: number;
  readonly observedTo: number;
  readonly context: EntryContext;
  readonly redaction: PredicateCommon['redaction'];
  readonly subject?: Subject | undefined;
}

/** Earliest time that the formats can say (2000-01-01): a dead clock battery must not stop the evidence. */
const EARLIEST_S = 946_684_800;
const LATEST_S = 32_503_679_999;

/** Unix seconds within what the formats can say; `clock.source` tells how much they are worth. */
export const sayableTime = (unixSeconds: number): number =>
  Math.min(LATEST_S, Math.max(EARLIEST_S, Math.floor(unixSeconds)));

/** What a statement is about: the facts of a finding, the order of an order entry, else the entry before this one. */
export function subjectOf<K extends EntryKind>(kind: K, body: EntryBody<K>, prev: string): Subject {
  if (kind === 'finding') return { name: 'facts', sha256: (body as EntryBody<'finding'>).facts_digest };
  if (kind === 'order') return { name: 'order', sha256: (body as EntryBody<'order'>).order_digest };
  return { name: 'entry', sha256: prev };
}

export function statementOf<K extends EntryKind>(parts: StatementParts<K>): Statement {
  const { kind, body, binding, seq, prev, context, redaction } = parts;
  const { name, sha256 } = parts.subject ?? subjectOf(kind, body, prev);
  const observedTo = sayableTime(parts.observedTo);
  const { agent_version, nixos_revision, derivation_digest, clock, root_version, policy_version, ruleset_digest } =
    context;
  const common: PredicateCommon = {
    schema: 'compliance-agent/evidence/v1',
    origin: binding.origin,
    seq,
    prev,
    bundle_id: parts.bundleId,
    partner_id: binding.partner_id,
    customer_id: binding.customer_id,
    site_id: binding.site_id,
    appliance_id: binding.appliance_id,
    deployment_mode: binding.deployment_mode,
    ...(binding.reseller_id === undefined ? {} : { reseller_id: binding.reseller_id }),
    agent_version,
    nixos_revision,
    derivation_digest,
    observed_from: Math.min(sayableTime(parts.observedFrom), observedTo),
    observed_to: observedTo,
    clock,
    root_version,
    policy_version,
    ruleset_digest,
    ...(context.single_approver === undefined ? {} : { single_approver: context.single_approver }),
    redaction,
  };
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name, digest: { sha256 } }],
    predicateType: PREDICATE_TYPE,
    predicate: { ...common, kind, ...body } as Statement['predicate'],
  };
}

/** Target and check that an entry is about, for the store's columns. */
export function aboutOf(body: object): { targetId: string | null; checkId: string | null } {
  const at = (value: unknown, key: string): string | null => {
    const member: unknown =
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : null;
    return typeof member === 'string' ? member : null;
  };
  const fields = body as Readonly<Record<string, unknown>>;
  return {
    targetId: at(fields['target'], 'id') ?? at(fields, 'target_id'),
    checkId: at(fields['check'], 'id') ?? at(fields, 'check_id'),
  };
}
