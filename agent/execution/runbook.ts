// `runbook.yaml`: what a runbook reads and changes, how dangerous it is, how it is verified and undone. Strict: a key that is
// missing or not known is refused with its line (docs/formats/runbook.md).
import * as v from 'valibot';
import { parseDataFile } from '../checks/data-file.ts';
import { WINDOWS_ROLES, type RunbookParams } from '../checks/windows/windows-check.ts';
import { int, isObject, name, text, version, type OrderClass } from '../wire/schemas/primitives.ts';

/** A Windows build number (10.0.BUILD). */
const build = int(7_600, 99_999);
const sentences = v.pipe(v.array(text(300)), v.maxLength(32));
const reason = text(400);
/** A run is given up after half an hour: no target credential is kept longer than an hour. */
const seconds = int(1, 1_800);

const param = v.variant('type', [
  v.pipe(
    v.strictObject({
      type: v.literal('integer'),
      min: int(-2_147_483_648, 2_147_483_647),
      max: int(-2_147_483_648, 2_147_483_647),
      default: int(-2_147_483_648, 2_147_483_647),
      why: text(300),
    }),
    v.check((p) => p.min <= p.default && p.default <= p.max, 'the default must lie between min and max'),
  ),
  v.strictObject({ type: v.literal('boolean'), default: v.boolean(), why: text(300) }),
  v.pipe(
    v.strictObject({
      type: v.literal('choice'),
      values: v.pipe(v.array(name), v.minLength(1), v.maxLength(32)),
      default: name,
      why: text(300),
    }),
    v.check((p) => p.values.includes(p.default), 'the default must be one of values'),
  ),
  v.strictObject({
    type: v.literal('names'),
    max: int(0, 64),
    default: v.pipe(v.array(v.pipe(v.string(), v.regex(/^[A-Za-z0-9{][A-Za-z0-9_.{}-]{0,63}$/))), v.maxLength(64)),
    why: text(300),
  }),
]);
export type RunbookParam = v.InferOutput<typeof param>;

/** An object of params by name; `v.record` alone would take a list. */
const params = v.pipe(
  v.custom<Record<string, unknown>>(isObject, 'must be params by name'),
  v.record(v.pipe(v.string(), v.regex(/^[a-z][a-z0-9_]{0,63}$/, 'must be a name like max_age_days')), param),
  v.check((given) => Object.keys(given).length <= 32, 'must be at most 32 params'),
);

/** A fact that a look saw, and what it has to be. */
const seenFact = {
  /** A key of the facts, or keys joined by dots where parts lie in parts. */
  fact: v.pipe(v.string(), v.regex(/^[a-z][a-z0-9_]{0,63}(?:\.[a-z][a-z0-9_]{0,63}){0,3}$/)),
  is: v.union([v.boolean(), int(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER), name]),
};
/** Holds, or nothing is changed: judged against the facts that detect saw. */
const precondition = v.strictObject({ ...seenFact, why: text(300) });
export type Precondition = v.InferOutput<typeof precondition>;

const byScript = v.strictObject({ by: v.literal('script') });
const byCheck = v.strictObject({ by: v.literal('check') });
/** What changes nothing by itself, and why. */
const byNobody = v.strictObject({ by: v.literal('none'), reason });
/** Verbs of the privileged helpers; their arguments come from the signed baseline. */
const verb = v.picklist(['restart-unit', 'apply-update', 'restore-firewall', 'run-backup', 'restore-test']);
export type RunbookVerb = v.InferOutput<typeof verb>;
const byVerb = v.strictObject({ by: v.literal('verb'), verb, arguments: v.pipe(v.array(name), v.maxLength(8)) });

const verifyTimes = {
  /** A healed machine has to look healed within this time of the change. */
  within_s: seconds,
  /** It then still has to look so after this time; 0: one look is enough. */
  stable_for_s: int(0, 1_800),
};

const common = {
  schema: v.literal('compliance-agent/runbook/v1'),
  id: v.pipe(name, v.regex(/^RB-(?:WIN|APP)-[A-Z]+-[0-9]{3}$/, 'must be an id like RB-WIN-AV-001')),
  version,
  title: text(120),
  /** Id of the check that judges what detect and verify saw. */
  check: name,
  reads: v.pipe(sentences, v.minLength(1)),
  changes: sentences,
  risk: v.picklist(['low', 'medium', 'high']),
  disruptive: v.boolean(),
  reboot: v.picklist(['no', 'maybe', 'yes']),
  preconditions: v.pipe(v.array(precondition), v.maxLength(16)),
  params,
  /** Of one phase, connecting included. */
  timeout_s: seconds,
  /** Between two remediations of one target. */
  cooldown_s: int(300, 604_800),
  /** Remediations of one target per incident. */
  max_attempts: int(1, 3),
  /** `maintenance`: changes inside the site's window only. */
  window: v.picklist(['any', 'maintenance']),
  controls: v.pipe(
    v.array(v.strictObject({ map: name, cite: text(60), role: v.picklist(['primary', 'supporting']) })),
    v.minLength(1),
    v.maxLength(16),
  ),
};

const windowsRunbook = v.strictObject({
  ...common,
  platform: v.literal('windows'),
  applies_if: v.strictObject({
    role: v.pipe(v.array(v.picklist(WINDOWS_ROLES)), v.minLength(1), v.maxLength(3)),
    os_build: v.strictObject({ min: build, max: v.optional(build) }),
  }),
  dry_run: v.picklist(['full', 'partial', 'none']),
  /** What one phase may use on the target; beyond it the run is given up and its finding is `unknown`. */
  budget: v.strictObject({ cpu_s: int(1, 600), output_kib: int(1, 16_384) }),
  detect: byScript,
  remediate: v.variant('by', [
    v.strictObject({
      by: v.literal('script'),
      /** The change undoes itself on the target unless it is confirmed over a new connection within this time. */
      confirm_within_s: v.optional(int(60, 600)),
    }),
    byNobody,
  ]),
  verify: v.strictObject({ by: v.literal('script'), ...verifyTimes }),
  rollback: v.variant('how', [
    /** `facts`: from what detect saw. `target`: from what remediate saved on the target itself. */
    v.strictObject({ how: v.literal('script'), snapshot: v.picklist(['facts', 'target']) }),
    v.strictObject({ how: v.literal('none'), reason }),
  ]),
});

/** No scripts: the appliance's own checks look, and a privileged helper changes. */
const applianceRunbook = v.strictObject({
  ...common,
  platform: v.literal('appliance'),
  applies_if: v.strictObject({ role: v.tuple([v.literal('appliance')]) }),
  dry_run: v.picklist(['partial', 'none']),
  detect: byCheck,
  remediate: v.variant('by', [byVerb, byNobody]),
  verify: v.strictObject({
    by: v.literal('check'),
    ...verifyTimes,
    /** What the check has to see, where it judges more than this runbook mends; absent: it has to pass. */
    holds: v.optional(v.pipe(v.array(v.strictObject(seenFact)), v.minLength(1), v.maxLength(16))),
  }),
  rollback: v.variant('how', [
    v.strictObject({ how: v.literal('verb'), verb }),
    v.strictObject({ how: v.literal('none'), reason }),
  ]),
});

export const runbookSchema = v.variant('platform', [windowsRunbook, applianceRunbook]);
export type Runbook = v.InferOutput<typeof runbookSchema>;
export type WindowsRunbook = Extract<Runbook, { platform: 'windows' }>;
export type ApplianceRunbook = Extract<Runbook, { platform: 'appliance' }>;

export const SCRIPT_FILES = ['detect.ps1', 'remediate.ps1', 'verify.ps1', 'rollback.ps1'] as const;
export type ScriptFile = (typeof SCRIPT_FILES)[number];

/** The scripts that a runbook's folder holds: exactly these. */
export function scriptsOf(runbook: Runbook): readonly ScriptFile[] {
  if (runbook.platform === 'appliance') return [];
  return SCRIPT_FILES.filter(
    (file) =>
      file === 'detect.ps1' ||
      file === 'verify.ps1' ||
      (file === 'remediate.ps1' && runbook.remediate.by === 'script') ||
      (file === 'rollback.ps1' && runbook.rollback.how === 'script'),
  );
}

/** The class of order that may run it with its remediation; detect and dry runs of it count the same (docs/formats/runbook.md). */
export function classOfRunbook(runbook: Runbook): OrderClass {
  if (runbook.disruptive) return 'disruptive';
  return runbook.remediate.by === 'none' ? 'read' : 'routine';
}

/** The defaults of all params. */
export function defaultParams(runbook: Pick<Runbook, 'params'>): RunbookParams {
  return Object.fromEntries(Object.entries(runbook.params).map(([key, { default: value }]) => [key, value]));
}

/**
 * Reads a `runbook.yaml`.
 *
 * @throws runbook_invalid with every mistake and its line
 */
export function parseRunbook(bytes: Uint8Array, place: string): Runbook {
  return parseDataFile(bytes, place, runbookSchema, 'runbook_invalid').value;
}
