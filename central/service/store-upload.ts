// Takes an upload of evidence: bounded decompression, framing, order, then durable storage, then the signed receipt.
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { encodeEnvelope } from '../../agent/wire/dsse.ts';
import { leafHash } from '../../agent/wire/merkle.ts';
import { MAX_ENTRY_BYTES } from '../../agent/wire/schemas/entry.ts';
import type { LogState } from '../evidence-store/evidence-store.ts';
import { lineJudge } from '../evidence-store/judge-line.ts';
import { splitLines } from '../evidence-store/segment-folder.ts';
import type { BindingRow } from '../store/appliance-table.ts';
import type { Central } from './central.ts';
import { identifyClient, type ClientCertificate } from './identify-client.ts';
import { signOwn } from './sign-own.ts';

/** Limits of one upload. */
export const MAX_UPLOAD_ENTRIES = 500;
export const MAX_UPLOAD_BYTES = 4 * 1024 * 1024;
/** Retention unless the site policy names more: policy, not law (the legal floor is six years). */
const DEFAULT_RETENTION_YEARS = 7;
const YEAR_S = 31_622_400;
const NO_LEAF = '0'.repeat(64);

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
 *   evidence_conflict (details.seq), evidence_damaged, evidence_unwritable
 */
export async function storeUpload(central: Central, client: ClientCertificate, upload: Upload): Promise<string> {
  const { appliance_id: applianceId } = identifyClient(central, client);
  // Of an epoch that has ended too: what is left of it is still wanted.
  const binding = central.store.appliances.bindingOf(upload.origin);
  if (binding === null || binding.appliance_id !== applianceId) {
    throw new AgentError('origin_not_bound', 'the appliance is bound to another log', { place: upload.origin });
  }
  const lines = frame(await unpack(upload.body));
  return await central.evidence.exclusive(binding.origin, async () => {
    const damage = central.evidence.damage(binding.origin);
    if (damage !== null) throw new AgentError('evidence_damaged', damage, { place: binding.origin });
    const { size } = central.evidence.state(binding.origin);
    if (upload.firstSeq > size) {
      throw new AgentError('evidence_gap', `entry ${size} is expected next`, { details: { expected_seq: size } });
    }
    await refuseConflicts(central, binding, upload.firstSeq, lines);
    const fresh = lines.slice(size - upload.firstSeq);
    const stored = fresh.length === 0 ? null : await append(central, binding, fresh);
    return receipt(central, binding, upload.firstSeq, lines.length, stored);
  });
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
  for (const i of conflicts) await central.evidence.keepConflict(binding.origin, firstSeq + i, lines[i] as Buffer);
  const first = conflicts[0];
  if (first === undefined) return;
  const seq = firstSeq + first;
  central.store.alarms.raise('evidence_conflict', binding.origin, `entry ${seq}`, central.now());
  throw new AgentError('evidence_conflict', `entry ${seq} is stored with other bytes`, { details: { seq } });
}

async function append(
  central: Central,
  binding: BindingRow,
  fresh: Buffer[],
): Promise<{ state: LogState; objectId: string }> {
  const before = central.evidence.state(binding.origin);
  const judge = lineJudge(central.trust, binding);
  let prev = before.lastLeaf ?? NO_LEAF;
  const unverified = fresh.flatMap((line, i) => {
    const code = judge(line, before.size + i, prev);
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
  return await central.evidence.append(binding.origin, fresh);
}

function receipt(
  central: Central,
  binding: BindingRow,
  firstSeq: number,
  count: number,
  stored: { state: LogState; objectId: string } | null,
): string {
  const { size, root } = stored?.state ?? central.evidence.state(binding.origin);
  const now = central.now();
  const years = central.trust.policy(binding.site_id)?.value.retention_years ?? DEFAULT_RETENTION_YEARS;
  const envelope = signOwn(
    'receipt',
    {
      schema: 'compliance-agent/receipt/v1',
      origin: binding.origin,
      size,
      root,
      stored_at: now,
      store: 'files',
      object_id: stored?.objectId ?? binding.origin.replaceAll('/', '_'),
      retain_until: now + years * YEAR_S,
      stored_unverified: central.store.evidence.unverified(binding.origin, firstSeq, firstSeq + count),
    },
    central.keys.receipt,
  );
  const line = encodeEnvelope(envelope);
  central.store.evidence.addReceipt({ origin: binding.origin, size, root, line, stored_at: now });
  return line;
}
