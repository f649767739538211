// Does every volume that holds data lie on a LUKS volume as declared, with a way back in?
import type { EncryptedVolume, EncryptionFacts } from '../facts/encryption.ts';
import type { LuksHeader } from '../facts/luks-header.ts';
import type { EncryptionBaseline } from './baseline-encryption.ts';
import { conclude, declaredOr, judged, readOr, type Check, type JudgedFacts, type Problem } from './check.ts';

interface Part {
  readonly problems: readonly Problem[];
  readonly unknowns: readonly string[];
  readonly facts: JudgedFacts;
}

const isIgnored = (volume: EncryptedVolume, declared: EncryptionBaseline): boolean =>
  volume.mountPoints.length > 0 && volume.mountPoints.every((point) => declared.ignored_mounts.includes(point));

/** Swap under a key that is thrown away at each start has no header, and needs none. */
const isEncrypted = (volume: EncryptedVolume): boolean =>
  volume.protection === 'luks' || (volume.protection === 'other_crypt' && volume.use === 'swap');

function judgeVolumes(volumes: readonly EncryptedVolume[], ignored: number): Part {
  const clear = volumes.filter((volume) => volume.protection === 'clear').length;
  const encrypted = volumes.filter(isEncrypted).length;
  const unidentified = volumes.length - clear - encrypted;
  const facts = {
    volumes: volumes.length,
    volumes_encrypted: encrypted,
    volumes_clear: clear,
    volumes_unidentified: unidentified,
    volumes_ignored: ignored,
  };
  const problems: Problem[] = [
    {
      sentence: `${clear} of ${volumes.length} volumes lie on a disk in clear`,
      remedy: 'move the data to an encrypted volume, then wipe the old one',
      severity: 'critical',
    },
  ];
  const unknowns = [
    ...(unidentified > 0 ? [`it could not be found out on what ${unidentified} of ${volumes.length} volumes lie`] : []),
    ...(volumes.length === 0 ? ['no volume that holds data was found'] : []),
  ];
  return { problems: clear > 0 ? problems : [], unknowns, facts };
}

function headerProblems(headers: readonly LuksHeader[], declared: EncryptionBaseline): Problem[] {
  const rules: readonly [(header: LuksHeader) => boolean, string, string, Problem['severity']][] = [
    [
      (h) => !declared.luks_versions.includes(h.version),
      'have a LUKS version that is not declared',
      'convert the header with cryptsetup convert',
      'medium',
    ],
    [
      (h) => !declared.ciphers.includes(h.cipher),
      'use a cipher that is not declared',
      're-encrypt with a declared cipher',
      'high',
    ],
    [
      (h) => h.keyBits < declared.key_bits,
      `have a key of less than ${declared.key_bits} bits`,
      're-encrypt with a longer key',
      'high',
    ],
    [
      (h) => h.recoverySlots < declared.recovery_slots,
      `have fewer recovery slots than ${declared.recovery_slots}`,
      'add a recovery key with systemd-cryptenroll, and keep it off this machine',
      'high',
    ],
    [
      (h) => h.keySlots > declared.key_slots_max,
      `have more key slots than ${declared.key_slots_max}`,
      'find out whose they are, and wipe those that nobody needs',
      'medium',
    ],
    [
      (h) => declared.tpm2_required && !h.tpm2,
      'are not bound to the TPM of this machine',
      'bind them to it with systemd-cryptenroll',
      'medium',
    ],
  ];
  return rules.flatMap(([isBroken, what, remedy, severity]) => {
    const broken = headers.filter(isBroken).length;
    return broken === 0 ? [] : [{ sentence: `${broken} of ${headers.length} LUKS headers ${what}`, remedy, severity }];
  });
}

function judgeHeaders(read: EncryptionFacts, volumes: readonly EncryptedVolume[], declared: EncryptionBaseline): Part {
  const wanted = new Set(volumes.flatMap((volume) => volume.headers));
  const readings = [...wanted].map((device) => read.headers.find((one) => one.device === device)?.header ?? 'unread');
  const headers = readings.filter((reading): reading is LuksHeader => typeof reading === 'object');
  const damaged = readings.filter((reading) => reading === 'damaged').length;
  const unread = readings.length - headers.length - damaged;
  const least = (values: number[]): number | null => (values.length === 0 ? null : Math.min(...values));
  const facts = {
    headers: readings.length,
    headers_damaged: damaged,
    headers_unread: unread,
    headers_luks1: headers.filter((h) => h.version === 1).length,
    headers_tpm2: headers.filter((h) => h.tpm2).length,
    ciphers_undeclared: headers.filter((h) => !declared.ciphers.includes(h.cipher)).length,
    key_bits_least: least(headers.map((h) => h.keyBits)),
    key_slots_most: headers.length === 0 ? null : Math.max(...headers.map((h) => h.keySlots)),
    recovery_slots_least: least(headers.map((h) => h.recoverySlots)),
  };
  const broken: Problem = {
    sentence: `${damaged} of ${readings.length} LUKS headers are damaged: the volume may not open again`,
    remedy: 'copy the data while it is open, and run cryptsetup repair',
    severity: 'critical',
  };
  return {
    problems: [...(damaged > 0 ? [broken] : []), ...headerProblems(headers, declared)],
    unknowns: unread > 0 ? [`${unread} of ${readings.length} LUKS headers could not be read`] : [],
    facts,
  };
}

export const encryptionCheck: Check = {
  id: 'encryption',
  version: 1,
  title: 'Every volume that holds data is encrypted, with a recovery key',
  cadenceS: 3_600,
  probes: ['encryption'],
  factKeys: {
    volumes: judged('integer'),
    volumes_encrypted: judged('integer'),
    volumes_clear: judged('integer'),
    volumes_unidentified: judged('integer'),
    volumes_ignored: judged('integer'),
    headers: judged('integer'),
    headers_damaged: judged('integer'),
    headers_unread: judged('integer'),
    headers_luks1: judged('integer'),
    headers_tpm2: judged('integer'),
    ciphers_undeclared: judged('integer'),
    key_bits_least: judged('integer'),
    key_slots_most: judged('integer'),
    recovery_slots_least: judged('integer'),
  },
  judge({ facts, baseline }) {
    const baselineOr = declaredOr(baseline, 'encryption');
    if ('judgement' in baselineOr) return baselineOr.judgement;
    const { declared } = baselineOr;
    const read = readOr(facts, 'encryption', 'the encryption of the volumes');
    if ('judgement' in read) return read.judgement;
    const volumes = read.value.volumes.filter((volume) => !isIgnored(volume, declared));
    const parts = [
      judgeVolumes(volumes, read.value.volumes.length - volumes.length),
      judgeHeaders(read.value, volumes, declared),
    ];
    return conclude({
      problems: parts.flatMap((p) => p.problems),
      unknowns: parts.flatMap((p) => p.unknowns),
      passSentence: `all ${volumes.length} volumes that hold data are encrypted, and their LUKS headers are as declared`,
      facts: Object.assign({}, ...parts.map((p) => p.facts)) as JudgedFacts,
    });
  },
};
