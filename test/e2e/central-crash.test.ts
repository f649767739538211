import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leafHash, rootOfLeaves } from '../../agent/wire/merkle.ts';
import { openDocument } from '../../agent/trust/open-document.ts';
import { makeCentral, type RunningCentral, type TestCentral } from '../support/central-process.ts';
import { checkIn, enrolDevice, evidenceLines, postEvidence, upload, type Enrolled } from '../support/device.ts';

const KILLS = 10;
const ENTRIES = 600;
const BATCH = 4;
/** How long the server lives before it is killed, at most: a few uploads. */
const MAX_LIFE_MS = 60;

let central: TestCentral;
let me: Enrolled;
let server: RunningCentral;

beforeAll(async () => {
  central = await makeCentral();
  server = await central.serve();
  me = await enrolDevice(central, server.url, 'north-1');
}, 60_000);
afterAll(async () => central.remove());

describe('Central Command killed without warning', () => {
  it('loses no entry that it gave a receipt for, and goes on where it was, at 10 random points', async () => {
    const seed = Date.now() % 1_000_000;
    const random = generator(seed);
    const lines = evidenceLines(me, ENTRIES);
    const rootAt = (size: number) => rootOfLeaves(lines.slice(0, size).map((l) => leafHash(l))).toString('hex');
    let receipted = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const life = 1 + Math.floor(random() * MAX_LIFE_MS);
      const timer = setTimeout(() => server.process.kill('SIGKILL'), life);
      let next = receipted;
      while (next < ENTRIES) {
        const answer = await postEvidence(central, server.url, me, next, lines.slice(next, next + BATCH)).catch(
          () => null,
        );
        if (answer === null) break;
        receipted = openDocument(central.root.root, 'receipt', 'receipt', answer.body).value.size;
        next = receipted;
      }
      clearTimeout(timer);
      await server.stop('SIGKILL');
      server = await central.serve();
      const where = `seed ${seed}, kill ${kill} after ${life} ms`;
      expect(server.log(), where).not.toContain('evidence_');
      const { stored } = await checkIn(central, server.url, me);
      expect(stored.size, where).toBeGreaterThanOrEqual(receipted);
      expect(stored.root, where).toBe(rootAt(stored.size));
    }
    const { stored } = await checkIn(central, server.url, me);
    const rest = lines.slice(stored.size, stored.size + 200);
    const last = await upload(central, server.url, me, stored.size, rest);
    expect(last.root).toBe(rootAt(last.size));
    const files = readdirSync(join(central.dataDir, 'evidence', 'acme.internal_north-1_1'));
    expect(files.filter((name) => !/^[0-9]{12}-[0-9]{12}\.jsonl$/.test(name))).toEqual([]);
    const { logs } = await central.json<{ logs: { ok: boolean }[] }>('evidence', 'verify');
    expect(logs).toMatchObject([{ ok: true, size: last.size }]);
  });
});

/** Mulberry32: the printed seed gives the same points again. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
