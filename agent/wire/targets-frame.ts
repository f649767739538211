// Targets with their secrets as one sequence of bytes: u32be length ‖ strict JSON without secrets ‖ the secrets, one after
// the other (docs/formats/targets.md). So a secret is never a string, and can be zeroed.
import * as v from 'valibot';
import { AgentError } from '../errors/agent-error.ts';
import { targetsSchema, type Targets } from './schemas/checkin.ts';
import { encodeStrict, parseStrict } from './strict-json.ts';

/** `info` of the HPKE message that carries the frame. */
export const TARGETS_INFO = Buffer.from('compliance-agent/targets/v1');

const LENGTH_BYTES = 4;
/** Of the sealed message in an answer, which is base64 of at most 400,000 characters. */
const MAX_JSON_BYTES = 262_144;

export type WireTarget = Targets['targets'][number];
/** A target before its place among the secrets is known. */
export type UnplacedTarget = Omit<WireTarget, 'secret'>;

export interface TargetsFrame {
  readonly expiresAt: number;
  readonly targets: readonly { readonly target: WireTarget; readonly secret: Buffer }[];
}

/**
 * `aad` of the HPKE message: it opens with the answer to this very request, and with this expiry of that answer, only.
 *
 * @param requestSha256 hex
 * @param expiresAt `expires_at` of the answer, Unix seconds
 */
export function targetsAad(requestSha256: string, expiresAt: number): Buffer {
  const aad = Buffer.alloc(40);
  aad.write(requestSha256, 'hex');
  aad.writeBigUInt64BE(BigInt(expiresAt), 32);
  return aad;
}

/** The frame, which the caller zeros after use. @throws targets_invalid */
export function encodeTargetsFrame(
  expiresAt: number,
  targets: readonly { readonly target: UnplacedTarget; readonly secret: Buffer }[],
): Buffer {
  let offset = 0;
  const placed = targets.map(({ target, secret }) => {
    const at = { offset, length: secret.length };
    offset += secret.length;
    return { ...target, secret: at };
  });
  const header: Targets = { schema: 'compliance-agent/targets/v1', expires_at: expiresAt, targets: placed };
  const json = encodeStrict(fit(header));
  const frame = Buffer.allocUnsafeSlow(LENGTH_BYTES + json.length + offset);
  frame.writeUInt32BE(json.length);
  json.copy(frame, LENGTH_BYTES);
  targets.forEach(
    ({ secret }, i) => void secret.copy(frame, LENGTH_BYTES + json.length + (placed[i]?.secret.offset ?? 0)),
  );
  return frame;
}

/**
 * The targets of a frame, each with a copy of its secret; the frame itself is left to the caller to zero.
 *
 * @throws targets_invalid, json_too_large, json_not_strict, json_too_deep
 */
export function decodeTargetsFrame(frame: Buffer): TargetsFrame {
  const jsonLength = frame.length < LENGTH_BYTES ? -1 : frame.readUInt32BE();
  if (jsonLength < 0 || LENGTH_BYTES + jsonLength > frame.length) {
    throw new AgentError('targets_invalid', 'the frame is shorter than it says');
  }
  const secretsAt = LENGTH_BYTES + jsonLength;
  const header = parseStrict(frame.subarray(LENGTH_BYTES, secretsAt), { maxBytes: MAX_JSON_BYTES });
  const { expires_at: expiresAt, targets } = fit(header);
  if (new Set(targets.map((target) => target.id)).size < targets.length) {
    throw new AgentError('targets_invalid', 'a target id stands twice');
  }
  let next = 0;
  for (const { secret } of targets) {
    if (secret.offset !== next) throw new AgentError('targets_invalid', 'the secrets do not lie one after the other');
    next += secret.length;
  }
  if (secretsAt + next !== frame.length) {
    throw new AgentError('targets_invalid', 'the secrets are not as long as the frame says');
  }
  return {
    expiresAt,
    targets: targets.map((target) => ({ target, secret: copyOf(frame, secretsAt + target.secret.offset, target) })),
  };
}

/** Says which field does not fit, and nothing of what stands in it. */
function fit(header: unknown): Targets {
  const result = v.safeParse(targetsSchema, header, { abortEarly: true });
  if (result.success) return result.output;
  const path = result.issues[0].path?.map((item) => String(item.key).slice(0, 64)).join('.') ?? '';
  throw new AgentError('targets_invalid', 'a field of the targets does not fit its schema', {
    details: { path: path.replace(/[^A-Za-z0-9_.-]/g, '?') },
  });
}

/** In memory of its own: a slice of a shared pool would be copied along with other data. */
function copyOf(frame: Buffer, from: number, { secret }: WireTarget): Buffer {
  const copy = Buffer.allocUnsafeSlow(secret.length);
  frame.copy(copy, 0, from, from + secret.length);
  return copy;
}
