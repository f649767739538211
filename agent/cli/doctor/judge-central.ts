// Does Central Command answer this appliance? Pure.
import type { CentralLook } from './ask-central.ts';
import { ok, problem, quoted, type Verdict } from './verdict.ts';

/** What Central Command's own refusals mean here. */
const REFUSALS: Readonly<Record<string, readonly [sentence: string, remedy: string]>> = {
  appliance_revoked: ['it has revoked this appliance', 'ask the partner why'],
  appliance_decommissioned: ['it has taken this appliance out of service', 'run compliance-agent provision reset'],
  client_certificate_invalid: [
    'it does not take the certificate of this appliance',
    'see that the daemon runs: it asks for a new one; else have the appliance enrolled again',
  ],
  client_certificate_lapsed: [
    'the certificate of this appliance is past its date',
    'see that the daemon runs: it recovers one by itself',
  ],
  client_certificate_missing: [
    'it did not see the certificate of this appliance',
    'look for TLS inspection on the path',
  ],
  identity_mismatch: ['it knows this appliance with another key', 'have the appliance enrolled again'],
  appliance_unknown: ['it does not know this appliance', 'have the appliance enrolled again'],
  document_unknown: [
    'it does not know the trust root of this appliance',
    'check that this is the right Central Command',
  ],
  host_unknown: [
    'it goes by another name than the address used',
    'start central-command serve with --url of this address',
  ],
  rate_limited: [
    'it says that this appliance asks too often',
    'wait a minute; look for a second machine with the same keys',
  ],
};

export function judgeCentral(look: CentralLook, host: string): Verdict {
  switch (look.answered) {
    case 'own_root':
      return ok(`${host} takes the certificate of this appliance and holds the same trust root`);
    case 'as_expected':
      return ok(`${host} answers as Central Command does; this appliance is not enrolled yet`);
    case 'other_root':
      return problem({
        code: 'document_mismatch',
        sentence: `${host} answers with another trust root than the one this appliance holds`,
        meaning: 'it is the Central Command of somebody else, or one that was set up anew; its orders will not verify',
        remedy: 'check central_url; after a new set-up the appliance has to be enrolled anew',
      });
    case 'no': {
      const [what, remedy] = REFUSALS[look.problemCode ?? ''] ?? [null, look.remedy];
      return problem({
        code: look.code,
        sentence: what === null ? quoted(look.sentence, 300) : `${host} answers, but ${what}`,
        meaning: 'check-ins fail: no orders and no upload; checks go on and evidence waits here',
        remedy,
      });
    }
  }
}
