import { describe, expect, it } from 'vitest';
import { groupCauses, setAlert } from '../../../agent/daemon/alerts.ts';
import { createRecorder } from '../../../agent/evidence/recorder.ts';
import { statementsOf, withLog } from '../../support/evidence-fixtures.ts';

describe('alerts of a check-in', () => {
  it('an alert is written once while its cause lasts, and once when it is gone', () =>
    withLog(({ store, log, clock }) => {
      const recorder = createRecorder({ store, log, clock });
      for (let i = 0; i < 3; i += 1) setAlert(recorder, 'evidence_diverged', { code: 'evidence_diverged' });
      for (let i = 0; i < 3; i += 1) setAlert(recorder, 'evidence_diverged', null);
      const alerts = statementsOf(store).flatMap(({ predicate }) =>
        predicate.kind === 'alert'
          ? [`${predicate.code} ${predicate.state} ${String(predicate.details['cause'])}`]
          : [],
      );
      expect(alerts).toEqual(['evidence_diverged raised evidence_diverged', 'evidence_diverged cleared undefined']);
    }));

  it('a root that differs, a bad receipt and a bad document are told apart', () => {
    const receipt = { code: 'signature_invalid' };
    const differs = { code: 'evidence_diverged' };
    expect(groupCauses([receipt, differs], [{ code: 'policy_version' }])).toMatchObject({
      evidence_diverged: differs,
      receipt_not_accepted: receipt,
      document_not_accepted: { code: 'policy_version' },
    });
    expect(new Set(Object.values(groupCauses([], [])))).toEqual(new Set([null]));
  });

  it.each(['log_rewound', 'log_forked', 'witness_refused', 'cosignature_invalid'] as const)(
    'the witness has a word of its own for %s',
    (code) => {
      expect(groupCauses([{ code }], [])).toMatchObject({ [code]: { code }, receipt_not_accepted: null });
    },
  );

  it('no cause of one kind is taken for another', () => {
    expect(groupCauses([{ code: 'log_forked' }], [])).toMatchObject({ log_rewound: null, evidence_diverged: null });
  });
});
