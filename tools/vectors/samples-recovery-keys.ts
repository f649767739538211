// Vectors of the sealed recovery key that an appliance hands to Central Command. Sealed once by age 1.1.1 to a recipient of nobody's.
import type { Sample } from './sample.ts';

const ARMORED = [
  'LS0tLS1CRUdJTiBBR0UgRU5DUllQVEVEIEZJTEUtLS0tLQpZV2RsTFdWdVkzSjVjSFJwYjI0dWIzSm5MM1l4Q2kwK0lGZ3lOVFV4',
  'T1NCMFVXMXBkMUphUkdSQmJGb3ZSekp2ClMydGxRa3gyV0dOaFpVbElLMVk0V0hoTVoxVkhhVTV1Y3pKM0NrRk5Xa2RSVG5oM1Nr',
  'UndiVlpMWmpaS2RYRnoKVTFwS1YxaDRkSFFyZUZGcGVsVTJVRlJvSzBGUFNqQUtMUzB0SUVwUU4xZEJVWHBqV0dGNmIydEVlbE5L',
  'U0VaYQpVbFpWTkVscmNqWjViVlV5VVRKWlNVNUlTMHh5U0dzSzdPWlJSb3J3SEs2STNmaVlvcFpNN1hMVlUxQ3NWREhzClJ1aGdB',
  'c1RQckZMNFRPU1B0QmJNWnp5NVlMOUNsNVdUWERZeWFqZGFTSjc2VnNvPQotLS0tLUVORCBBR0UgRU5DUllQVEVEIEZJTEUtLS0t',
  'LQo=',
].join('');
const BINARY = [
  'YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBzY250T1RxMlBUTUI1VXFpVFVwdU1HeWpRM1lCNHhmZ2d0Tmt1WEZTZEFN',
  'CkU3ai9QV3NjVlk2VVEySHNRQ3pBWGVRMUpoOHRLTlZiS0ZQczJyQWFDam8KLS0tIHpMTG4rRmxJM2QyM1c5U2xxUnpaTVNnL2Vv',
  'NkNmUk5SaEJLQ3dwMEoxZzgKCM8wVxubzXtEI74c1/15Y9PuhuNhG4icy3nCWgybq7WXMyX1ss7nF7/QOoNG64EXM6jDSE/OWSoO',
  'bTQ=',
].join('');

const KEY = {
  schema: 'compliance-agent/recovery-key/v1',
  appliance_id: 'main-street-1',
  site_id: 'main-street',
  luks_uuid: '0b9c6f1e-7a54-4f0e-9d2a-3c5b8e7f6a10',
  sealed: ARMORED,
} as const;

export const RECOVERY_KEY_SAMPLES: readonly Sample[] = [
  {
    document: 'recoveryKey',
    signer: 'device',
    valid: {
      'as the installer seals it': KEY,
      'not armoured, of a volume that is not known': { ...KEY, luks_uuid: null, sealed: BINARY },
    },
    changes: [
      [
        'what is no file of age',
        `"sealed":"${ARMORED.slice(0, 24)}`,
        `"sealed":"${'QUJD'.repeat(6)}`,
        'schema_invalid',
      ],
      ['a file that is cut off', ARMORED.slice(-60), '', 'schema_invalid'],
      ['an id of a volume in capitals', '0b9c6f1e', '0B9C6F1E', 'schema_invalid'],
      ['no word about the volume', ',"luks_uuid":"0b9c6f1e-7a54-4f0e-9d2a-3c5b8e7f6a10"', '', 'schema_invalid'],
    ],
  },
];
