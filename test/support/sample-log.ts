// Signed evidence logs made in a test: real bytes, and ways to make them wrong. For tests only.
import { encodeEnvelope, signEnvelope, type Signer } from '../../agent/wire/dsse.ts';
import { encodeDocument } from '../../agent/wire/document.ts';
import { CompactRange, leafHash } from '../../agent/wire/merkle.ts';
import {
  PREDICATE_TYPE,
  STATEMENT_TYPE,
  type EntryBody,
  type EntryKind,
  type Predicate,
  type Statement,
} from '../../agent/wire/schemas/entry.ts';
import type { Binding } from '../../agent/wire/schemas/enrolment.ts';
import { DOCUMENTS } from '../../agent/wire/schemas/payload-types.ts';
import { NOW, uuidOf, type Trust } from './trust-fixtures.ts';

export const TARGET = { id: 'appliance', role: 'appliance', os_build: null };

/** An alert whose only point is to be entry `n` of something. */
export function alertBody(n: number): EntryBody<'alert'> {
  return {
    code: 'disk_low',
    state: 'raised',
    severity: 'low',
    sentence: `alert number ${n}`,
    remedy: 'free some space',
    details: { n },
  };
}

export interface SampleLog {
  readonly lines: string[];
  readonly binding: Binding;
  /** Appends a valid entry; `change` bends its statement before it is signed. */
  add<K extends EntryKind>(kind: K, body: EntryBody<K>, change?: (statement: Statement) => void): string;
  /** The statement that `add` would sign next. */
  next<K extends EntryKind>(kind: K, body: EntryBody<K>): Statement;
  /** Signs any payload as an entry and appends the line as it is. */
  addRaw(payload: string | Buffer, signers?: readonly Signer[], payloadType?: string): string;
  /** Hex root over the first `size` lines. */
  rootAt(size: number): string;
}

/** A log with its entry 0. `binding` and `entry0` bend the binding and the first statement. */
export function makeLog(
  trust: Trust,
  o: { binding?: Partial<Binding>; device?: Signer; registrar?: Signer; entry0?: (statement: Statement) => void } = {},
): SampleLog {
  const device = o.device ?? trust.keys['device']!;
  const binding = trust.binding({ device_spki: device.spki, ...o.binding });
  const lines: string[] = [];

  const next: SampleLog['next'] = (kind, body) => {
    const seq = lines.length;
    const predicate = {
      schema: 'compliance-agent/evidence/v1',
      origin: binding.origin,
      seq,
      prev: seq === 0 ? '0'.repeat(64) : leafHash(lines[seq - 1]!).toString('hex'),
      bundle_id: uuidOf(seq + 1),
      partner_id: binding.partner_id,
      customer_id: binding.customer_id,
      site_id: binding.site_id,
      appliance_id: binding.appliance_id,
      deployment_mode: binding.deployment_mode,
      ...(binding.reseller_id === undefined ? {} : { reseller_id: binding.reseller_id }),
      agent_version: '0.1.0',
      nixos_revision: null,
      derivation_digest: null,
      observed_from: NOW + seq,
      observed_to: NOW + seq,
      clock: { source: 'central', synchronized: true, skew_ms: 3, boot_id: '3f2b0c1e-0000-4000-8000-000000000001' },
      root_version: 1,
      policy_version: null,
      ruleset_digest: null,
      redaction: { policy_digest: '5c'.repeat(32), counts: {} },
      kind,
      ...body,
    } as Predicate;
    return {
      _type: STATEMENT_TYPE,
      subject: [{ name: 'entry', digest: { sha256: 'ee'.repeat(32) } }],
      predicateType: PREDICATE_TYPE,
      predicate,
    };
  };
  const addRaw: SampleLog['addRaw'] = (payload, signers = [device], payloadType = DOCUMENTS.entry.payloadType) => {
    const line = encodeEnvelope(signEnvelope(payloadType, Buffer.from(payload as string), signers));
    lines.push(line);
    return line;
  };
  const add: SampleLog['add'] = (kind, body, change) => {
    const statement = next(kind, body);
    if (change === undefined) return addRaw(encodeDocument('entry', statement));
    change(statement);
    return addRaw(JSON.stringify(statement));
  };
  const rootAt = (size: number): string => {
    const range = CompactRange.from(0, []);
    for (const line of lines.slice(0, size)) range.append(leafHash(line));
    return range.root().toString('hex');
  };

  const embedded = trust.embed('binding', binding, o.registrar ?? trust.keys['registrar']!);
  add('epoch', { status: binding.status, binding: embedded }, o.entry0);
  return { lines, binding, add, addRaw, next, rootAt };
}

/** A log of entry 0 and `count` alerts. */
export function makeAlertLog(trust: Trust, count: number, o?: Parameters<typeof makeLog>[1]): SampleLog {
  const log = makeLog(trust, o);
  for (let n = 1; n <= count; n++) log.add('alert', alertBody(n));
  return log;
}
