// Takes an upload of evidence: bounded decompression, framing, order, then durable storage, then the signed receipt.
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { AgentError, isAgentError } from '../../agent/errors/agent-error.ts';
import { encodeEnvelope } from '../../agent/wire/dsse.ts';
import { leafHash } from '../../agent/wire/merkle.ts';
import { MAX_ENTRY_BYTES } from '../../agent/wire/schemas/entry.ts';
import { lineJudge } from '../evidence-store/judge-line.ts';
import { splitLines } from '../evidence-store/segment-store.ts';
import type { BindingRow } from '../store/appliance-table.ts';
import type { Central } from './central.ts';
import { identifyClient, type ClientCertificate } from './identify-client.ts';
import { retainUntil } from './retention.ts';
import { signOwn } from './sign-own.ts';

/** Limits of one upload. */
export const MAX_UPLOAD_ENTRIES = 500;
export const MAX_UPLOAD_BYTES = 4 * 1024 * 1024;
const NO_LEAF = '0'.repeat(64);
/** What the alarm about the store itself is about. */
const STORE = 'evidence-store';
const STORE_FAILURES: ReadonlySet<string> = new Set([
  'evidence_unwritable',
  'evidence_store_unreachable',
  'evidence_store_denied',
  'evidence_store_unlocked',
  'evidence_store_clock',
]);

export interface Upload {
  readonly origin: string;
  readonly firstSeq: number;
  /** gzip of lines that each end with LF. */
  readonly body: Uint8Array;
}

/**
 * Stores an upload and returns the signed receipt over all that is stored of the log. The same upload again is answered the
 * same way; nothing that was stored is ever replaced.
 *
 * @throws identity_mismatch, origin_not_bound, body_too_large, evidence_framing, evidence_gap (details.expected_seq),
 *   evidence_conflict (details.seq), evidence_damaged, and what SegmentStore.write throws: nothing is receipted then
 */
export async function storeUpload(central: Central, client: ClientCertificate, upload: Upload): Promise<string> {
  const { appliance_id: applianceId } = identifyClient(central, client);
  // Of an epoch that has ended too: what is left of it is still wanted.
  const binding = central.store.appliances.bindingOf(upload.origin);
  if (binding === null || binding.appliance_id !== applianceId) {
    throw new AgentError('origin_not_bound', 'the appliance is bound to another log', { place: upload.origin });
  }
  const lines = frame(await unpack(upload.body));
  return await central.evidence.exclusive(binding.origin, () =>
    watched(central, async () => await takeIn(central, binding, upload.firstSeq, lines)),
  );
}

async function takeIn(central: Central, binding: BindingRow, firstSeq: number, lines: Buffer[]): Promise<string> {
  await central.evidence.settle(binding.origin);
  const damage = central.evidence.damage(binding.origin);
  if (damage !== null) throw new AgentError('evidence_damaged', damage, { place: binding.origin });
  const { size } = central.evidence.state(binding.origin);
  if (firstSeq > size) {
    throw new AgentError('evidence_gap', `entry ${size} is expected next`, { details: { expected_seq: size } });
  }
  await refuseConflicts(central, binding, firstSeq, lines);
  const fresh = lines.slice(size - firstSeq);
  if (fresh.length > 0) await append(central, binding, fresh);
  return receipt(central, binding, firstSeq, lines.length);
}

/** People are told while nothing can be stored, and when it can be again. */
async function watched<T>(central: Central, work: () => Promise<T>): Promise<T> {
  const { alarms } = central.store;
  try {
    const done = await work();
    alarms.clear('evidence_store_failing', STORE, central.now());
    return done;
  } catch (error) {
    if (isAgentError(error) && STORE_FAILURES.has(error.code)) {
      alarms.raise('evidence_store_failing', STORE, error.code, central.now());
    }
    throw error;
  }
}

async function unpack(body: Uint8Array): Promise<Buffer> {
  try {
    return await promisify(gunzip)(body, { maxOutputLength: MAX_UPLOAD_BYTES });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new AgentError('body_too_large', `an upload unpacks to at most ${MAX_UPLOAD_BYTES} bytes`);
    }
    throw new AgentError('evidence_framing', 'the body is not gzip', { cause });
  }
}

function frame(bytes: Buffer): Buffer[] {
  const lines = splitLines(bytes);
  if (lines === null || lines.length === 0) {
    throw new AgentError('evidence_framing', 'an upload is one or more lines that each end with a line feed');
  }
  if (lines.length > MAX_UPLOAD_ENTRIES) {
    throw new AgentError('body_too_large', `an upload holds at most ${MAX_UPLOAD_ENTRIES} entries`);
  }
  const bad = lines.findIndex((line) => line.length === 0 || line.length > MAX_ENTRY_BYTES);
  if (bad !== -1) {
    throw new AgentError('evidence_framing', `line ${bad} is empty or longer than ${MAX_ENTRY_BYTES} bytes`);
  }
  return lines;
}

/** What is stored must be what is uploaded again. A different line is kept beside the log, and people are told. */
async function refuseConflicts(
  central: Central,
  binding: BindingRow,
  firstSeq: number,
  lines: Buffer[],
): Promise<void> {
  const { size } = central.evidence.state(binding.origin);
  const stored = await central.evidence.read(binding.origin, firstSeq, Math.min(size, firstSeq + lines.length));
  const conflicts = stored.flatMap((line, i) => (line.equals(lines[i] as Buffer) ? [] : [i]));
  const until = retainUntil(central, binding.site_id);
  for (const i of conflicts)
    await central.evidence.keepConflict(binding.origin, firstSeq + i, lines[i] as Buffer, until);
  const first = conflicts[0];
  if (first === undefined) return;
  const seq = firstSeq + first;
  central.store.alarms.raise('evidence_conflict', binding.origin, `entry ${seq}`, central.now());
  throw new AgentError('evidence_conflict', `entry ${seq} is stored with other bytes`, { details: { seq } });
}

async function append(central: Central, binding: BindingRow, fresh: Buffer[]): Promise<void> {
  const before = central.evidence.state(binding.origin);
  const judge = lineJudge(central.trust, binding);
  const revoked = central.trust.revocations()?.value.origins.find(({ origin }) => origin === binding.origin);
  const trustedUntil = revoked?.trust_until_size ?? Number.POSITIVE_INFINITY;
  let prev = before.lastLeaf ?? NO_LEAF;
  const unverified = fresh.flatMap((line, i) => {
    const code = before.size + i < trustedUntil ? judge(line, before.size + i, prev) : 'origin_revoked';
    prev = leafHash(line).toString('hex');
    return code === null ? [] : [{ seq: before.size + i, code }];
  });
  // Before the lines: after a crash in between they come again and are judged again.
  central.store.evidence.setUnverified(
    binding.origin,
    before.size,
    before.size + fresh.length,
    unverified,
    central.now(),
  );
  await central.evidence.append(binding.origin, fresh, retainUntil(central, binding.site_id));
}

function receipt(central: Central, binding: BindingRow, firstSeq: number, count: number): string {
  const { size, root } = central.evidence.state(binding.origin);
  const object = central.evidence.lastObject(binding.origin);
  if (object === null)
    throw new AgentError('evidence_damaged', 'no object holds the last entry', { place: binding.origin });
  const now = central.now();
  const envelope = signOwn(
    'receipt',
    {
      schema: 'compliance-agent/receipt/v1',
      origin: binding.origin,
      size,
      root,
      stored_at: now,
      store: central.evidence.segments.kind,
      object_id: object.object_id,
      retain_until: object.retain_until,
      stored_unverified: central.store.evidence.unverified(binding.origin, firstSeq, firstSeq + count),
    },
    central.keys.receipt,
  );
  const line = encodeEnvelope(envelope);
  central.store.evidence.addReceipt({ origin: binding.origin, size, root, line, stored_at: now });
  return line;
}
