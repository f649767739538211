// RB-WIN-ENCRYPTION-001: what BitLocker says of fixed volumes. It only tells; nothing here is ever healed.
import type { Json, LabState, Scenario, ScenarioBook } from '../scenario.ts';

const NOW = '2026-11-20T10:00:00Z';
const PASSWORDS = ['{11111111-1111-4111-8111-111111111111}', '{22222222-2222-4222-8222-222222222222}'] as const;

interface Volume {
  readonly [key: string]: Json;
}

const fve = (protectors: Readonly<Record<string, number>>, other: Readonly<Record<string, Json>> = {}): Json => ({
  protection: 1,
  conversion: 1,
  method: 7,
  locked: false,
  protectors,
  ...other,
});

const volume = (id: string, letter: string | null, other: Readonly<Record<string, Json>>): Volume => ({
  id: `\\\\?\\Volume{${id}}\\`,
  letter,
  name: letter === null ? `\\\\?\\Volume{${id}}\\` : `${letter}\\`,
  drive_type: 3,
  boot: false,
  system: false,
  file_system: 'NTFS',
  fve: null,
  ...other,
});

const WINDOWS = volume('a0000000-0000-4000-8000-000000000001', 'C:', {
  boot: true,
  fve: fve({ [PASSWORDS[0]]: 3, '{tpm}': 1 }),
});
const DATA = volume('a0000000-0000-4000-8000-000000000002', 'D:', { fve: fve({ [PASSWORDS[1]]: 3, '{key}': 2 }) });
/** In clear on every machine: what the firmware starts from, a recovery partition, a DVD. */
const OTHERS = [
  volume('a0000000-0000-4000-8000-000000000003', null, { system: true, file_system: 'FAT32' }),
  volume('a0000000-0000-4000-8000-000000000004', null, {}),
  volume('a0000000-0000-4000-8000-000000000005', 'E:', { drive_type: 5, file_system: 'UDF' }),
];

function machine(volumes: readonly Volume[], other: Readonly<Record<string, Json>> = {}): LabState {
  return {
    now: NOW,
    cim: { Win32_OperatingSystem: [{ ProductType: 3, BuildNumber: '20348', CSName: 'SRV01', LocalDateTime: NOW }] },
    registry: {},
    bitlocker: { installed: true, volumes: [...volumes, ...OTHERS] },
    directory: { computers: [{ name: 'SRV01', recovery: PASSWORDS.map((id) => `2026-01-02T03:04:05-00:00${id}`) }] },
    ...other,
  };
}

const FVE = 'HKLM:\\SOFTWARE\\Policies\\Microsoft\\FVE';
const REQUIRED = {
  OSActiveDirectoryBackup: 1,
  OSRequireActiveDirectoryBackup: 1,
  FDVActiveDirectoryBackup: 1,
  FDVRequireActiveDirectoryBackup: 1,
};
const without = (state: LabState, section: string): LabState =>
  Object.fromEntries(Object.entries(state).filter(([key]) => key !== section)) as LabState;

const look = (
  name: string,
  title: string,
  state: LabState,
  result: 'pass' | 'fail' | 'unknown' | 'not_applicable',
  says: readonly string[],
  other: Partial<Scenario> = {},
): Scenario => ({
  name,
  title,
  state,
  steps: [
    { phase: 'detect', expect: { result, says } },
    { phase: 'verify', expect: { result, says } },
  ],
  ...other,
});

export const encryption: ScenarioBook = {
  runbook: 'RB-WIN-ENCRYPTION-001',
  areas: ['bitlocker', 'directory'],
  removal: 'healthy',
  scenarios: [
    look(
      'healthy',
      'both volumes are protected and the directory holds their recovery passwords',
      machine([WINDOWS, DATA]),
      'pass',
      ['BitLocker protects all 2 fixed volumes'],
    ),
    look(
      'data-in-clear',
      'the data volume is not encrypted',
      machine([WINDOWS, { ...DATA, fve: fve({}, { protection: 0, conversion: 0, method: 0 }) }]),
      'fail',
      ['1 of 2 fixed volumes are not encrypted'],
    ),
    look(
      'suspended',
      'the protection was suspended and never resumed',
      machine([{ ...WINDOWS, fve: fve({ [PASSWORDS[0]]: 3, '{tpm}': 1 }, { protection: 0 }) }, DATA]),
      'fail',
      ['with the key beside them in clear'],
    ),
    look(
      'half-encrypted',
      'an encryption was paused',
      machine([WINDOWS, { ...DATA, fve: fve({ [PASSWORDS[1]]: 3 }, { protection: 0, conversion: 4 }) }]),
      'fail',
      ['only partly encrypted'],
    ),
    look(
      'mounted-folder',
      'a data volume without a letter is mounted in a folder and in clear',
      machine([
        WINDOWS,
        DATA,
        { ...volume('a0000000-0000-4000-8000-000000000009', null, {}), name: 'C:\\Praxisdaten\\' },
      ]),
      'fail',
      ['1 of 3 fixed volumes are not encrypted'],
    ),
    look(
      'no-recovery-password',
      'the data volume opens by a key only',
      machine([WINDOWS, { ...DATA, fve: fve({ '{key}': 2 }) }]),
      'fail',
      ['1 volumes have no recovery password'],
    ),
    look(
      'hardware-encryption',
      'the drive says that it encrypts by itself',
      machine([WINDOWS, { ...DATA, fve: fve({ [PASSWORDS[1]]: 3 }, { method: 5 }) }]),
      'fail',
      ['a method that is not allowed'],
    ),
    look(
      'no-tpm',
      'Windows opens by a password',
      machine([{ ...WINDOWS, fve: fve({ [PASSWORDS[0]]: 3, '{pass}': 8 }) }, DATA]),
      'fail',
      ['not bound to the TPM'],
    ),
    look(
      'not-installed',
      'the feature BitLocker is not installed',
      machine([{ ...WINDOWS, fve: null }], { bitlocker: { installed: false, volumes: [{ ...WINDOWS, fve: null }] } }),
      'fail',
      ['BitLocker is not installed', '1 of 1 fixed volumes are not encrypted'],
    ),
    look(
      'locked',
      'a data volume is locked',
      machine([WINDOWS, { ...DATA, fve: fve({ [PASSWORDS[1]]: 3 }, { protection: 2, locked: true }) }]),
      'unknown',
      ['could not be read'],
    ),
    look(
      'escrow-missing',
      'the directory holds one of two recovery passwords',
      machine([WINDOWS, DATA], { directory: { computers: [{ name: 'SRV01', recovery: [`x${PASSWORDS[0]}`] }] } }),
      'fail',
      ['the directory holds 1 of 2 recovery passwords'],
    ),
    look(
      'escrow-by-policy',
      'the directory cannot be asked from there, and policies refuse encryption without it',
      machine([WINDOWS, DATA], { directory: { unreachable: true }, registry: { [FVE]: REQUIRED } }),
      'pass',
      [],
    ),
    look(
      'escrow-not-proven',
      'the directory cannot be asked, and no policy says anything',
      without(machine([WINDOWS, DATA]), 'directory'),
      'unknown',
      ['nothing proves that somebody keeps the recovery passwords'],
    ),
    look(
      'over-budget',
      'the processor time that a look may use is used up',
      machine([WINDOWS, DATA]),
      'unknown',
      ['it would have used more processor time than it may'],
      { params: { budget_cpu_s: 0 } },
    ),
    look('localised', 'Windows speaks Polish', machine([WINDOWS, DATA]), 'pass', [], {
      env: { LANG: 'pl_PL.UTF-8', LC_ALL: 'pl_PL.UTF-8' },
    }),
    look(
      'denied',
      'the account may not ask BitLocker',
      machine([WINDOWS, DATA], { denied: ['Win32_EncryptableVolume'] }),
      'unknown',
      ['bitlocker could not be read: Windows denies it'],
    ),
    look(
      'wrong-role',
      'the list of targets calls the server a domain controller',
      machine([WINDOWS, DATA]),
      'unknown',
      ['the list of targets says domain_controller'],
      { role: 'domain_controller' },
    ),
    look(
      'managed-elsewhere',
      'the storage below Windows encrypts',
      machine([{ ...WINDOWS, fve: null }]),
      'not_applicable',
      ['encrypted from outside'],
      { params: { encrypted_by: 'elsewhere' } },
    ),
  ],
};
