// Is there room for evidence, and can it be written?
import type { VolumeFacts } from '../facts/disk.ts';
import type { VolumeBaseline } from './baseline.ts';
import { conclude, declaredOr, judged, measured, readOr } from './check.ts';
import type { Check, FactKey, JudgedFacts, Problem } from './check.ts';

type Fill = 'ok' | 'high' | 'critical';
type VolumeName = 'state' | 'root';
const TITLE: Readonly<Record<VolumeName, string>> = { state: 'the state volume', root: 'the root volume' };

function fillOf(volume: VolumeFacts, limits: VolumeBaseline): Fill {
  const used = Math.max(volume.usedPercent, volume.inodesUsedPercent ?? 0);
  if (used >= limits.critical_percent) return 'critical';
  return used >= limits.used_percent || volume.freeMib < limits.free_mib ? 'high' : 'ok';
}

/** What evidence may name (evidence/fact-rules.ts holds the same words); a rare one is `other`. */
const FILE_SYSTEMS = new Set(
  (
    'bcachefs btrfs cifs erofs exfat ext2 ext3 ext4 f2fs fuse fuseblk jfs nfs nfs4 ntfs3 overlay ramfs reiserfs ' +
    'squashfs tmpfs vfat virtiofs xfs zfs 9p'
  ).split(' '),
);

function fileSystem(volume: VolumeFacts): string {
  return FILE_SYSTEMS.has(volume.fsType) ? volume.fsType : 'other';
}

function factsOf(name: VolumeName, volume: VolumeFacts, limits: VolumeBaseline): JudgedFacts {
  return {
    [`${name}_file_system`]: fileSystem(volume),
    [`${name}_fill`]: fillOf(volume, limits),
    [`${name}_free_mib`]: volume.freeMib,
    [`${name}_inodes_used_percent`]: volume.inodesUsedPercent,
    [`${name}_read_only`]: volume.readOnly,
    [`${name}_total_mib`]: volume.totalMib,
    [`${name}_used_percent`]: volume.usedPercent,
  };
}

function problemsOf(name: VolumeName, volume: VolumeFacts, limits: VolumeBaseline): Problem[] {
  const problems: Problem[] = [];
  const title = TITLE[name];
  if (volume.readOnly) {
    problems.push({
      sentence: `${title} is read-only`,
      remedy: 'check the disk and its kernel messages, then mount it read-write',
      severity: 'critical',
    });
  }
  if (limits.refused_file_systems.includes(volume.fsType)) {
    problems.push({
      sentence: `${title} is a ${fileSystem(volume)}, which the baseline refuses here`,
      remedy: 'put the state directory on a file system that survives a restart',
      severity: 'critical',
    });
  }
  const fill = fillOf(volume, limits);
  if (fill !== 'ok') {
    const inodes = volume.inodesUsedPercent === null ? '' : `, ${volume.inodesUsedPercent} % of its inodes`;
    problems.push({
      sentence: `${title} is ${volume.usedPercent} % full${inodes}, ${volume.freeMib} MiB free`,
      remedy: 'free space, or give the volume more',
      severity: fill === 'critical' ? 'critical' : 'medium',
    });
  }
  return problems;
}

const keysOf = (name: VolumeName): Record<string, FactKey> => ({
  [`${name}_file_system`]: judged('name'),
  [`${name}_fill`]: judged('name'),
  [`${name}_free_mib`]: measured('integer'),
  [`${name}_inodes_used_percent`]: measured('integer'),
  [`${name}_read_only`]: judged('boolean'),
  [`${name}_total_mib`]: measured('integer'),
  [`${name}_used_percent`]: measured('integer'),
});

export const diskCheck: Check = {
  id: 'disk',
  version: 1,
  title: 'Room for evidence, on a disk that can be written',
  cadenceS: 300,
  probes: ['disk'],
  factKeys: { ...keysOf('state'), ...keysOf('root') },
  judge({ facts, baseline }) {
    const baselineOr = declaredOr(baseline, 'disk');
    if ('judgement' in baselineOr) return baselineOr.judgement;
    const { declared } = baselineOr;
    const read = readOr(facts, 'disk', 'the disks');
    if ('judgement' in read) return read.judgement;
    const { state, root } = read.value;
    return conclude({
      problems: [...problemsOf('state', state, declared.state), ...problemsOf('root', root, declared.root)],
      unknowns: [],
      passSentence: `the state volume is ${state.usedPercent} % full with ${state.freeMib} MiB free, the root volume ${root.usedPercent} %, and both can be written`,
      facts: { ...factsOf('state', state, declared.state), ...factsOf('root', root, declared.root) },
    });
  },
};
