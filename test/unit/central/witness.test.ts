import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeAddCheckpoint } from '../../../agent/wire/add-checkpoint.ts';
import { signCheckpoint } from '../../../agent/wire/checkpoint.ts';
import { sha256 } from '../../../agent/wire/digest.ts';
import { consistencyProof, rootOfLeaves } from '../../../agent/wire/merkle.ts';
import { generateEd25519 } from '../../../agent/wire/node-signature.ts';
import type { WitnessVerdict } from '../../../agent/wire/schemas/checkin.ts';
import { MAX_REFUSED } from '../../../central/store/witness-table.ts';
import { makeWitnessSite, type WitnessSite } from '../../support/witness-site.ts';

let site: WitnessSite;
beforeEach(async () => {
  site = await makeWitnessSite();
});
afterEach(() => site.remove());

/** Leaves of one history; two histories agree up to `fork` and differ from there. */
const leaves = (count: number, fork = Infinity, name = ''): Buffer[] =>
  Array.from({ length: count }, (_, i) => sha256(i < fork ? `leaf ${i}` : `leaf ${i} ${name}`));

const checkpoint = (
  all: readonly Buffer[],
  o: { origin?: string; signer?: typeof site.me.device.signer } = {},
): string =>
  signCheckpoint(
    { origin: o.origin ?? site.me.origin, size: all.length, root: rootOfLeaves(all), extensions: [] },
    o.signer ?? site.me.device.signer,
  );

const body = (oldSize: number, all: readonly Buffer[], proof = consistencyProof(all, oldSize)): string =>
  encodeAddCheckpoint({ oldSize, proof, checkpoint: checkpoint(all) });

const ask = (request: string | null, lastCosigned: string | null = null): WitnessVerdict | null =>
  site.ask({ request, lastCosigned });

const latest = () => site.central.store.witness.latest(site.me.origin);
const refusals = () => site.central.store.witness.refused(site.me.origin);

describe('the witness', () => {
  it('cosigns a log that it has never seen, and one that continues what it saw', () => {
    expect(ask(null)).toBeNull();
    expect(ask(body(0, leaves(3)))?.verdict).toBe('cosigned');
    expect(ask(body(3, leaves(3)))?.verdict).toBe('cosigned');
    expect(ask(body(3, leaves(300)))?.verdict).toBe('cosigned');
    expect(latest()).toMatchObject({ size: 300, root: rootOfLeaves(leaves(300)).toString('hex') });
    expect(site.alarms()).toEqual([]);
  });

  it('has on the disk what it cosigned when the answer leaves', async () => {
    ask(body(0, leaves(7)));
    await site.restartCentral();
    expect(ask(body(0, leaves(9)))).toMatchObject({ verdict: 'stale', latest: expect.stringContaining('\n7\n') });
    expect(ask(body(0, leaves(5)))).toMatchObject({ verdict: 'refused', code: 'log_rewound' });
  });

  it('says stale where an answer was lost, and shows the cosigned checkpoint', () => {
    ask(body(0, leaves(4)));
    ask(body(4, leaves(6)));
    const verdict = ask(body(4, leaves(9)));
    expect(verdict).toEqual({ verdict: 'stale', latest: latest()?.note });
    expect(refusals()).toEqual([]);
    expect(site.alarms()).toEqual([]);
  });

  it('asks for a start at 0 where it has never cosigned and is shown nothing', () => {
    expect(ask(body(2, leaves(4)))).toEqual({ verdict: 'refused', latest: null, code: 'witness_stale' });
    expect(ask(body(0, leaves(4)))?.verdict).toBe('cosigned');
  });

  const stranger = generateEd25519().signer;
  const bad: [string, string, () => string][] = [
    ['a smaller log', 'log_rewound', () => body(0, leaves(5))],
    ['a smaller log with its own old size', 'log_rewound', () => body(3, leaves(5))],
    ['another root at the same size', 'log_forked', () => body(0, leaves(8, 4))],
    ['another root at the same size, whatever its old size', 'log_forked', () => body(6, leaves(8, 4))],
    ['a larger log with another past', 'proof_invalid', () => body(8, leaves(12, 4))],
    ['a proof that is empty', 'proof_invalid', () => body(8, leaves(12), [])],
    [
      'a proof with one hash too many',
      'proof_invalid',
      () => body(8, leaves(12), [...consistencyProof(leaves(12), 8), sha256('x')]),
    ],
    ['a proof for the same size', 'proof_invalid', () => body(8, leaves(8), [sha256('x')])],
    [
      'an old size beyond the new one',
      'witness_request_invalid',
      () => encodeAddCheckpoint({ oldSize: 13, proof: [], checkpoint: checkpoint(leaves(12)) }),
    ],
    [
      'a checkpoint by another key',
      'witness_request_invalid',
      () => encodeAddCheckpoint({ oldSize: 8, proof: [], checkpoint: checkpoint(leaves(8), { signer: stranger }) }),
    ],
    [
      'a checkpoint of another log',
      'witness_request_invalid',
      () =>
        encodeAddCheckpoint({
          oldSize: 8,
          proof: [],
          checkpoint: checkpoint(leaves(8), { origin: 'acme.internal/north-2/1' }),
        }),
    ],
    ['something else', 'witness_request_invalid', () => 'give me a cosignature'],
  ];
  it.each(bad)('refuses %s, keeps its bytes and says so', (_, code, make) => {
    ask(body(0, leaves(8)));
    const before = latest();
    const request = make();
    expect(ask(request)).toEqual({ verdict: 'refused', latest: before?.note, code });
    expect(latest()).toEqual(before);
    expect(refusals()).toEqual([{ origin: site.me.origin, code, body: request, latest: before?.note, at: before?.at }]);
    expect(site.alarms()).toEqual([code === 'log_rewound' || code === 'log_forked' ? code : 'witness_refused']);
  });

  it('keeps the same refused bytes once, and not without end', () => {
    ask(body(0, leaves(8)));
    for (let i = 0; i < 3; i += 1) ask('nonsense');
    expect(refusals()).toHaveLength(1);
    for (let i = 0; i < MAX_REFUSED + 20; i += 1) ask(`nonsense ${i}`);
    expect(refusals()).toHaveLength(MAX_REFUSED);
    expect(site.alarms()).toEqual(['witness_refused']);
  });

  it('cosigns one of two contradictory requests that build on the same size, whichever comes first', () => {
    ask(body(0, leaves(8)));
    const [one, other] = [body(8, leaves(12, 9, 'a')), body(8, leaves(12, 9, 'b'))];
    expect(ask(one)?.verdict).toBe('cosigned');
    expect(ask(other)).toMatchObject({ verdict: 'refused', code: 'log_forked' });
  });
});

describe('what the witness keeps', () => {
  it.each([
    ['a smaller size', 3, 'aa'],
    ['another root at the same size', 8, 'aa'],
  ])('is not taken back for %s, whoever asks the database', (_, size, root) => {
    ask(body(0, leaves(8)));
    const row = { ...latest()!, size, root };
    expect(() => site.central.store.witness.save(row)).toThrow(/never taken back/);
    const db = new Database(join(site.central.dataDir, 'central.db'));
    for (const statement of ['DELETE FROM witnessed', 'UPDATE witnessed SET size = 1']) {
      expect(() => db.exec(statement)).toThrow(/never taken back/);
    }
    db.close();
    expect(latest()?.size).toBe(8);
  });

  it('is the last cosigned checkpoint of each day', () => {
    let old = 0;
    for (const size of [2, 3, 5]) {
      ask(body(old, leaves(size)));
      old = size;
      site.central.advance(size === 3 ? 86_400 : 60);
    }
    expect(site.central.store.witness.days(site.me.origin).map(({ size }) => size)).toEqual([3, 5]);
  });
});

describe('a Central Command that was set back', () => {
  it('takes over what it cosigned before, and cosigns nothing that contradicts it', async () => {
    ask(body(0, leaves(4)));
    await site.backUpCentral();
    ask(body(4, leaves(9)));
    const { note } = latest()!;
    await site.restoreCentral();
    expect(latest()?.size).toBe(4);
    // Without it, this rewritten log would be cosigned.
    expect(ask(body(4, leaves(7)), note)).toMatchObject({ verdict: 'refused', code: 'log_rewound' });
    expect(ask(body(9, leaves(10)), note)?.verdict).toBe('cosigned');
    expect(site.alarms()).toEqual(['log_rewound', 'witness_set_back']);
  });

  it('takes over nothing that its own witness key did not cosign', () => {
    ask(body(0, leaves(4)));
    for (const made of [
      checkpoint(leaves(9)),
      checkpoint(leaves(9), { signer: generateEd25519().signer }),
      'nonsense',
    ]) {
      ask(null, made);
    }
    expect(latest()?.size).toBe(4);
    expect(site.alarms()).toEqual([]);
  });

  it('finds two histories under its own cosignature at one size', async () => {
    await site.backUpCentral();
    ask(body(0, leaves(4)));
    const { note } = latest()!;
    await site.restoreCentral();
    ask(body(0, leaves(4, 2, 'other')));
    ask(null, note);
    expect(site.alarms()).toEqual(['log_forked']);
    expect(refusals()).toMatchObject([{ code: 'log_forked', body: note }]);
  });
});

describe('an appliance that lies in every way it can', () => {
  const size = fc.integer({ min: 0, max: 40 });
  const request = fc.record({
    size,
    old: size,
    fork: fc.constantFrom(0, 5, 17, Infinity),
    name: fc.constantFrom('a', 'b', 'c'),
    proof: fc.constantFrom('honest', 'of its other history', 'empty', 'random'),
    adopt: fc.boolean(),
  });

  it('never gets two cosignatures that contradict each other', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 2, maxLength: 25 }), async (requests) => {
        site.remove();
        site = await makeWitnessSite();
        const cosigned: Buffer[][] = [];
        for (const one of requests) {
          const mine = leaves(one.size, one.fork, one.name);
          // Half of the time it does what it can to pass: it builds on what was cosigned last.
          const old = Math.min(one.adopt ? (latest()?.size ?? 0) : one.old, one.size);
          const proofs = {
            honest: () => consistencyProof(mine, old),
            'of its other history': () => consistencyProof(leaves(one.size), old),
            empty: () => [],
            random: () => [sha256(String(one.size)), sha256(String(old))],
          };
          if (ask(body(old, mine, proofs[one.proof]()))?.verdict === 'cosigned') cosigned.push(mine);
        }
        cosigned.forEach((earlier, i) => {
          for (const later of cosigned.slice(i)) expect(later.slice(0, earlier.length)).toEqual(earlier);
        });
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});
