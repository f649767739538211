// Vectors of docs/formats/runbook.md: descriptions of runbooks, and the one blob of each. A third and more must be refused.
import { parse, stringify } from 'yaml';
import { packRunbook, type PackageFile } from '../../agent/wire/runbook-package.ts';
import { hexDigest, replaceOnce } from './signing.ts';

interface FileCase {
  readonly name: string;
  readonly yaml: string;
  readonly expect: 'ok' | 'runbook_invalid';
  /** For `ok`. */
  readonly class?: 'read' | 'routine' | 'disruptive';
}

interface PackageCase {
  readonly name: string;
  readonly blob: string;
  readonly expect: 'ok' | 'runbook_package_invalid';
  readonly sha256?: string;
}

const WINDOWS = `schema: compliance-agent/runbook/v1
id: RB-WIN-SAMPLE-001
version: 3
title: Sample
platform: windows
check: windows_sample
applies_if: { role: [member_server], os_build: { min: 14393 } }
reads: [the state of the sample]
changes: [the state of the sample]
risk: medium
disruptive: false
reboot: 'no'
dry_run: full
preconditions: [{ fact: busy, is: false, why: somebody is at work there }]
params: { max_age_days: { type: integer, min: 1, max: 90, default: 30, why: older than this is too old } }
budget: { cpu_s: 10, output_kib: 64 }
detect: { by: script }
remediate: { by: script }
verify: { by: script, within_s: 120, stable_for_s: 0 }
rollback: { how: script, snapshot: facts }
timeout_s: 120
cooldown_s: 3600
max_attempts: 3
window: any
controls: [{ map: hipaa-2013, cite: 164.312(b), role: primary }]
`;

const APPLIANCE = `schema: compliance-agent/runbook/v1
id: RB-APP-BACKUP-001
version: 1
title: Backup now
platform: appliance
check: backup
applies_if: { role: [appliance] }
reads: [the repository]
changes: [the repository gets a snapshot]
risk: low
disruptive: false
reboot: 'no'
dry_run: none
preconditions: []
params: {}
detect: { by: check }
remediate: { by: verb, verb: run-backup, arguments: [] }
verify: { by: check, within_s: 1800, stable_for_s: 0 }
rollback: { how: none, reason: one more snapshot harms nothing }
timeout_s: 1800
cooldown_s: 3600
max_attempts: 3
window: any
controls: [{ map: hipaa-2013, cite: 164.308(a)(7)(ii)(A), role: primary }]
`;

const VERIFY = 'verify: { by: check, within_s: 1800, stable_for_s: 0 }';
const holds = (list: string): string =>
  replaceOnce(APPLIANCE, VERIFY, `verify: { by: check, within_s: 1800, stable_for_s: 0, holds: ${list} }`);

const alertOnly = replaceOnce(
  replaceOnce(
    replaceOnce(
      replaceOnce(WINDOWS, 'remediate: { by: script }', 'remediate: { by: none, reason: a person decides }'),
      'rollback: { how: script, snapshot: facts }',
      'rollback: { how: none, reason: nothing is changed }',
    ),
    'changes: [the state of the sample]',
    'changes: []',
  ),
  'dry_run: full',
  'dry_run: none',
);
const disruptive = replaceOnce(
  replaceOnce(WINDOWS, 'disruptive: false', 'disruptive: true'),
  'window: any',
  'window: maintenance',
);

const without = (key: string): string => {
  const value = parse(WINDOWS) as Record<string, unknown>;
  delete value[key];
  return stringify(value);
};

const bad: readonly [string, string][] = [
  ['no verify', without('verify')],
  ['no rollback', without('rollback')],
  ['no controls', without('controls')],
  ['a rollback of none without its reason', replaceOnce(WINDOWS, '{ how: script, snapshot: facts }', '{ how: none }')],
  ['an unknown key', `${WINDOWS}retries: 3\n`],
  ['a key that stands twice', `${WINDOWS}version: 4\n`],
  [
    'an alias',
    replaceOnce(
      replaceOnce(WINDOWS, 'title: Sample', 'title: &a Sample'),
      'reads: [the state of the sample]',
      'reads: [*a]',
    ),
  ],
  ['a default out of its range', replaceOnce(WINDOWS, 'default: 30', 'default: 91')],
  ['an id of another form', replaceOnce(WINDOWS, 'RB-WIN-SAMPLE-001', 'sample')],
  ['a role that there is not', replaceOnce(WINDOWS, '[member_server]', '[server]')],
  ['a fraction where seconds stand', replaceOnce(WINDOWS, 'timeout_s: 120', 'timeout_s: 0.5')],
  ['scripts on the appliance', replaceOnce(APPLIANCE, 'detect: { by: check }', 'detect: { by: script }')],
  ['a verify that holds nothing', holds('[]')],
  ['a verify that holds a fact without what it is', holds('[{ fact: snapshot }]')],
  [
    'facts that have to hold in a script',
    replaceOnce(
      WINDOWS,
      'verify: { by: script, within_s: 120, stable_for_s: 0 }',
      'verify: { by: script, within_s: 120, stable_for_s: 0, holds: [{ fact: busy, is: false }] }',
    ),
  ],
  ['a verb that there is not', replaceOnce(APPLIANCE, 'verb: run-backup', 'verb: restart-journald')],
];

const SCRIPT = 'param([string]$InputJson)\n';
const FILES: readonly PackageFile[] = [
  { path: 'runbook.yaml', text: WINDOWS },
  ...['detect.ps1', 'verify.ps1', 'remediate.ps1', 'rollback.ps1'].map((path) => ({ path, text: SCRIPT })),
];

export function runbookVectors(): object {
  const files: FileCase[] = [
    { name: 'a Windows runbook', yaml: WINDOWS, expect: 'ok', class: 'routine' },
    { name: 'one that is disruptive', yaml: disruptive, expect: 'ok', class: 'disruptive' },
    { name: 'one that only tells', yaml: alertOnly, expect: 'ok', class: 'read' },
    { name: 'one of the appliance', yaml: APPLIANCE, expect: 'ok', class: 'routine' },
    {
      name: 'one that says what verify has to see',
      yaml: holds('[{ fact: snapshot, is: fresh }, { fact: locks, is: 0 }, { fact: stale_lock, is: false }]'),
      ...{ expect: 'ok', class: 'routine' },
    },
    ...bad.map(([name, yaml]): FileCase => ({ name, yaml, expect: 'runbook_invalid' })),
  ];
  const good = packRunbook(FILES).bytes.toString();
  const alone = packRunbook([{ path: 'runbook.yaml', text: APPLIANCE }]).bytes.toString();
  const wrong: readonly [string, string][] = [
    ['a space after a name', replaceOnce(good, '{"schema":', '{"schema": ')],
    ['files in another order', reordered(good)],
    ['a file that belongs to no runbook', replaceOnce(good, '"path":"verify.ps1"', '"path":"helper.exe"')],
    ['a file that stands twice', replaceOnce(good, '"path":"verify.ps1"', '"path":"rollback.ps1"')],
    ['no runbook.yaml', replaceOnce(alone, '"path":"runbook.yaml"', '"path":"detect.ps1"')],
    ['Windows line ends', good.replaceAll('$InputJson)\\n', '$InputJson)\\r\\n')],
    ['a needless escape', replaceOnce(good, '"schema"', '"\\u0073chema"')],
    ['an unknown field', replaceOnce(good, '{"schema":', '{"extra":1,"schema":')],
    ['a byte order mark before it', `\ufeff${good}`],
  ];
  const packages: PackageCase[] = [
    { name: 'a Windows runbook', blob: good, expect: 'ok', sha256: hexDigest(good) },
    { name: 'one of the appliance', blob: alone, expect: 'ok', sha256: hexDigest(alone) },
    ...wrong.map(([name, blob]): PackageCase => ({ name, blob, expect: 'runbook_package_invalid' })),
  ];
  return { files, packages };
}

function reordered(blob: string): string {
  const value = JSON.parse(blob) as { schema: string; files: unknown[] };
  return JSON.stringify({ ...value, files: value.files.toReversed() });
}
