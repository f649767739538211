// The content list: everything the agent may run or judge by, named by digest. Signed by `content`.
import * as v from 'valibot';
import { id, int, name, orderClass, plainObject, sha256Hex, text, unixSeconds, version } from './primitives.ts';

/** Lets one L1 rule run one runbook unattended. Arguments come from the signed baseline only. */
export const standingGrantSchema = v.strictObject({
  schema: v.literal('compliance-agent/standing-grant/v1'),
  grant_id: id,
  rule: v.strictObject({ id: name, sha256: sha256Hex }),
  runbook: v.strictObject({ id: name, version, sha256: sha256Hex }),
  baseline_sha256: sha256Hex,
  /** `disruptive` replaces the authorisation for this rule, inside the window only. */
  class: v.picklist(['routine', 'disruptive']),
  scope: v.picklist(['appliance', 'targets']),
  limits: plainObject,
  not_after: unixSeconds,
});
export type StandingGrant = v.InferOutput<typeof standingGrantSchema>;

export const contentFile = v.strictObject({
  path: v.pipe(
    v.string(),
    v.maxLength(200),
    v.regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/),
  ),
  kind: v.picklist(['runbook', 'rule', 'baseline', 'control_map']),
  id: name,
  version,
  sha256: sha256Hex,
  size: int(1, 4_194_304),
  /** Runbooks only: what class of order may run it. */
  class: v.optional(orderClass),
});

export const contentListSchema = v.strictObject({
  schema: v.literal('compliance-agent/content-list/v1'),
  partner_id: id,
  /** Strictly rises. */
  version,
  issued_at: unixSeconds,
  expires_at: unixSeconds,
  note: v.optional(text(200)),
  files: v.pipe(v.array(contentFile), v.maxLength(4_096)),
  grants: v.pipe(v.array(standingGrantSchema), v.maxLength(512)),
});
export type ContentList = v.InferOutput<typeof contentListSchema>;
