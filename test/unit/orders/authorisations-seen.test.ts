import { describe, expect, it } from 'vitest';
import { authorisationsSeen, noteAuthorisation } from '../../../agent/orders/authorisations-seen.ts';
import { receiveOrders } from '../../../agent/orders/receive-orders.ts';
import { payloadDigest } from '../../../agent/wire/document.ts';
import { envelopeFromEmbedded } from '../../../agent/wire/dsse.ts';
import { acceptanceContext, disruptiveOrder, NIGHT } from '../../support/acceptance-fixtures.ts';
import { openLog, withDir, withLog, type OpenLog } from '../../support/evidence-fixtures.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';
import { makeTrust, NOW, uuidOf } from '../../support/trust-fixtures.ts';

/** A partner where one person alone may authorise, an hour before the act. */
const alone = makeTrust({ direct: true });
const DELAY_S = 3_600;

/** As Central Command issues them: a new order each time, always with the one authorisation of that person. */
const orderAt = (seq: number, nowT: number) =>
  disruptiveOrder(alone, {
    order: { seq, order_id: uuidOf(seq), issued_at: nowT, not_before: nowT, expires_at: nowT + 600 },
    authorisation: { issued_at: NOW - 86_400 },
  });

function receive({ store, log }: OpenLog, seq: number, nowT: number) {
  const acceptance = () =>
    acceptanceContext(alone, { nowT, floor: store.orders.floor(1), authorisationsSeen: authorisationsSeen(store) });
  const line = alone.sign('order', orderAt(seq, nowT));
  return receiveOrders([line], { store, evidence: log, log: memoryLog(), acceptance, now: () => nowT });
}
const lastCode = ({ store }: OpenLog) => store.orders.list(1)[0]?.state ?? 'none';

describe('the delay where one person alone authorised an act', () => {
  it('begins when the authorisation is first seen and holds for every order that embeds it', () =>
    withLog((open) => {
      expect(receive(open, 1, NIGHT)).toMatchObject({ accepted: 0, waiting: 1 });
      expect(receive(open, 2, NIGHT + 1_800)).toMatchObject({ accepted: 0, waiting: 1 });
      expect(receive(open, 3, NIGHT + DELAY_S - 1)).toMatchObject({ accepted: 0, waiting: 1 });
      expect(lastCode(open)).toBe('none');
      expect(receive(open, 4, NIGHT + DELAY_S)).toMatchObject({ accepted: 1, waiting: 0 });
      expect(lastCode(open)).toBe('accepted');
    }));

  it('is not begun anew by a restart', () =>
    withDir((dir) => {
      const first = openLog(dir);
      receive(first, 1, NIGHT);
      first.store.close();
      const second = openLog(dir, first.clock);
      expect(receive(second, 2, NIGHT + DELAY_S)).toMatchObject({ accepted: 1 });
      second.store.close();
    }));

  it('counts from the first sight, which a later one does not move, and forgets what is past its date', () =>
    withLog(({ store }) => {
      noteAuthorisation(store, 'aa', NOW);
      noteAuthorisation(store, 'aa', NOW + 60);
      noteAuthorisation(store, 'bb', NOW + 86_400);
      expect([...authorisationsSeen(store)]).toEqual([
        ['aa', NOW],
        ['bb', NOW + 86_400],
      ]);
      noteAuthorisation(store, 'cc', NOW + 8 * 86_400);
      expect([...authorisationsSeen(store).keys()]).toEqual(['bb', 'cc']);
    }));

  it('names the authorisation by the digest of its payload', () =>
    withLog((open) => {
      receive(open, 1, NIGHT);
      const digest = payloadDigest(envelopeFromEmbedded(orderAt(1, NIGHT).authorisation!));
      expect([...authorisationsSeen(open.store)]).toEqual([[digest, NIGHT]]);
    }));

  it('keeps at most 256 of them, the newest ones', () =>
    withLog(({ store }) => {
      for (let i = 0; i < 300; i++) noteAuthorisation(store, `digest-${i}`, NOW + i);
      const kept = [...authorisationsSeen(store).keys()];
      expect([kept.length, kept[0], kept.at(-1)]).toEqual([256, 'digest-44', 'digest-299']);
    }));
});
