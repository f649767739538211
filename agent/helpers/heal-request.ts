// What the daemon asks of a helper that changes something: `compliance-agent/heal-request/v1` (docs/formats/heal-request.md).
//
// How the daemon asks: it leaves three files in the drop folder, `request` (encodeHealRequest), `baseline` (the bytes of the
// baseline in force) and `runbook` (the blob of the runbook, as wire/runbook-package.ts packs it), starts helperUnit(verb), and
// takes the result whose details.request_id is the id of its request. One request at a time: there is one file of each name.
// After `restore` of restore-firewall it checks in and looks again, and then sends `confirm` or `rollback` with the details.run of the
// result; where it does neither in time, the helper goes back by itself. Nothing in a request says what is acted on but a word of a
// closed list: the rest stands in the signed baseline.
import * as v from 'valibot';
import { AgentError } from '../errors/agent-error.ts';
import { name, nonceHex, sha256Hex, uuidv7, version } from '../wire/schemas/primitives.ts';
import { encodeStrict, parseStrict } from '../wire/strict-json.ts';

/** Verbs that change something in the name of a runbook, or by an order of their own. */
export const HEAL_VERBS = [
  'restart-unit',
  'restore-firewall',
  'run-backup',
  'restore-test',
  'apply-update',
  'reboot',
] as const;
export type HealVerb = (typeof HEAL_VERBS)[number];

/** What `restart-unit` may restart: `av_edr` is the unit of that check, `log_forwarder` the forwarder of `logging`. */
export const RESTARTABLE = ['av_edr', 'log_forwarder'] as const;
export type Restartable = (typeof RESTARTABLE)[number];

/** An order's line has at most 64 KiB. */
const MAX_ORDER_CHARACTERS = 65_536;
/** A request with an order, every quote of which is escaped. */
export const MAX_REQUEST_BYTES = 2 * MAX_ORDER_CHARACTERS + 4_096;

const grounds = v.variant('kind', [
  /** A standing grant for this rule, the runbook and the baseline is in the content list that the helpers hold. */
  v.strictObject({ kind: v.literal('grant'), rule: v.strictObject({ id: name, sha256: sha256Hex }) }),
  /** The signed line of an order `run_runbook` for this runbook and this appliance, as it came. One order, one act. */
  v.strictObject({ kind: v.literal('order'), envelope: v.pipe(v.string(), v.maxLength(MAX_ORDER_CHARACTERS)) }),
]);
export type Grounds = v.InferOutput<typeof grounds>;

const common = {
  schema: v.literal('compliance-agent/heal-request/v1'),
  /** Comes back in the result's details. */
  request_id: uuidv7,
};
/** What an act needs: the runbook that has this verb as its remedy, the baseline that says what is acted on, and why it may be. */
const act = {
  ...common,
  runbook: v.strictObject({ id: name, version, sha256: sha256Hex }),
  baseline_sha256: sha256Hex,
  grounds,
};
/** The act that is to be confirmed or undone: `run` as the result of the act named it. Needs no grounds of its own. */
const followUp = { ...common, verb: v.literal('restore-firewall'), run: nonceHex };

export const healRequestSchema = v.union([
  v.strictObject({ ...act, verb: v.literal('restart-unit'), what: v.picklist(RESTARTABLE) }),
  v.strictObject({ ...act, verb: v.literal('restore-firewall'), step: v.literal('restore') }),
  v.strictObject({ ...followUp, step: v.literal('confirm') }),
  v.strictObject({ ...followUp, step: v.literal('rollback') }),
  v.strictObject({ ...act, verb: v.literal('run-backup') }),
  v.strictObject({ ...act, verb: v.literal('restore-test') }),
  v.strictObject({ ...act, verb: v.literal('apply-update') }),
  /** The signed line of an order of the kind `update_system` or `reboot`, as it came: what it names is all that is done. */
  v.strictObject({
    ...common,
    verb: v.picklist(['apply-update', 'reboot']),
    order: v.pipe(v.string(), v.maxLength(MAX_ORDER_CHARACTERS)),
  }),
]);
export type HealRequest = v.InferOutput<typeof healRequestSchema>;
/** The requests that act by a runbook, and so need grounds. */
export type HealAct = Extract<HealRequest, { grounds: Grounds }>;
/** The requests that act by an order of a kind of its own. */
export type OrderedAct = Extract<HealRequest, { order: string }>;

/** The bytes of the file `request`. @throws helper_request_invalid */
export function encodeHealRequest(request: HealRequest): Buffer {
  return encodeStrict(fit(request));
}

/**
 * Reads the file `request`.
 *
 * @throws json_not_strict, json_too_large, json_too_deep; helper_request_invalid where it does not fit, or is of another verb
 */
export function parseHealRequest(bytes: Uint8Array, verb: HealVerb): HealRequest {
  const request = fit(parseStrict(bytes, { maxBytes: MAX_REQUEST_BYTES, place: 'request' }));
  if (request.verb !== verb) {
    throw new AgentError('helper_request_invalid', `the request is for ${request.verb}`, { place: 'request' });
  }
  return request;
}

function fit(value: unknown): HealRequest {
  const result = v.safeParse(healRequestSchema, value);
  if (result.success) return result.output;
  // Without what stands in it: whoever wrote it may be hostile.
  throw new AgentError('helper_request_invalid', 'the request does not fit compliance-agent/heal-request/v1', {
    place: 'request',
  });
}
