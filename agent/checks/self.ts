// Does the agent itself run as it was shipped: nothing listening, hardened, its secrets closed, its database sound?
import type { SelfFacts } from '../facts/self.ts';
import type { SelfBaseline } from './baseline.ts';
import { conclude, declaredOr, judged, measured, readOr, type Check, type Problem } from './check.ts';
import { nameListeners, undeclaredListeners } from './listeners.ts';

const UNIT = 'run the agent from its shipped unit, unchanged';

function hardeningProblems(read: SelfFacts, declared: SelfBaseline): Problem[] {
  const rules: readonly [boolean, string, string][] = [
    [read.runsAsRoot && !declared.root_allowed, 'the agent runs as root', UNIT],
    [read.hasCapabilities && !declared.capabilities_allowed, 'the agent holds capabilities', UNIT],
    [
      read.coreDumps && !declared.core_dumps_allowed,
      'a core dump of the agent could be written',
      'set its core limit to 0',
    ],
    [
      read.debuggerSignal && !declared.debugger_signal_allowed,
      'a signal would open a debugger port in the agent',
      'start node with the option disable-sigusr1',
    ],
    [!read.noNewPrivileges && declared.no_new_privileges_required, 'the agent could gain privileges', UNIT],
    [!read.seccompFilter && declared.seccomp_filter_required, 'no system call filter holds the agent', UNIT],
  ];
  return rules.flatMap(([broken, sentence, remedy]) =>
    broken ? [{ sentence, remedy, severity: 'high' as const }] : [],
  );
}

const [PERCENT, HOUR_S] = [100, 3_600];

type CertificateState = 'valid' | 'overdue' | 'lapsed' | 'none' | 'not_read' | 'not_expected';

function certificateState({ certificate }: SelfFacts, declared: SelfBaseline, now: number): CertificateState {
  if (declared.certificate_percent_left === undefined) return 'not_expected';
  if (typeof certificate === 'string') return certificate;
  const { notBefore, notAfter } = certificate;
  if (now >= notAfter) return 'lapsed';
  const left = ((notAfter - now) * PERCENT) / (notAfter - notBefore);
  return left < declared.certificate_percent_left ? 'overdue' : 'valid';
}

const hoursLeft = ({ certificate }: SelfFacts, now: number): number | null =>
  typeof certificate === 'string' ? null : Math.max(0, Math.floor((certificate.notAfter - now) / HOUR_S));

function certificateProblems(state: CertificateState): Problem[] {
  const remedy = 'see in the status what keeps the agent from renewing it';
  if (state === 'lapsed') {
    const sentence = 'its certificate towards Central Command has lapsed';
    return [{ sentence, remedy, severity: 'high' }];
  }
  if (state !== 'overdue') return [];
  return [{ sentence: 'its certificate towards Central Command should have been renewed', remedy, severity: 'medium' }];
}

function stateProblems(read: SelfFacts): Problem[] {
  const problems: Problem[] = [];
  if (read.keyFilesExposed > 0) {
    problems.push({
      sentence: `${read.keyFilesExposed} of ${read.keyFiles} key files can be read or changed by others`,
      remedy: 'chmod 600 the key files, and renew the keys if others may have read them',
      severity: 'critical',
    });
  }
  if (read.keyFilesMissing > 0) {
    problems.push({
      sentence: `${read.keyFilesMissing} of ${read.keyFiles} key files are missing`,
      remedy: 'restore the state directory, or enrol the appliance again',
      severity: 'critical',
    });
  }
  if (read.database === 'damaged') {
    problems.push({
      sentence: 'the database does not pass its integrity check',
      remedy: 'keep the file, and restore the last copy beside what Central Command holds',
      severity: 'critical',
    });
  }
  return problems;
}

export const selfCheck: Check = {
  id: 'self',
  version: 1,
  title: 'The agent runs as shipped and listens to nobody',
  cadenceS: 600,
  probes: ['self'],
  factKeys: {
    listeners: judged('names'),
    runs_as_root: judged('boolean'),
    no_new_privileges: judged('boolean'),
    seccomp_filter: judged('boolean'),
    has_capabilities: judged('boolean'),
    core_dumps: judged('boolean'),
    debugger_signal: judged('boolean'),
    key_files: judged('integer'),
    key_files_missing: judged('integer'),
    key_files_exposed: judged('integer'),
    database: judged('name'),
    certificate: judged('name'),
    certificate_hours: measured('integer'),
  },
  judge({ facts, baseline, now }) {
    const baselineOr = declaredOr(baseline, 'self');
    if ('judgement' in baselineOr) return baselineOr.judgement;
    const { declared } = baselineOr;
    const read = readOr(facts, 'self', 'the state of the agent');
    if ('judgement' in read) return read.judgement;
    const own = read.value;
    const certificate = certificateState(own, declared, now);
    const extra = nameListeners(undeclaredListeners(own.listeners, declared.listeners));
    const listening: Problem[] = [
      {
        sentence: `the agent listens on ${extra.slice(0, 8).join(', ')}`,
        remedy: 'stop it and report it: the agent never listens',
        severity: 'critical',
      },
    ];
    return conclude({
      problems: [
        ...(extra.length > 0 ? listening : []),
        ...hardeningProblems(own, declared),
        ...stateProblems(own),
        ...certificateProblems(certificate),
      ],
      unknowns: own.database === 'not_read' ? ['the integrity of the database was not checked'] : [],
      passSentence: `the agent listens on ${own.listeners.length === 0 ? 'nothing' : nameListeners(own.listeners).join(', ')}, its ${own.keyFiles} key files are closed to others, its database is sound and its hardening is as declared`,
      facts: {
        listeners: nameListeners(own.listeners),
        runs_as_root: own.runsAsRoot,
        no_new_privileges: own.noNewPrivileges,
        seccomp_filter: own.seccompFilter,
        has_capabilities: own.hasCapabilities,
        core_dumps: own.coreDumps,
        debugger_signal: own.debuggerSignal,
        key_files: own.keyFiles,
        key_files_missing: own.keyFilesMissing,
        key_files_exposed: own.keyFilesExposed,
        database: own.database,
        certificate,
        certificate_hours: hoursLeft(own, now),
      },
    });
  },
};
