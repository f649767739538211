// The baseline: the declared desired state that checks judge by. Data; every threshold lives there.
import * as v from 'valibot';
import { int, name, sha256Hex, text, version } from '../wire/schemas/primitives.ts';
import { avEdrBaseline } from './baseline-av-edr.ts';
import { backupBaseline } from './baseline-backup.ts';
import { encryptionBaseline } from './baseline-encryption.ts';
import { loggingBaseline } from './baseline-logging.ts';
import { patchingBaseline } from './baseline-patching.ts';
import { parseDataFile } from './data-file.ts';
import { MAX_RULESET_CHARACTERS, rulesetProblem } from './declared-ruleset.ts';
import { expectedNone } from './expected-none.ts';

const percent = int(1, 100);
/** One leap second is seen as 1,000; a day is not a skew but a wrong clock all the same. */
const milliseconds = int(1, 86_400_000);

const listener = v.strictObject({
  protocol: v.picklist(['tcp', 'udp']),
  /** `any`: every address; `loopback`: this machine only; `address`: one address of the machine. */
  scope: v.picklist(['any', 'loopback', 'address']),
  port: int(1, 65_535),
});
export type DeclaredListener = v.InferOutput<typeof listener>;
const listeners = v.pipe(v.array(listener), v.maxLength(256));

const volume = v.strictObject({
  /** Fails from this fill level on, of space or of inodes. */
  used_percent: percent,
  /** Is critical from here on. */
  critical_percent: percent,
  /** Fails below this much free space. */
  free_mib: int(0, 1_000_000_000),
  /** File systems that lose what is written (tmpfs) have no place under evidence. */
  refused_file_systems: v.pipe(v.array(v.pipe(v.string(), v.regex(/^[a-z0-9._-]{1,32}$/))), v.maxLength(32)),
});
export type VolumeBaseline = v.InferOutput<typeof volume>;

const disk = v.strictObject({ expected: v.literal('declared'), state: volume, root: volume });
export type DiskBaseline = v.InferOutput<typeof disk>;

const clock = v.strictObject({
  expected: v.literal('declared'),
  /** Where false, being near the signed time is enough. */
  ntp_required: v.boolean(),
  offset_ms: milliseconds,
  skew_ms: milliseconds,
});
export type ClockBaseline = v.InferOutput<typeof clock>;

const policy = v.picklist(['drop', 'accept', 'any']);
const firewallFields = v.strictObject({
  expected: v.literal('declared'),
  default_policy: v.strictObject({ input: policy, output: policy, forward: policy }),
  tables: v.pipe(
    v.array(
      v.strictObject({
        family: v.picklist(['inet', 'ip', 'ip6', 'arp', 'bridge', 'netdev']),
        name: v.pipe(v.string(), v.regex(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/, 'must be a table name')),
        /** Of its normal form (`compliance-agent facts firewall`). `none`: not settled yet, so never a pass. */
        sha256: v.union([sha256Hex, v.literal('none')], 'must be 64 lower-case hex digits, or none'),
      }),
    ),
    v.maxLength(64),
  ),
  undeclared_tables: v.picklist(['fail', 'allow']),
  /** `required`: what opens the egress table has to do so again and again (docs/egress.md). Absent: not judged. */
  egress_refresh: v.optional(v.literal('required')),
  /** nft(8): the declared tables, as they are loaded again where they were changed. Absent: nobody restores them but people. */
  ruleset: v.optional(v.pipe(v.string(), v.maxLength(MAX_RULESET_CHARACTERS))),
  listeners: v.lazy((given) => (given === 'any' ? v.literal('any') : listeners)),
});
const firewall = v.pipe(
  firewallFields,
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed || dataset.value.ruleset === undefined) return;
    const problem = rulesetProblem(dataset.value.ruleset, dataset.value.tables);
    if (problem !== null) addIssue({ message: `ruleset ${problem}` });
  }),
);
export type FirewallBaseline = v.InferOutput<typeof firewall>;

const self = v.strictObject({
  expected: v.literal('declared'),
  listeners,
  root_allowed: v.boolean(),
  capabilities_allowed: v.boolean(),
  core_dumps_allowed: v.boolean(),
  debugger_signal_allowed: v.boolean(),
  no_new_privileges_required: v.boolean(),
  seccomp_filter_required: v.boolean(),
  /**
   * The certificate towards Central Command is renewed at two thirds of its life. Where less than this part of it is left, that failed;
   * left out: not judged.
   */
  certificate_percent_left: v.optional(int(1, 32)),
});
export type SelfBaseline = v.InferOutput<typeof self>;

const baselineSchema = v.strictObject({
  schema: v.literal('compliance-agent/baseline/v1'),
  id: name,
  version,
  title: text(120),
  /** A check that is not named here is `unknown`: forgetting one must not look like a pass. */
  checks: v.strictObject({
    clock: v.optional(v.variant('expected', [clock, expectedNone])),
    disk: v.optional(v.variant('expected', [disk, expectedNone])),
    firewall: v.optional(v.variant('expected', [firewall, expectedNone])),
    self: v.optional(v.variant('expected', [self, expectedNone])),
    av_edr: v.optional(v.variant('expected', [avEdrBaseline, expectedNone])),
    backup: v.optional(v.variant('expected', [backupBaseline, expectedNone])),
    encryption: v.optional(v.variant('expected', [encryptionBaseline, expectedNone])),
    logging: v.optional(v.variant('expected', [loggingBaseline, expectedNone])),
    patching: v.optional(v.variant('expected', [patchingBaseline, expectedNone])),
  }),
});
type BaselineFile = v.InferOutput<typeof baselineSchema>;

export interface LoadedBaseline {
  readonly id: string;
  readonly version: number;
  readonly title: string;
  /** Of the file's bytes; what a signed content list names. */
  readonly sha256: string;
  readonly checks: BaselineFile['checks'];
}

/**
 * Reads `runbooks/baselines/*.yaml`.
 *
 * @throws baseline_invalid with every mistake and its line
 */
export function parseBaseline(bytes: Uint8Array, place: string): LoadedBaseline {
  const { value, sha256 } = parseDataFile(bytes, place, baselineSchema, 'baseline_invalid');
  return { id: value.id, version: value.version, title: value.title, checks: value.checks, sha256 };
}
