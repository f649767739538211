// Every vector file by its path under test/vectors/.
import { documentVectors } from './documents.ts';
import { edgeCases } from './ed25519.ts';
import { envelopeVectors, jcsVectors, strictJsonVectors } from './encodings.ts';
import { bindingVectors } from './evidence/bindings.ts';
import { chainVectors } from './evidence/chain.ts';
import { checkpointedVectors } from './evidence/checkpoints.ts';
import { leftOutVectors } from './evidence/left-out.ts';
import { epochVectors } from './evidence/epochs.ts';
import { receiptVectors } from './evidence/receipts.ts';
import { revokedVectors } from './evidence/revoked.ts';
import { rootVectors } from './evidence/roots.ts';
import { spellingVectors } from './evidence/spelling.ts';
import { witnessKeyVectors } from './evidence/witness-keys.ts';
import { checkpointVectors, merkleVectors } from './log.ts';
import { partnerFileVectors } from './partner-file.ts';
import { ruleVectors } from './rules.ts';
import { runbookVectors } from './runbooks.ts';
import { ENROLMENT_SAMPLES } from './samples-enrolment.ts';
import { ENTRY_SAMPLE } from './samples-entries.ts';
import { ORDER_SAMPLES } from './samples-orders.ts';
import { RECOVERY_KEY_SAMPLES } from './samples-recovery-keys.ts';
import { TICKET_SAMPLES } from './samples-tickets.ts';
import { TRUST_SAMPLES } from './samples-trust.ts';

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** Path → exact text of the file. The same on every run: seeds are fixed and Ed25519 signatures have no randomness. */
export function allVectors(): ReadonlyMap<string, string> {
  const samples = [
    ...TRUST_SAMPLES,
    ...ENROLMENT_SAMPLES,
    ...ORDER_SAMPLES,
    ...TICKET_SAMPLES,
    ...RECOVERY_KEY_SAMPLES,
    ENTRY_SAMPLE,
  ];
  const files: Record<string, object> = {
    'strict-json.json': strictJsonVectors(),
    'jcs.json': jcsVectors(),
    'envelope.json': envelopeVectors(),
    'merkle.json': merkleVectors(),
    'checkpoint.json': checkpointVectors(),
    'evidence/bindings.json': bindingVectors(),
    'evidence/chain.json': chainVectors(),
    'evidence/checkpoints.json': checkpointedVectors(),
    'evidence/epochs.json': epochVectors(),
    'evidence/left-out.json': leftOutVectors(),
    'evidence/receipts.json': receiptVectors(),
    'evidence/revoked.json': revokedVectors(),
    'evidence/roots.json': rootVectors(),
    'evidence/spelling.json': spellingVectors(),
    'evidence/witness-keys.json': witnessKeyVectors(),
    'healing/rules.json': ruleVectors(),
    'partner-file.json': partnerFileVectors(),
    'runbook.json': runbookVectors(),
    'ed25519/edge-cases.json': { cases: edgeCases() },
    ...Object.fromEntries(samples.map((sample) => [`${kebab(sample.document)}.json`, documentVectors(sample)])),
  };
  return new Map(Object.entries(files).map(([path, value]) => [path, `${JSON.stringify(value, null, 1)}\n`]));
}
