// Does the declared protection against malware run, unchanged, with recent knowledge and without holes?
import type { AvEdrFacts } from '../facts/av-edr.ts';
import type { AvEdrBaseline } from './baseline-av-edr.ts';
import { conclude, declaredOr, judged, measured, readOr, type Check, type JudgedFacts, type Problem } from './check.ts';
import { stabilityOf } from './stability.ts';

const HOUR_S = 3_600;
/** What evidence may name (evidence/fact-rules.ts holds the same words); anything else is `other`. */
const LOAD_STATES = new Set(['loaded', 'not-found', 'masked', 'bad-setting', 'error']);
const ACTIVE_STATES = new Set(['active', 'reloading', 'inactive', 'failed', 'activating', 'deactivating']);

interface Part {
  readonly problems: readonly Problem[];
  readonly unknowns: readonly string[];
  readonly facts: JudgedFacts;
}

const hoursSince = (at: number, now: number): number => Math.floor(Math.max(0, now - at) / HOUR_S);
const wordOf = (word: string, known: ReadonlySet<string>): string => (known.has(word) ? word : 'other');

function judgeService(read: AvEdrFacts): Part {
  const load = wordOf(read.loadState, LOAD_STATES);
  const active = wordOf(read.activeState, ACTIVE_STATES);
  const facts = { service_load: load, service: active };
  if (read.activeState === 'active' || read.activeState === 'reloading') return { problems: [], unknowns: [], facts };
  const sentence =
    read.loadState === 'loaded'
      ? `the service of the protection against malware is ${active}`
      : `the service of the protection against malware is ${load.replace('-', ' ')}`;
  const remedy = 'install and start it, and look at its log';
  return { problems: [{ sentence, remedy, severity: 'critical' }], unknowns: [], facts };
}

function judgeStability(read: AvEdrFacts, declared: AvEdrBaseline, now: number): Part {
  const isActive = read.activeState === 'active' || read.activeState === 'reloading';
  const state = stabilityOf(read.restarts, isActive, declared.stability, now);
  const count = read.restarts?.count ?? null;
  const problem: Problem = {
    sentence: `its service does not stay up: systemd started it again ${count} times`,
    remedy: 'find out in its log why it ends',
    severity: 'high',
  };
  return {
    problems: state === 'flapping' ? [problem] : [],
    unknowns: [],
    facts: { service_stability: state, service_restarts: count },
  };
}

type BinaryState = 'declared' | 'changed' | 'missing' | 'not_settled';

function binaryState(read: AvEdrFacts, declared: AvEdrBaseline): BinaryState {
  if (read.binarySha256 === null) return 'missing';
  if (declared.binary_sha256 === 'none') return 'not_settled';
  return read.binarySha256 === declared.binary_sha256 ? 'declared' : 'changed';
}

function judgeProgram(read: AvEdrFacts, declared: AvEdrBaseline): Part {
  const state = binaryState(read, declared);
  const problems: Problem[] = [];
  const reinstall = 'find out who changed it, install it anew, and restart the service';
  if (state === 'missing') {
    problems.push({ sentence: 'its declared program is not there', remedy: reinstall, severity: 'critical' });
  }
  if (state === 'changed') {
    problems.push({ sentence: 'its program is not the declared one', remedy: reinstall, severity: 'critical' });
  }
  if (read.running === 'other') {
    problems.push({
      sentence: 'its service runs another file than the declared program, or one that was replaced since',
      remedy: 'restart the service, and look at its unit',
      severity: 'high',
    });
  }
  return {
    problems,
    unknowns: [
      ...(state === 'not_settled' ? ['the baseline does not say which program is the right one'] : []),
      ...(read.running === 'nothing' ? ['its service has no main process to look at'] : []),
    ],
    facts: { binary: state, binary_sha256: read.binarySha256, running: read.running },
  };
}

function judgeSignatures(read: AvEdrFacts, declared: AvEdrBaseline, now: number): Part {
  if (declared.signatures.expected === 'none')
    return { problems: [], unknowns: [], facts: { signatures: 'not_expected' } };
  const limit = declared.signatures.hours;
  const found = read.signatures;
  const hours = found === null ? null : hoursSince(found.builtAt, now);
  const isFuture = found !== null && found.builtAt > now + HOUR_S;
  const state = found === null ? 'none' : isFuture ? 'future' : now - found.builtAt > limit * HOUR_S ? 'old' : 'fresh';
  const facts = {
    signatures: state,
    signatures_hours: hours,
    signatures_version: found?.version ?? null,
    signatures_count: found?.signatures ?? null,
  };
  const remedy = 'check that the updater runs and reaches its mirror';
  const problems: Problem[] = [];
  if (state === 'none') {
    problems.push({ sentence: 'there is no daily database of signatures', remedy, severity: 'critical' });
  }
  if (state === 'old') {
    const sentence = `its signatures are ${hours} hours old (limit ${limit} hours)`;
    problems.push({ sentence, remedy, severity: 'high' });
  }
  const unknowns = state === 'future' ? ['its signatures have a time that lies in the future'] : [];
  return { problems, unknowns, facts };
}

function judgeScan(read: AvEdrFacts, declared: AvEdrBaseline, now: number): Part {
  if (declared.scan.expected === 'none') return { problems: [], unknowns: [], facts: { scan: 'not_expected' } };
  const { hours: limit } = declared.scan;
  if (read.scan === null) {
    return {
      problems: [],
      unknowns: ['systemd remembers no scan since this machine was started'],
      facts: { scan: 'not_seen', scan_hours: null },
    };
  }
  // A wrong clock dated it: an hour is more than two clocks of one machine ever differ.
  if (read.scan.endedAt - now > HOUR_S) {
    return {
      problems: [],
      unknowns: ['the last scan is dated in the future, so the clock was wrong when it ran or is wrong now'],
      facts: { scan: 'future', scan_hours: null },
    };
  }
  const hours = hoursSince(read.scan.endedAt, now);
  const state = !read.scan.succeeded ? 'failed' : now - read.scan.endedAt > limit * HOUR_S ? 'old' : 'fresh';
  const sentences: Partial<Record<typeof state, string>> = {
    failed: 'its last scan did not end well',
    old: `its last scan ended ${hours} hours ago (limit ${limit} hours)`,
  };
  const sentence = sentences[state];
  const remedy = 'look at the log of the scan, and start it again';
  return {
    problems: sentence === undefined ? [] : [{ sentence, remedy, severity: 'medium' }],
    unknowns: [],
    facts: { scan: state, scan_hours: hours },
  };
}

function judgeExclusions(read: AvEdrFacts, declared: AvEdrBaseline): Part {
  if (declared.exclusions.expected === 'none') return { problems: [], unknowns: [], facts: { exclusions: null } };
  const { allowed } = declared.exclusions;
  const extra = read.exclusions.filter((line) => !allowed.includes(line)).length;
  const problem: Problem = {
    sentence: `${extra} exclusions keep something from being scanned that the baseline does not allow`,
    remedy: 'take them out of its configuration, or declare them',
    severity: 'high',
  };
  return {
    problems: extra > 0 ? [problem] : [],
    unknowns: [],
    facts: { exclusions: read.exclusions.length, exclusions_undeclared: extra },
  };
}

export const avEdrCheck: Check = {
  id: 'av_edr',
  version: 1,
  title: 'Protection against malware that runs unchanged and up to date',
  cadenceS: 900,
  probes: ['av_edr'],
  factKeys: {
    service_load: judged('name'),
    service: judged('name'),
    service_stability: judged('name'),
    service_restarts: measured('integer'),
    binary: judged('name'),
    binary_sha256: judged('digest'),
    running: judged('name'),
    signatures: judged('name'),
    signatures_hours: measured('integer'),
    signatures_version: measured('integer'),
    signatures_count: measured('integer'),
    scan: judged('name'),
    scan_hours: measured('integer'),
    exclusions: judged('integer'),
    exclusions_undeclared: judged('integer'),
  },
  judge({ facts, baseline, now }) {
    const baselineOr = declaredOr(baseline, 'av_edr');
    if ('judgement' in baselineOr) return baselineOr.judgement;
    const { declared } = baselineOr;
    const reading = readOr(facts, 'av_edr', 'the protection against malware');
    if ('judgement' in reading) return reading.judgement;
    const read = reading.value;
    const parts = [
      judgeService(read),
      judgeStability(read, declared, now),
      judgeProgram(read, declared),
      judgeSignatures(read, declared, now),
      judgeScan(read, declared, now),
      judgeExclusions(read, declared),
    ];
    const proofs = [
      'the service is active and runs the declared program',
      ...(read.signatures === null ? [] : [`its signatures are ${hoursSince(read.signatures.builtAt, now)} hours old`]),
      ...(read.scan === null ? [] : [`its last scan ended ${hoursSince(read.scan.endedAt, now)} hours ago`]),
    ];
    return conclude({
      problems: parts.flatMap((p) => p.problems),
      unknowns: parts.flatMap((p) => p.unknowns),
      passSentence: proofs.join(', '),
      facts: Object.assign({}, ...parts.map((p) => p.facts)) as JudgedFacts,
    });
  },
};
