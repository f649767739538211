// Whoever stands between, or holds Central Command, against the answers that a real appliance takes.
import { beforeAll, describe, expect, it } from 'vitest';
import { ANSWER_ATTACKS, dripping, resigned, serverTimeOf } from './answer-attacks.ts';
import { attackedSite, type AttackedSite } from './attacked-site.ts';

const YEAR_S = 365 * 86_400;

describe('an attack with an answer or a document', () => {
  const prepared = attackedSite();
  let a: AttackedSite;
  beforeAll(async () => {
    a = await prepared.start();
  });

  for (const { what, code, distortion } of ANSWER_ATTACKS) {
    it(`${what}: nothing is taken from it, and the alert names ${code}`, async () => {
      const [trusted, alerts, pins] = [a.trusted(), a.raisedFor('central_unreachable', code), a.pins()];
      a.central.distort(distortion(a));
      await a.until('status names it', () => a.reason() === code);
      await a.until('the alert names it', () => a.raisedFor('central_unreachable', code) > alerts);
      expect([a.trusted(), a.pins()]).toEqual([trusted, pins]);
      await a.recovered('central_unreachable');
    });
  }

  it('an answer that never ends: given up at its deadline, and status names request_timeout', async () => {
    a.central.distort(dripping);
    await a.until('status names it', () => a.reason() === 'request_timeout');
    await a.recovered('central_unreachable');
  });

  it('signed time three years back: an alert says so, and only reading orders count', async () => {
    a.central.distort((honest) => {
      const back = serverTimeOf(honest) - 3 * YEAR_S;
      return resigned(a, honest, { server_time: back, expires_at: back + 300 });
    });
    await a.until('the alert says so', () => a.alerts('signed_time_went_back', 'raised').length > 0);
    await a.recovered('signed_time_went_back');
  });
});
