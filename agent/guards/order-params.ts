// What the params, targets and dry_run of each kind of order may be. Closed: what is not named here is refused.
import * as v from 'valibot';
import { declaredSystem } from '../wire/schemas/declared-system.ts';
import type { Order, OrderKind } from '../wire/schemas/order.ts';
import { id, int, name, plainObject, uuidv7, version } from '../wire/schemas/primitives.ts';
import { refuse, type Stop } from './order-verdict.ts';

/** What `collect_diagnostics` may collect: counts, states and versions that the agent knows of itself. */
export const DIAGNOSTIC_ITEMS = [
  'status',
  'versions',
  'trust',
  'queue',
  'clock',
  'disk',
  'findings',
  'orders',
] as const;
export type DiagnosticItem = (typeof DIAGNOSTIC_ITEMS)[number];

/** A pause of healing that names its length lasts at most this long. */
export const MAX_PAUSE_MINUTES = 7 * 24 * 60;

const distinct = (values: readonly unknown[]): boolean => new Set(values).size === values.length;
const none = v.strictObject({});

/** Schema of `params` by kind. */
export const ORDER_PARAMS = {
  /** Without `checks`: all of them. */
  run_check: v.strictObject({
    checks: v.optional(
      v.pipe(
        v.array(name),
        v.minLength(1),
        v.maxLength(64),
        v.check((checks) => distinct(checks), 'a check stands twice'),
      ),
    ),
  }),
  sync_content: none,
  collect_diagnostics: v.strictObject({
    items: v.pipe(
      v.array(v.picklist(DIAGNOSTIC_ITEMS)),
      v.minLength(1),
      v.maxLength(DIAGNOSTIC_ITEMS.length),
      v.check((items) => distinct(items), 'an item stands twice'),
    ),
  }),
  restart_agent: none,
  /** A pause without `minutes` lasts until it is lifted. */
  set_healing: v.variant('action', [
    v.strictObject({ action: v.literal('pause'), minutes: v.optional(int(1, MAX_PAUSE_MINUTES)) }),
    v.strictObject({ action: v.literal('enable') }),
    /** Gives one incident that is with people back to healing. */
    v.strictObject({ action: v.literal('rearm'), incident: uuidv7 }),
    /** Closes what stops one runbook: the breaker of the site, and the one of a rollback that failed. */
    v.strictObject({ action: v.literal('close_breaker'), runbook: name }),
  ]),
  retry_credentials: v.strictObject({ credential_id: id, credential_version: version }),
  /** Typed by the runbook itself, which execution judges. */
  run_runbook: plainObject,
  reboot: none,
  /** Exactly this system, and the agent that has to report from it. */
  update_system: declaredSystem,
  rotate_device_key: none,
  new_epoch: none,
} as const satisfies Record<OrderKind, v.GenericSchema>;

export type OrderParams<K extends OrderKind> = v.InferOutput<(typeof ORDER_PARAMS)[K]>;

const KNOWN_PARAMS: ReadonlySet<string> = new Set([
  'checks',
  'items',
  'action',
  'minutes',
  'incident',
  'runbook',
  'credential_id',
  'credential_version',
  'closure',
  'nar_hash',
  'agent_version',
]);

/** Kinds that may name targets. All others act on the appliance itself, so a target there would be ignored. */
const KINDS_WITH_TARGETS: ReadonlySet<OrderKind> = new Set(['run_check', 'run_runbook', 'retry_credentials']);

/** The params of an accepted order, typed by its kind. They were judged by the same schema at acceptance. */
export function paramsOf<K extends OrderKind>(kind: K, order: Pick<Order, 'params'>): OrderParams<K> {
  const schema: v.GenericSchema<unknown, unknown> = ORDER_PARAMS[kind];
  return v.parse(schema, order.params) as OrderParams<K>;
}

/** The step `params` of acceptance. */
export function judgeParams(order: Order): Stop | null {
  const schema: v.GenericSchema<unknown, unknown> = ORDER_PARAMS[order.kind];
  const result = v.safeParse(schema, order.params, { abortEarly: true });
  if (!result.success) {
    // A key that we do not know may be anything; only our own are named.
    const at = result.issues[0].path?.map(({ key }) => String(key)).filter((key) => KNOWN_PARAMS.has(key));
    return refuse('order_params_invalid', `${['params', ...(at ?? [])].join('.')} do not fit ${order.kind}`);
  }
  if (order.targets.length > 0 && !KINDS_WITH_TARGETS.has(order.kind)) {
    return refuse('order_targets_invalid', `${order.kind} takes no targets`);
  }
  if (!distinct(order.targets.map((target) => target.id))) {
    return refuse('order_targets_invalid', 'a target stands twice');
  }
  // Only runbooks have a plan to stop at: anything else would simply be done.
  if (order.dry_run && order.kind !== 'run_runbook') {
    return refuse('order_dry_run_unsupported', `${order.kind} has no dry run`);
  }
  return null;
}
