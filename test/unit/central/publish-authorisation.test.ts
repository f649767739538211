import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Envelope } from '../../../agent/wire/dsse.ts';
import { signDocument } from '../../../agent/wire/document.ts';
import { personKeyFiles, readPersonKey } from '../../../central/keys/person-keys.ts';
import { draftAuthorisation, publishAuthorisation } from '../../../central/service/authorise.ts';
import { bindDevice, makeInProcessCentral, type InProcessCentral } from '../../support/central-in-process.ts';
import { expectCode } from '../../support/expect-code.ts';

const DAY_S = 86_400;
let central: InProcessCentral;

beforeAll(async () => {
  central = await makeInProcessCentral();
  await bindDevice(central, 'north-1');
});
afterAll(() => central.remove());

async function signed(days: number): Promise<Envelope> {
  const wish = { applianceId: 'north-1', kind: 'set_healing', params: { action: 'enable' }, days } as const;
  const value = draftAuthorisation(central, { ...wish, targets: [], window: { mode: 'require' } });
  const [operator] = personKeyFiles(central.keysDir).filter(({ role }) => role === 'operator');
  const { signer } = await readPersonKey(operator!);
  return signDocument('authorisation', value, [signer]);
}

it('an authorisation that lay about until its date is not published, one that is in time is', async () => {
  const [late, inTime] = [await signed(1), await signed(3)];
  central.advance(DAY_S);
  expectCode(() => publishAuthorisation(central, late, 'draft.json'), 'authorisation_expired');
  expect(central.store.authorisations.list(9)).toEqual([]);
  expect(publishAuthorisation(central, inTime, 'draft.json').isNew).toBe(true);
});
