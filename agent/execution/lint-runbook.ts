// What the keys of one runbook must say together, beyond what each may say alone. Pure.
import { CHECKS } from '../checks/registry.ts';
import type { WindowsCheck } from '../checks/windows/windows-check.ts';
import { scriptsOf, SCRIPT_FILES, type ApplianceRunbook, type Runbook, type RunbookVerb } from './runbook.ts';

/** How every script begins: parameters arrive as one JSON document, never pasted into its text. */
const SCRIPT_BEGINS = /^(?:\s*#[^\n]*\n|\s*\n)*\s*param\(\[string\]\$InputJson\)/i;
/** Text becomes code: nothing that a script is given may. */
const FORBIDDEN = /\b(?:Invoke-Expression|iex)\b/i;

/** Every mistake as one sentence; empty where there is none. `files` holds the scripts' texts by name. */
export function lintRunbook(
  runbook: Runbook,
  files: ReadonlyMap<string, string>,
  checks: readonly Pick<WindowsCheck, 'id' | 'runbook' | 'factsSchema'>[],
): readonly string[] {
  return [
    ...lintSense(runbook),
    ...(runbook.platform === 'windows' ? lintCheck(runbook, checks) : lintAppliance(runbook)),
    ...lintFiles(runbook, files),
  ];
}

function lintSense(runbook: Runbook): string[] {
  const { remediate, rollback, changes } = runbook;
  const found: [boolean, string][] = [
    [(runbook.platform === 'windows') !== runbook.id.startsWith('RB-WIN-'), 'id and platform do not fit each other'],
    [runbook.disruptive && runbook.window !== 'maintenance', 'a disruptive runbook says `window: maintenance`'],
    [runbook.reboot !== 'no' && !runbook.disruptive, 'a runbook that may reboot is disruptive'],
    [runbook.risk === 'high' && !runbook.disruptive, 'a runbook of high risk is disruptive'],
    [remediate.by === 'none' && changes.length > 0, 'what remediates nothing changes nothing'],
    [remediate.by === 'none' && rollback.how !== 'none', 'what remediates nothing has nothing to roll back'],
    [remediate.by === 'none' && runbook.dry_run !== 'none', 'what remediates nothing has no dry run'],
    [remediate.by !== 'none' && changes.length === 0, 'it remediates and does not say what it changes'],
    ['action' in runbook.params, 'no param may be named action: orders use that word'],
    [!runbook.controls.some(({ role }) => role === 'primary'), 'no control is primary'],
  ];
  if (runbook.platform === 'windows') {
    const { min, max } = runbook.applies_if.os_build;
    found.push([max !== undefined && max < min, 'applies_if.os_build ends before it begins']);
  }
  return found.flatMap(([wrong, sentence]) => (wrong ? [sentence] : []));
}

function lintCheck(
  runbook: Runbook,
  checks: readonly Pick<WindowsCheck, 'id' | 'runbook' | 'factsSchema'>[],
): string[] {
  const check = checks.find(({ id }) => id === runbook.check);
  if (check === undefined) return [`there is no Windows check ${runbook.check}`];
  if (check.runbook !== runbook.id) return [`the check ${check.id} judges ${check.runbook}`];
  const facts = Object.keys((check.factsSchema as { entries?: object }).entries ?? {});
  return runbook.preconditions
    .filter(({ fact }) => !facts.includes(fact.split('.')[0] ?? ''))
    .map(({ fact }) => `the precondition's fact ${fact} is none that ${check.id} reads`);
}

/** The words that a verb takes; those of `restart-unit` name what the baseline declares for a check (helpers/heal-request.ts). */
const WORDS_OF_VERB: Readonly<Record<RunbookVerb, readonly string[] | null>> = {
  'restart-unit': ['av_edr', 'log_forwarder'],
  'restore-firewall': null,
  'run-backup': null,
  'restore-test': null,
  'apply-update': null,
};

function lintAppliance(runbook: ApplianceRunbook): string[] {
  const { remediate, rollback, preconditions, verify } = runbook;
  const check = CHECKS.find(({ id }) => id === runbook.check);
  const seen = [...preconditions, ...(verify.holds ?? [])].map(({ fact }) => fact);
  const mistakes =
    check === undefined
      ? [`there is no check ${runbook.check} of the appliance`]
      : seen
          .filter((fact) => !Object.hasOwn(check.factKeys, fact))
          .map((fact) => `the fact ${fact} is none that ${check.id} records`);
  if (remediate.by === 'none') return mistakes;
  const words = WORDS_OF_VERB[remediate.verb];
  const [word] = remediate.arguments;
  const fits =
    words === null
      ? remediate.arguments.length === 0
      : word !== undefined && remediate.arguments.length === 1 && words.includes(word);
  if (!fits) mistakes.push(`the verb ${remediate.verb} takes ${words === null ? 'no argument' : words.join(' or ')}`);
  if (rollback.how === 'verb' && rollback.verb !== remediate.verb) {
    mistakes.push('the way back is by the verb that made the change');
  }
  return mistakes;
}

function lintFiles(runbook: Runbook, files: ReadonlyMap<string, string>): string[] {
  const expected: readonly string[] = scriptsOf(runbook);
  const missing = expected.filter((file) => !files.has(file)).map((file) => `${file} is missing`);
  const extra = SCRIPT_FILES.filter((file) => files.has(file) && !expected.includes(file)).map(
    (file) => `${file} is there, and runbook.yaml says that there is none`,
  );
  const wrong = expected.flatMap((file) => {
    const text = files.get(file);
    if (text === undefined) return [];
    return [
      ...(SCRIPT_BEGINS.test(text) ? [] : [`${file} does not begin with param([string]$InputJson)`]),
      ...(FORBIDDEN.test(text) ? [`${file} uses Invoke-Expression`] : []),
    ];
  });
  return [...missing, ...extra, ...wrong];
}
