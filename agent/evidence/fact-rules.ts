// The facts that each check may put into an entry: field → rule. A check that is not named here may record numbers,
// booleans, digests, versions and closed words only. A test holds this table against what the checks declare.
import type { Rule } from './scrub-rules.ts';

type Rules = Readonly<Record<string, Rule>>;

const words = (...list: readonly string[]): Rule => ({ one_of: list });

const FILE_SYSTEM = words(
  ...['bcachefs', 'btrfs', 'cifs', 'erofs', 'exfat', 'ext2', 'ext3', 'ext4', 'f2fs', 'fuse', 'fuseblk', 'jfs', 'nfs'],
  ...[
    'nfs4',
    'ntfs3',
    'overlay',
    'ramfs',
    'reiserfs',
    'squashfs',
    'tmpfs',
    'vfat',
    'virtiofs',
    'xfs',
    'zfs',
    '9p',
    'other',
  ],
);
const UNREADABLE = words('missing_tool', 'denied', 'timeout', 'too_much_output', 'unparsable', 'stale', 'failed');
const DISTANCE = words('within', 'beyond', 'not_known');
const FILTER_POLICY = words('drop', 'accept', 'other');

/** What any check may say when it could not judge. */
const UNJUDGED: Rules = {
  expected: words('none', 'declared', 'not_declared'),
  baseline_signed: 'boolean',
};

const volume = (name: 'state' | 'root'): Rules => ({
  [`${name}_file_system`]: FILE_SYSTEM,
  [`${name}_fill`]: words('ok', 'high', 'critical'),
  [`${name}_free_mib`]: 'integer',
  [`${name}_inodes_used_percent`]: 'integer',
  [`${name}_read_only`]: 'boolean',
  [`${name}_total_mib`]: 'integer',
  [`${name}_used_percent`]: 'integer',
});

export const FACT_RULES: Readonly<Record<string, Rules>> = {
  disk: { ...UNJUDGED, ...volume('state'), ...volume('root'), unreadable_disk: UNREADABLE },
  clock: {
    ...UNJUDGED,
    source: words('chrony', 'timedatectl', 'timesyncd', 'none'),
    synchronized: 'boolean',
    offset: DISTANCE,
    offset_ms: 'integer',
    skew: DISTANCE,
    skew_ms: 'integer',
    stratum: 'integer',
    unreadable_clock: UNREADABLE,
  },
  firewall: {
    ...UNJUDGED,
    tables_sha256: 'digest',
    tables_declared: 'integer',
    tables_matching: 'integer',
    tables_missing: 'integer',
    tables_changed: 'integer',
    tables_undeclared: 'integer',
    input_policy: FILTER_POLICY,
    output_policy: FILTER_POLICY,
    forward_policy: FILTER_POLICY,
    listeners: { list: 'listener' },
    listeners_undeclared: { list: 'listener' },
    unreadable_firewall: UNREADABLE,
    unreadable_listeners: UNREADABLE,
  },
  self: {
    ...UNJUDGED,
    listeners: { list: 'listener' },
    runs_as_root: 'boolean',
    no_new_privileges: 'boolean',
    seccomp_filter: 'boolean',
    has_capabilities: 'boolean',
    core_dumps: 'boolean',
    debugger_signal: 'boolean',
    key_files: 'integer',
    key_files_missing: 'integer',
    key_files_exposed: 'integer',
    database: words('ok', 'damaged', 'not_read'),
    unreadable_self: UNREADABLE,
  },
};
