import { describe, expect, it } from 'vitest';
import { initialState } from '../../../agent/daemon/agent-state.ts';
import { blockingReason } from '../../../agent/daemon/blocking-reason.ts';
import type { WitnessConflict } from '../../../agent/uplink/witness.ts';
import { AgentError } from '../../../agent/errors/agent-error.ts';

const conflict: WitnessConflict = {
  code: 'log_rewound',
  sentence: 'We signed a checkpoint of 9 entries, and the log has 5: it was set back to an older state.',
  note: '',
  size: 9,
  root: '',
  ownSize: 5,
};
const withConflict = (found: WitnessConflict | null) => ({
  ...initialState(),
  enrolled: { uplink: { conflict: () => found } },
});

describe('the blocking reason', () => {
  it('of a log that contradicts its own checkpoint says what happened and what is still done', () => {
    expect(blockingReason(withConflict(conflict))).toEqual({
      code: 'log_rewound',
      sentence: `${conflict.sentence} It goes on observing and takes only reading orders.`,
      remedy: expect.stringContaining('find out by whom'),
    });
    expect(blockingReason(withConflict(null))).toBeNull();
  });

  it('names that before a Central Command that does not answer: the one needs people, the other comes back', () => {
    const state = { ...withConflict(conflict), checkinError: new AgentError('dns_failed', 'no such name') };
    expect(blockingReason(state)?.code).toBe('log_rewound');
  });

  it('of an appliance that is not enrolled is the enrolment', () => {
    const enrolment = { code: 'provision_missing', sentence: 'There is no stick.', remedy: 'bring one' };
    expect(blockingReason({ ...initialState(), enrolled: null, enrolment })).toEqual(enrolment);
  });
});
