import { describe, it, expect } from 'vitest';
import fc from 'fast-check';
import { KEYS } from '../../../agent/config/keys.ts';
import { parseConfig } from '../../../agent/config/parse-config.ts';

/** `code line:column` of each problem, in order. */
function problemsOf(text: string): string[] {
  const parsed = parseConfig(text, 'config.yaml');
  return parsed.ok ? [] : parsed.problems.map((p) => `${p.code} ${p.place.slice('config.yaml:'.length)}`);
}
const remedyOf = (text: string): string => {
  const parsed = parseConfig(text, 'c');
  return parsed.ok ? '' : (parsed.problems[0]?.remedy ?? '');
};
const D = 'mode: direct\n';

/** Broken configurations: name, text, every problem with its place. */
const BROKEN: [string, string, string[]][] = [
  ['no reseller id in the default mode', 'log_level: info\n', ['reseller_id_missing 1:1']],
  ['no reseller id in reseller mode', '# c\nmode: reseller\n', ['reseller_id_missing 2:1']],
  ['an empty reseller id', 'mode: reseller\nreseller_id:\n', ['reseller_id_missing 1:1']],
  ['nothing at all', '', ['reseller_id_missing 1:1']],
  ['only a comment', '# nothing\n', ['reseller_id_missing 1:1']],
  ['an unknown key', `${D}colour: blue\n`, ['config_key_unknown 2:1']],
  ['a mistyped key', `${D}poll_intervall_s: 60\n`, ['config_key_unknown 2:1']],
  ['a key in camel case', `${D}pollIntervalS: 60\n`, ['config_key_unknown 2:1']],
  ['a secret', `${D}api_password: hunter2\n`, ['config_key_unknown 2:1']],
  ['a key that signed policy decides', `${D}allow_disruptive_outside_window: true\n`, ['config_key_unknown 2:1']],
  ['a key twice', `${D}log_level: info\nlog_level: debug\n`, ['config_key_duplicate 3:1']],
  ['an unknown mode', 'mode: cloud\n', ['config_value_invalid 1:7']],
  ['a mode in capitals', 'mode: Direct\n', ['config_value_invalid 1:7']],
  ['a reseller id with capitals', 'reseller_id: MSP\n', ['config_value_invalid 1:14']],
  ['a reseller id that is a number', 'reseller_id: 12\n', ['config_value_invalid 1:14']],
  ['a number as text', `${D}poll_interval_s: "60"\n`, ['config_value_invalid 2:18']],
  ['a number below its range', `${D}poll_interval_s: 0\n`, ['config_value_invalid 2:18']],
  ['a number above its range', `${D}order_ttl_s: 901\n`, ['config_value_invalid 2:14']],
  ['a fraction', `${D}upload_interval_s: 1.5\n`, ['config_value_invalid 2:20']],
  ['a number that is not one', `${D}poll_interval_s: .nan\n`, ['config_value_invalid 2:18']],
  ['a number with its unit', `${D}poll_interval_s: 60s\n`, ['config_value_invalid 2:18']],
  ['a key without a value', `${D}poll_interval_s:\n`, ['config_value_invalid 2:1']],
  ['a list where a number belongs', `${D}evidence_retention: [1]\n`, ['config_value_invalid 2:21']],
  ['a negative retention', `${D}prune_retention_days: -1\n`, ['config_value_invalid 2:23']],
  ['a skew below its range', `${D}ntp_max_skew_ms: 99\n`, ['config_value_invalid 2:18']],
  ['a relative state directory', `${D}state_dir: var/lib/agent\n`, ['config_path_relative 2:12']],
  ['a state directory with ~', `${D}state_dir: ~/agent\n`, ['config_path_relative 2:12']],
  ['a relative baseline', `${D}baseline_path: ./baseline.yaml\n`, ['config_path_relative 2:16']],
  ['a path that climbs', `${D}state_dir: /var/lib/../../etc\n`, ['config_value_invalid 2:12']],
  ['the root directory as state directory', `${D}state_dir: /\n`, ['config_value_invalid 2:12']],
  ['an address without TLS', `${D}central_url: http://central.example\n`, ['config_value_invalid 2:14']],
  ['an address with a path', `${D}central_url: https://central.example/api\n`, ['config_value_invalid 2:14']],
  ['an address with a password', `${D}central_url: https://u:p@central.example\n`, ['config_value_invalid 2:14']],
  ['an address that is none', `${D}central_url: central\n`, ['config_value_invalid 2:14']],
  ['a host with a wildcard', `${D}allowed_hosts: ["*.example"]\n`, ['config_value_invalid 2:16']],
  ['a host with a scheme', `${D}allowed_hosts: ["https://a.example"]\n`, ['config_value_invalid 2:16']],
  ['a host with a port out of range', `${D}root_hosts: ["a.example:65536"]\n`, ['config_value_invalid 2:13']],
  ['hosts that are no list', `${D}allowed_hosts: a.example\n`, ['config_value_invalid 2:16']],
  ['an unknown log level', `${D}log_level: verbose\n`, ['config_value_invalid 2:12']],
  ['a window that is text', `${D}maintenance_window: nightly\n`, ['config_value_invalid 2:21']],
  [
    'an unknown time zone',
    `${D}maintenance_window:\n  time_zone: Europe/Viena\n  days: [sat]\n  start: "22:00"\n  end: "04:00"\n`,
    ['config_time_zone_unknown 3:14'],
  ],
  [
    'a window with a wrong day, a wrong time and an unknown field',
    `${D}maintenance_window:\n  time_zone: UTC\n  days: [saturday]\n  start: "24:00"\n  ends: "04:00"\n`,
    ['config_key_missing 2:1', 'config_value_invalid 4:9', 'config_value_invalid 5:10', 'config_key_unknown 6:3'],
  ],
  [
    'a window that never opens',
    `${D}maintenance_window: { time_zone: UTC, days: [sat], start: "04:00", end: "04:00" }\n`,
    ['config_value_invalid 2:1'],
  ],
  [
    'a window that names a day twice',
    `${D}maintenance_window: { time_zone: UTC, days: [sat, sat], start: "04:00", end: "05:00" }\n`,
    ['config_value_invalid 2:45'],
  ],
  ['a list instead of keys', '- mode\n- direct\n', ['config_syntax 1:1']],
  ['a sentence instead of keys', 'hello there\n', ['config_syntax 1:1']],
  ['a second document', `${D}---\nmode: direct\n`, ['config_syntax 2:1']],
  ['an anchor', 'mode: &m direct\n', ['config_syntax 1:10']],
  ['an alias', 'mode: &m direct\nreseller_id: *m\n', ['config_syntax 1:10', 'config_syntax 2:14']],
  ['a tag', 'mode: !!js/function direct\n', ['config_syntax 1:7']],
  ['a bracket that is never closed', `${D}allowed_hosts: [a.example\n`, ['config_syntax 3:1']],
  ['a tab as indentation', `${D}maintenance_window:\n\ttime_zone: UTC\n`, ['config_syntax 3:1']],
  ['a key that is a list', `${D}? [a, b]\n: 1\n`, ['config_key_unknown 2:3']],
  [
    'a key with the name of a property of every object',
    `${D}__proto__: { mode: direct }\n`,
    ['config_key_unknown 2:1'],
  ],
];

describe('parseConfig', () => {
  it.each(BROKEN)('refuses %s with code, line and column', (_what, text, expected) => {
    expect(problemsOf(text)).toEqual(expected);
  });

  it('says all mistakes of a file at once, in the order of the file', () => {
    const text = 'mod: direct\nmode: cloud\nstate_dir: state\npoll_interval_s: 0\nlog_level: loud\n';
    expect(problemsOf(text)).toEqual([
      'config_key_unknown 1:1',
      'config_value_invalid 2:7',
      'config_path_relative 3:12',
      'config_value_invalid 4:18',
      'config_value_invalid 5:12',
    ]);
  });

  it.each([
    ['poll_intervall_s', 'poll_interval_s'],
    ['pollIntervalS', 'poll_interval_s'],
    ['reseler_id', 'reseller_id'],
    ['LOG-LEVEL', 'log_level'],
    ['state_dri', 'state_dir'],
  ])('asks for the key %s whether %s was meant', (wrong, right) => {
    expect(remedyOf(`${D}${wrong}: 1\n`)).toBe(`did you mean \`${right}\`?`);
  });

  it('asks for a mistyped time zone whether the close one was meant', () => {
    const window = '{ time_zone: Europe/Viena, days: [sat], start: "22:00", end: "04:00" }';
    expect(remedyOf(`${D}maintenance_window: ${window}\n`)).toBe('did you mean `Europe/Vienna`?');
  });

  it('never repeats a value that may be a secret', () => {
    for (const line of ['token: s3cr3t-canary', 'central_url: https://user:s3cr3t-canary@host']) {
      expect(JSON.stringify(parseConfig(`${D}${line}\n`, 'c'))).not.toContain('s3cr3t-canary');
    }
  });

  it('fills every key that the file does not set with its default', () => {
    const parsed = parseConfig('mode: direct\n', 'c');
    if (!parsed.ok) throw new Error('refused');
    for (const [key, info] of Object.entries(KEYS)) {
      if (key !== 'mode') expect(parsed.config[key as keyof typeof parsed.config]).toEqual(info.default);
    }
    expect([...parsed.positions.keys()]).toEqual(['mode']);
  });

  it('reads a file that sets every key', () => {
    const parsed = parseConfig(
      [
        'mode: reseller',
        'reseller_id: northwind-msp',
        'central_url: https://central.example:8443/',
        'state_dir: /srv/agent',
        'provision_dir: /mnt/stick',
        `root_sha256: '${'ab'.repeat(32)}'`,
        'poll_interval_s: 30',
        'checks_interval_s: 10',
        'upload_interval_s: 5',
        'heartbeat_interval_s: 60',
        'order_ttl_s: 600',
        'healing_mode: dry_run',
        'allowed_hosts: [proxy.example:3128, 192.0.2.1, "2001:db8::1"]',
        'root_hosts: [cache.example]',
        'egress_refresh_s: 60',
        'baseline_path: /etc/baseline.yaml',
        'evidence_retention: 500',
        'prune_retention_days: 30',
        'evidence_cap_mib: 256',
        'ntp_max_skew_ms: 2000',
        'memory_limit_mib: 512',
        'timestamp_url: http://timestamp.example/tsr',
        'timestamp_ca_path: /etc/authority.pem',
        'log_level: debug',
        'maintenance_window: { time_zone: America/New_York, days: [sat, sun], start: "22:00", end: "04:00" }',
      ].join('\n'),
      'c',
    );
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    expect(parsed.positions.size).toBe(Object.keys(KEYS).length);
    expect(parsed.config.central_url).toBe('https://central.example:8443');
    expect(parsed.config.maintenance_window?.days).toEqual(['sat', 'sun']);
    expect(parsed.config.allowed_hosts).toHaveLength(3);
  });

  it.each([
    'ftp://timestamp.example/',
    'http://user:secret@timestamp.example/',
    'http://timestamp.example/?key=1',
    'timestamp.example',
  ])('takes no timestamp authority at %s', (url) => {
    expect(problemsOf(`mode: direct\ntimestamp_url: ${url}\n`)).toEqual(['config_value_invalid 2:16']);
  });

  it('reads a file with a byte order mark and Windows line ends', () => {
    const parsed = parseConfig('\uFEFFmode: direct\r\nlog_level: warn\r\n', 'c');
    expect(parsed.ok && parsed.config.log_level).toBe('warn');
    expect(problemsOf('mode: direct\r\nlog_level: loud\r\n')).toEqual(['config_value_invalid 2:12']);
  });

  it('warns that a reseller id has no effect in direct mode', () => {
    const parsed = parseConfig('mode: direct\nreseller_id: msp\n', 'c');
    expect(parsed.ok && parsed.warnings).toHaveLength(1);
    expect(parsed.ok && parsed.config.reseller_id).toBeNull();
  });

  it('answers any text with a configuration or with problems that name a line', () => {
    const line = fc.oneof(
      fc.string(),
      fc.tuple(fc.constantFrom(...Object.keys(KEYS)), fc.json({ maxDepth: 2 })).map(([key, json]) => `${key}: ${json}`),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), (all) => {
        const parsed = parseConfig(all.join('\n'), 'c');
        if (!parsed.ok) {
          expect(parsed.problems.length).toBeGreaterThan(0);
          for (const problem of parsed.problems) expect(problem.place).toMatch(/^c:[1-9][0-9]*:[1-9][0-9]*$/);
        }
      }),
      { numRuns: 500 },
    );
  });
});
