// Is every fixed volume that holds data encrypted by BitLocker as expected, with a way back in that somebody keeps?
import * as v from 'valibot';
import { conclude, judged, type JudgedFacts, type Problem } from '../check.ts';
import { count, int } from '../../wire/schemas/primitives.ts';
import { choice, factName, judgeMachine, machineFacts, MACHINE_KEYS, names } from './machine-facts.ts';
import { windowsCheck, type RunbookParams } from './windows-check.ts';

/** Numbers of Win32_EncryptableVolume (learn.microsoft.com/windows/win32/secprov/win32-encryptablevolume). */
const PROTECTION = { off: 0, on: 1 } as const;
const FULLY_ENCRYPTED = 1;
/** GetEncryptionMethod; the number 4294967295 says "unknown". */
const METHODS: Readonly<Record<number, string>> = {
  1: 'aes_128_diffuser',
  2: 'aes_256_diffuser',
  3: 'aes_128',
  4: 'aes_256',
  5: 'hardware',
  6: 'xts_aes_128',
  7: 'xts_aes_256',
};
/** GetKeyProtectorType: what unlocks the volume of Windows by the TPM, alone or with something else; 9 is a TPM certificate. */
const TPM_PROTECTORS = [1, 4, 5, 6, 9];
const RECOVERY_PASSWORD = 3;

const volume = v.strictObject({
  kind: v.picklist(['os', 'data']),
  file_system: factName,
  encryptable: v.boolean(),
  bitlocker: v.nullable(
    v.strictObject({
      protection: int(0, 2),
      conversion: int(0, 5),
      method: int(-1, 4_294_967_295),
      protectors: v.pipe(v.array(int(0, 10)), v.maxLength(64)),
    }),
  ),
});
type Volume = v.InferOutput<typeof volume>;

const factsSchema = v.strictObject({
  ...machineFacts,
  bitlocker: v.picklist(['present', 'not_installed', 'unread']),
  volumes: v.nullable(v.pipe(v.array(volume), v.maxLength(256))),
  other_volumes: count,
  escrow: v.strictObject({
    directory: v.picklist(['asked', 'not_asked', 'not_reached']),
    recovery_passwords: count,
    in_directory: count,
    policy: v.nullable(v.strictObject({ os_required: v.boolean(), data_required: v.boolean() })),
  }),
});
type Facts = v.InferOutput<typeof factsSchema>;

interface Part {
  readonly problems: readonly Problem[];
  readonly unknowns: readonly string[];
  readonly facts: JudgedFacts;
}

type State = 'protected' | 'clear' | 'suspended' | 'converting' | 'locked' | 'not_read';

/** Protection off on an encrypted volume means that its key lies in clear beside it. */
function stateOf({ encryptable, bitlocker }: Volume, installed: boolean): State {
  if (!installed || !encryptable) return 'clear';
  if (bitlocker === null) return 'not_read';
  if (bitlocker.protection === PROTECTION.on) return 'protected';
  if (bitlocker.protection !== PROTECTION.off) return 'locked';
  if (bitlocker.conversion === FULLY_ENCRYPTED) return 'suspended';
  return bitlocker.conversion === 0 ? 'clear' : 'converting';
}

function judgeVolumes(volumes: readonly Volume[], installed: boolean): Part {
  const states = volumes.map((one) => stateOf(one, installed));
  const of = (state: State): number => states.filter((one) => one === state).length;
  const total = volumes.length;
  const found: readonly [State, string, string, Problem['severity']][] = [
    [
      'clear',
      'are not encrypted',
      'have somebody plan BitLocker for them; nothing here switches it on by itself',
      'critical',
    ],
    ['suspended', 'are encrypted with the key beside them in clear', 'resume the protection of BitLocker', 'critical'],
    ['converting', 'are only partly encrypted', 'let the encryption end, or find out who stopped it', 'high'],
  ];
  const problems = found.flatMap(([state, what, remedy, severity]) =>
    of(state) === 0 ? [] : [{ sentence: `${of(state)} of ${total} fixed volumes ${what}`, remedy, severity }],
  );
  const locked = of('locked');
  const notRead = of('not_read');
  return {
    problems,
    unknowns: [
      ...(locked > 0
        ? [`${locked} of ${total} fixed volumes are locked, and do not say whether they are protected`]
        : []),
      ...(notRead > 0 ? [`${notRead} of ${total} fixed volumes could not be asked`] : []),
      ...(total === 0 ? ['no fixed volume that holds data was found'] : []),
    ],
    facts: {
      volumes: total,
      volumes_protected: of('protected'),
      volumes_clear: of('clear'),
      volumes_suspended: of('suspended'),
      volumes_converting: of('converting'),
      volumes_locked: locked,
    },
  };
}

function judgeKeys(volumes: readonly Volume[], params: RunbookParams): Part {
  const read = volumes.flatMap(({ kind, bitlocker }) => (bitlocker === null ? [] : [{ kind, ...bitlocker }]));
  const encrypted = read.filter(({ method }) => method !== 0);
  const allowed = names(params, 'methods');
  const methods = encrypted.filter(({ method }) => !allowed.includes(METHODS[method] ?? 'other')).length;
  const noRecovery = encrypted.filter(({ protectors }) => !protectors.includes(RECOVERY_PASSWORD)).length;
  const noTpm = encrypted.filter(
    ({ kind, protectors }) => kind === 'os' && !protectors.some((type) => TPM_PROTECTORS.includes(type)),
  ).length;
  const problems: Problem[] = [];
  if (methods > 0) {
    const remedy = 'plan to encrypt them again with an allowed method';
    problems.push({ sentence: `${methods} volumes use a method that is not allowed`, remedy, severity: 'medium' });
  }
  if (noRecovery > 0) {
    const remedy = 'add a recovery password, and keep it off this machine';
    problems.push({ sentence: `${noRecovery} volumes have no recovery password`, remedy, severity: 'high' });
  }
  if (noTpm > 0) {
    const remedy = 'add a key protector that the TPM keeps';
    problems.push({ sentence: 'the volume of Windows is not bound to the TPM', remedy, severity: 'medium' });
  }
  return {
    problems,
    unknowns: [],
    facts: { methods_not_allowed: methods, without_recovery_password: noRecovery, without_tpm: noTpm },
  };
}

/** `directory`: the directory holds every recovery password. `policy`: or a policy refuses encryption without that. */
function judgeEscrow({ escrow, volumes }: Facts, params: RunbookParams): Part {
  const wanted = choice(params, 'escrow');
  const { directory, policy, recovery_passwords: all, in_directory: kept } = escrow;
  const data = (volumes ?? []).some(({ kind }) => kind === 'data');
  const isRequired = policy !== null && policy.os_required && (!data || policy.data_required);
  const state =
    all === 0
      ? 'nothing_to_keep'
      : directory === 'asked' && kept >= all
        ? 'in_directory'
        : directory === 'asked'
          ? 'missing'
          : isRequired
            ? 'by_policy'
            : 'not_proven';
  const facts = {
    escrow: state,
    recovery_passwords: all,
    recovery_passwords_in_directory: directory === 'asked' ? kept : null,
  };
  if (wanted === 'none' || state === 'nothing_to_keep' || state === 'in_directory')
    return { problems: [], unknowns: [], facts };
  if (state === 'missing') {
    const sentence = `the directory holds ${kept} of ${all} recovery passwords`;
    return {
      problems: [{ sentence, remedy: 'back the recovery passwords up to the directory', severity: 'high' }],
      unknowns: [],
      facts,
    };
  }
  if (state === 'by_policy' && wanted === 'policy') return { problems: [], unknowns: [], facts };
  const why =
    directory === 'not_reached' ? 'the directory could not be asked from there' : 'nothing there can ask the directory';
  return { problems: [], unknowns: [`nothing proves that somebody keeps the recovery passwords: ${why}`], facts };
}

const NOT_JUDGED: Part = { problems: [], unknowns: [], facts: {} };

export const encryptionWindowsCheck = windowsCheck({
  id: 'windows_encryption',
  runbook: 'RB-WIN-ENCRYPTION-001',
  version: 1,
  title: 'Every fixed volume encrypted by BitLocker, with recovery passwords that somebody keeps',
  cadenceS: 21_600,
  factsSchema,
  factKeys: {
    ...MACHINE_KEYS,
    bitlocker: judged('name'),
    volumes: judged('integer'),
    volumes_protected: judged('integer'),
    volumes_clear: judged('integer'),
    volumes_suspended: judged('integer'),
    volumes_converting: judged('integer'),
    volumes_locked: judged('integer'),
    methods_not_allowed: judged('integer'),
    without_recovery_password: judged('integer'),
    without_tpm: judged('integer'),
    escrow: judged('name'),
    recovery_passwords: judged('integer'),
    recovery_passwords_in_directory: judged('integer'),
  },
  judge(input) {
    const { facts, params } = input;
    const machine = judgeMachine(input);
    const common = { ...machine.facts, bitlocker: facts.bitlocker };
    if (choice(params, 'encrypted_by') === 'elsewhere') {
      const sentence =
        'the volumes of this machine are encrypted from outside it, as its parameters say: nothing to see from within';
      return { result: 'not_applicable', severity: 'info', sentence, facts: common };
    }
    const { volumes } = facts;
    const isKnown = volumes !== null && facts.bitlocker !== 'unread';
    const installed = facts.bitlocker === 'present';
    const parts = isKnown
      ? [
          judgeVolumes(volumes, installed),
          ...(installed ? [judgeKeys(volumes, params), judgeEscrow(facts, params)] : []),
        ]
      : [NOT_JUDGED];
    const missing: Problem[] =
      isKnown && !installed
        ? [{ sentence: 'BitLocker is not installed', remedy: 'add the feature BitLocker', severity: 'critical' }]
        : [];
    return conclude({
      problems: [...missing, ...parts.flatMap((part) => part.problems)],
      unknowns: [
        ...machine.unknowns,
        ...(isKnown || machine.unknowns.length > 0 ? [] : ['the volumes of this machine were not read']),
        ...parts.flatMap((part) => part.unknowns),
      ],
      passSentence: `BitLocker protects all ${volumes?.length ?? 0} fixed volumes, each with a recovery password`,
      facts: Object.assign({}, common, ...parts.map((part) => part.facts)) as JudgedFacts,
    });
  },
});
