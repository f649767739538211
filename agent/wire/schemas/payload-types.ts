// The payloadType of every signed document, and the size at which its payload is refused unread.
import {
  claimAnswerSchema,
  claimSchema,
  bindingSchema,
  certificateRequestSchema,
  epochConfirmationSchema,
  successionSchema,
} from './enrolment.ts';
import { checkinAnswerSchema, checkinRequestSchema, receiptSchema } from './checkin.ts';
import { contentListSchema } from './content.ts';
import { authorisationSchema, orderSchema } from './order.ts';
import { partnerSchema, revocationsSchema, rootSchema } from './root.ts';
import { sitePolicySchema } from './site-policy.ts';
import { recoveryKeySchema } from './recovery-key.ts';
import { ticketUpdateSchema } from './ticket.ts';
import { statementSchema, MAX_ENTRY_BYTES } from './entry.ts';

const vendor = <N extends string>(name: N) => `application/vnd.compliance-agent.${name}+json` as const;

/** Document name → what its envelope must say, how large its payload may be (bytes), what it must contain. */
export const DOCUMENTS = {
  root: { payloadType: vendor('root'), maxBytes: 262_144, schema: rootSchema },
  revocations: { payloadType: vendor('revocations'), maxBytes: 262_144, schema: revocationsSchema },
  partner: { payloadType: vendor('partner'), maxBytes: 16_384, schema: partnerSchema },
  claim: { payloadType: vendor('claim'), maxBytes: 16_384, schema: claimSchema },
  claimAnswer: { payloadType: vendor('claim-answer'), maxBytes: 393_216, schema: claimAnswerSchema },
  binding: { payloadType: vendor('binding'), maxBytes: 8_192, schema: bindingSchema },
  succession: { payloadType: vendor('succession'), maxBytes: 8_192, schema: successionSchema },
  epochConfirmation: { payloadType: vendor('epoch-confirmation'), maxBytes: 8_192, schema: epochConfirmationSchema },
  certificateRequest: { payloadType: vendor('certificate-request'), maxBytes: 8_192, schema: certificateRequestSchema },
  checkinRequest: { payloadType: vendor('checkin-request'), maxBytes: 262_144, schema: checkinRequestSchema },
  checkinAnswer: { payloadType: vendor('checkin-answer'), maxBytes: 2_097_152, schema: checkinAnswerSchema },
  order: { payloadType: vendor('order'), maxBytes: 48_000, schema: orderSchema },
  authorisation: { payloadType: vendor('authorisation'), maxBytes: 24_000, schema: authorisationSchema },
  sitePolicy: { payloadType: vendor('site-policy'), maxBytes: 262_144, schema: sitePolicySchema },
  contentList: { payloadType: vendor('content-list'), maxBytes: 1_048_576, schema: contentListSchema },
  receipt: { payloadType: vendor('receipt'), maxBytes: 65_536, schema: receiptSchema },
  ticketUpdate: { payloadType: vendor('ticket-update'), maxBytes: 32_768, schema: ticketUpdateSchema },
  recoveryKey: { payloadType: vendor('recovery-key'), maxBytes: 24_576, schema: recoveryKeySchema },
  entry: { payloadType: 'application/vnd.in-toto+json', maxBytes: MAX_ENTRY_BYTES, schema: statementSchema },
} as const;
export type DocumentName = keyof typeof DOCUMENTS;
