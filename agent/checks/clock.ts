// Is the time of records to be believed?
import { conclude, declaredOr, judged, measured, readOr, type Check, type Problem } from './check.ts';

type Distance = 'within' | 'beyond' | 'not_known';

function distance(ms: number | null, limitMs: number): Distance {
  if (ms === null) return 'not_known';
  return Math.abs(ms) > limitMs ? 'beyond' : 'within';
}

export const clockCheck: Check = {
  id: 'clock',
  version: 1,
  title: 'A clock that is synchronised and agrees with the signed time',
  cadenceS: 300,
  probes: ['clock'],
  factKeys: {
    source: judged('name'),
    synchronized: judged('boolean'),
    offset: judged('name'),
    offset_ms: measured('integer'),
    skew: judged('name'),
    skew_ms: measured('integer'),
    stratum: measured('integer'),
  },
  judge({ facts, baseline }) {
    const baselineOr = declaredOr(baseline, 'clock');
    if ('judgement' in baselineOr) return baselineOr.judgement;
    const { declared } = baselineOr;
    const read = readOr(facts, 'clock', 'the state of the clock');
    if ('judgement' in read) return read.judgement;
    const { source, synchronized, offsetMs, stratum, skewMs } = read.value;
    const offset = distance(offsetMs, declared.offset_ms);
    const skew = distance(skewMs, declared.skew_ms);

    const problems: Problem[] = [];
    if (skew === 'beyond') {
      problems.push({
        sentence: `the clock is ${skewMs} ms away from the signed time of Central Command (limit ${declared.skew_ms} ms)`,
        remedy: 'set the clock, and check the battery of the mainboard',
        severity: 'high',
      });
    }
    if (offset === 'beyond') {
      problems.push({
        sentence: `the clock is ${offsetMs} ms away from its time servers (limit ${declared.offset_ms} ms)`,
        remedy: 'check that the time servers can be reached',
        severity: 'high',
      });
    }
    if (declared.ntp_required && synchronized === false) {
      problems.push({
        sentence: 'the clock is not synchronised by NTP',
        remedy: 'check that the time service runs and reaches its servers',
        severity: 'medium',
      });
    }
    const unknowns: string[] = [];
    if (declared.ntp_required && synchronized === null) unknowns.push('no time service could be asked');
    // Without NTP (a tool that says only "no" included), the signed time is the one thing that can vouch for the clock.
    if (!declared.ntp_required && synchronized !== true && skew === 'not_known') {
      unknowns.push('neither NTP nor a signed time vouches for the clock');
    }

    const proofs = [
      ...(synchronized === true ? [`${source} says that the clock is synchronised`] : []),
      ...(offset === 'within' ? [`its offset is ${offsetMs} ms`] : []),
      ...(skew === 'within' ? [`it is ${skewMs} ms away from the signed time`] : []),
    ];
    return conclude({
      problems,
      unknowns,
      passSentence: proofs.join(', '),
      facts: { source, synchronized, offset, offset_ms: offsetMs, skew, skew_ms: skewMs, stratum },
    });
  },
};
