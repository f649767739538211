// Vectors of what an appliance tells Central Command of a ticket.
import type { Sample } from './sample.ts';

const OPENED = {
  schema: 'compliance-agent/ticket-update/v1',
  appliance_id: 'main-street-1',
  site_id: 'main-street',
  ticket_id: '0f3a52c1b7d94e68',
  revision: 1,
  action: 'opened',
  at: 1_780_315_200,
  state: 'open',
  severity: 'high',
  title: 'Room on the disks (disk)',
  condition: 'finding/appliance/disk',
  target: 'appliance',
  seen: 'the state volume is 96 % full (limit 95 %)',
  next_step: 'make room',
  controls: ['164.308(a)(1)(ii)(D)'],
  evidence_entries: [42],
  opened_at: 1_780_315_200,
  closed_at: null,
} as const;

export const TICKET_SAMPLES: readonly Sample[] = [
  {
    document: 'ticketUpdate',
    signer: 'device',
    valid: {
      'a ticket that opens': OPENED,
      'one that closes': {
        ...OPENED,
        ...{ revision: 3, action: 'closed', at: 1_780_401_600, state: 'closed', closed_at: 1_780_401_600 },
      },
    },
    changes: [
      ['an id in capitals', '0f3a52c1b7d94e68', '0F3A52C1B7D94E68', 'schema_invalid'],
      ['a revision before the first', '"revision":1', '"revision":0', 'schema_invalid'],
      ['a state that there is not', '"state":"open"', '"state":"gone"', 'schema_invalid'],
      ['a line feed in a sentence', 'make room', 'make\\nroom', 'schema_invalid'],
      ['no time of the end', ',"closed_at":null', '', 'schema_invalid'],
    ],
  },
];
