// Whoever holds Central Command, against the orders of a real appliance: nothing of what follows is carried out.
import { beforeAll, describe, expect, it } from 'vitest';
import { maxLineBytes, payloadDigest, signDocument } from '../../agent/wire/document.ts';
import { encodeEnvelope, parseEnvelope } from '../../agent/wire/dsse.ts';
import { sha256Hex } from '../../agent/wire/digest.ts';
import { revokeKey } from '../../central/service/publish-revocations.ts';
import { APPLIANCE, PARTNER, SITE } from '../../tools/demo/site.ts';
import { attackedSite, newSigner, orderKeyFile, type AttackedSite } from './attacked-site.ts';
import { attackTools, goodOrders, ORDER_ATTACKS, orderMaker } from './order-attacks.ts';

/** What a refusal names: the payload, or the whole line where there is none to be read. */
function digestOf(order: unknown): string {
  const line = JSON.stringify(order);
  try {
    return payloadDigest(parseEnvelope(line, { maxBytes: maxLineBytes('order') }));
  } catch {
    return sha256Hex(line);
  }
}

describe('an attack with an order', () => {
  const prepared = attackedSite();
  let attacked: AttackedSite;
  let make: ReturnType<typeof orderMaker>;
  /** By what the attack is. */
  const sent = new Map<string, string>();

  const withState = (state: 'accepted' | 'started' | 'result' | 'refused') =>
    attacked.entries('order').filter((entry) => entry.state === state);
  const nextAnswers = async (): Promise<void> => {
    const at = attacked.site.status()?.last_answer_at ?? 0;
    await attacked.until('two more answers came', () => (attacked.site.status()?.last_answer_at ?? 0) > at + 1);
  };

  beforeAll(async () => {
    attacked = await prepared.start();
    const { central, people, added, device, site } = attacked;
    const common = { partner_id: PARTNER, site_id: SITE, appliance_id: APPLIANCE, epoch: 1 };
    make = orderMaker(common, { floor: 0, now: central.central.now });
    const { order, timestamp } = central.central.keys;
    const [alice, bob] = people.operator;
    const keys = {
      order,
      orderKeyFile: orderKeyFile(site),
      timestamp,
      device,
      stranger: newSigner(),
      ...added,
      alice,
      bob,
    };
    const good = goodOrders(make, keys);
    central.slipIn(good.orders);
    await attacked.until('the good orders are done', () => withState('result').length === good.orders.length);
    const tools = attackTools(make, keys, good);
    const orders = ORDER_ATTACKS.map(({ what, order }) => {
      const made = order(tools);
      sent.set(what, digestOf(made));
      return made;
    });
    central.slipIn(orders);
    const refused = ORDER_ATTACKS.filter((attack) => attack.code !== null).length;
    await attacked.until('the attacks are refused', () => withState('refused').length >= refused);
    await nextAnswers();
    // The same maker still makes good orders: what was refused was refused for what was changed.
    central.slipIn(goodOrders(make, keys).orders);
    await attacked.until('good orders are done again', () => withState('result').length === 2 * good.orders.length);
  });

  it('leaves the good orders before and after it alone', () => {
    expect(withState('accepted')).toHaveLength(6);
    expect(withState('started')).toHaveLength(6);
  });

  for (const { what, code } of ORDER_ATTACKS) {
    it(`${what}: never accepted, ${code === null ? 'and not refused before its time' : `refused once as ${code}`}`, () => {
      const of = (state: 'accepted' | 'refused') => withState(state).filter((e) => e.order_digest === sent.get(what));
      expect(of('refused').map((entry) => entry.code)).toEqual(code === null ? [] : [code]);
      // What is sent again was accepted once, as itself.
      expect(of('accepted')).toHaveLength(code === 'order_replayed' ? 1 : 0);
    });
  }

  it('with a key that was revoked meanwhile is refused as that', async () => {
    const { central, added, people } = attacked;
    const before = make.next({});
    central.slipIn([JSON.parse(encodeEnvelope(signDocument('order', before, [added.spare]))) as unknown]);
    const done = (id: string): boolean => withState('result').some((entry) => entry.order_id === id);
    await attacked.until('the spare key counts', () => done(before.order_id));
    revokeKey(central.central, { keyid: added.spare.keyid, reason: 'stolen' }, people.content);
    await attacked.until('the revocation is in force', () =>
      attacked.entries('trust').some((e) => e.what === 'revocations'),
    );
    const stolen = signDocument('order', make.next({}), [added.spare]);
    central.slipIn([JSON.parse(encodeEnvelope(stolen)) as unknown]);
    await attacked.until('it is refused', () =>
      withState('refused').some((e) => e.order_digest === payloadDigest(stolen) && e.code === 'order_key_revoked'),
    );
  });
});
