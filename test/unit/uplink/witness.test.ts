import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { registerRowSum } from '../../../agent/store/row-sums.ts';
import { judgeWitness, type OwnLog } from '../../../agent/uplink/judge-witness.ts';
import { signCheckpoint } from '../../../agent/wire/checkpoint.ts';
import { cosign } from '../../../agent/wire/cosignature.ts';
import { encodeNote, encodeSignatureLine, parseNote } from '../../../agent/wire/note.ts';
import { generateEd25519 } from '../../../agent/wire/node-signature.ts';
import { createLogVerifier, type LogVerdict } from '../../../agent/verify/log-verifier.ts';
import { makeWitnessSite, type WitnessedLog, type WitnessSite } from '../../support/witness-site.ts';

let site: WitnessSite;
let box: WitnessedLog;
beforeEach(async () => {
  site = await makeWitnessSite();
  box = site.open();
});
afterEach(() => {
  box.close();
  site.remove();
});

const notesOf = (log: WitnessedLog): string[] => log.store.checkpoints.all(site.me.origin).map(({ note }) => note);

function verify(lines: readonly string[], checkpoints: readonly string[]): LogVerdict {
  const verifier = createLogVerifier({ root: site.central.trust.root().root, checkpoints });
  for (const line of lines) verifier.push(line);
  return verifier.finish();
}

describe('a check-in', () => {
  it('has the log cosigned, and the cosigned checkpoint is kept and anchors its entries', () => {
    box.append(300);
    expect(site.checkIn(box).kind).toBe('cosigned');
    box.append(5);
    expect(box.witness.latest()).toMatchObject({ size: 301, root: verify(box.lines().slice(0, 301), []).root });
    expect(verify(box.lines(), notesOf(box))).toMatchObject({
      ok: true,
      checkpoints: 1,
      witnessed: { size: 301 },
      ranges: [
        { from_seq: 0, to_seq: 301, range: 'witnessed=1' },
        { from_seq: 301, to_seq: 306, range: 'unanchored' },
      ],
    });
  });

  it('has the same size cosigned again, with the new time', () => {
    site.checkIn(box);
    const first = box.witness.latest()!.at;
    site.central.advance(60);
    expect(site.checkIn(box).kind).toBe('cosigned');
    expect(box.witness.latest()).toMatchObject({ size: 1, at: first + 60 });
  });

  it('whose answer was lost heals at the next one but one with no alarm on either side', () => {
    site.checkIn(box);
    box.append(10);
    site.ask(box.witness.ask());
    box.append(10);
    expect(site.checkIn(box).kind).toBe('resubmit');
    expect(site.checkIn(box).kind).toBe('cosigned');
    expect(box.witness.latest()!.size).toBe(21);
    expect(site.alarms()).toEqual([]);
    expect(box.witness.conflict()).toBeNull();
  });

  it('takes nothing from what is kept when the witness has forgotten it, and goes on from where the witness stands', async () => {
    site.checkIn(box);
    await site.backUpCentral();
    box.append(4);
    site.checkIn(box);
    await site.restoreCentral();
    const forgetful = (): ReturnType<WitnessSite['checkIn']> => {
      const question = box.witness.ask();
      const verdict = site.ask({ request: question.request, lastCosigned: null });
      return box.store.unit(() => box.witness.take(verdict, question));
    };
    expect(forgetful().kind).toBe('resubmit');
    expect(box.witness.latest()?.size).toBe(5);
    expect(forgetful().kind).toBe('cosigned');
    expect(box.witness.latest()?.size).toBe(5);
  });

  it('keeps the last cosigned checkpoint of each day and those that a receipt names', () => {
    const sizes: number[] = [];
    for (let i = 0; i < 6; i += 1) {
      site.checkIn(box);
      const { size, root, at } = box.witness.latest()!;
      sizes.push(size);
      if (i === 1) {
        box.store.uplink.saveReceipt({ origin: site.me.origin, size, root, line: 'receipt', at });
      }
      site.central.advance(i === 3 ? 86_400 : 10);
      box.append(1);
    }
    expect(sizes).toEqual([1, 2, 3, 4, 5, 6]);
    expect(box.store.checkpoints.all(site.me.origin).map(({ size }) => size)).toEqual([2, 4, 6]);
  });
});

describe('a thief', () => {
  it('who sets the disk back to an older image is found at the next check-in, and it stays found', () => {
    box.append(20);
    site.checkIn(box);
    box.close();
    const image = site.copyOf(site.dir);
    box = site.open();
    box.append(30);
    site.checkIn(box);
    box.close();

    box = site.open(image);
    box.append(2);
    const outcome = site.checkIn(box);
    expect(outcome).toMatchObject({ kind: 'conflict', code: 'log_rewound' });
    expect(box.witness.conflict()).toMatchObject({ code: 'log_rewound', size: 51, ownSize: 23 });
    expect(site.alarms()).toEqual(['log_rewound']);
    const [proof] = site.central.store.witness.refused(site.me.origin);
    expect(proof).toMatchObject({ code: 'log_rewound', latest: expect.stringContaining('\n51\n') });
    expect(parseNote(proof!.body.slice(proof!.body.indexOf('\n\n') + 2)).text).toContain('\n23\n');

    box.close();
    box = site.open(image);
    expect(box.witness.conflict()?.code).toBe('log_rewound');
    expect(box.witness.ask().request).toBeNull();
  });

  it('who lets the older image write on beyond what was cosigned is found as a fork', () => {
    box.append(20);
    site.checkIn(box);
    box.close();
    const image = site.copyOf(site.dir);
    box = site.open();
    box.append(1);
    site.checkIn(box);
    box.close();
    box = site.open(image);
    box.append(40);
    expect(site.checkIn(box)).toMatchObject({ kind: 'conflict', code: 'log_forked' });
    expect(site.alarms()).toEqual([]);
  });

  it('who runs a copy of the box beside it has the one that comes second found', () => {
    box.append(5);
    site.checkIn(box);
    box.close();
    const copy = site.open(site.copyOf(site.dir));
    box = site.open();
    box.append(1);
    copy.append(3);
    expect(site.checkIn(copy).kind).toBe('cosigned');
    expect(site.checkIn(box)).toMatchObject({ kind: 'conflict', code: 'log_rewound' });
    copy.close();
  });

  it('who cuts the tail off finds the cosigned checkpoint in the way', () => {
    box.append(50);
    site.checkIn(box);
    const verdict = verify(box.lines().slice(0, 40), notesOf(box));
    expect(verdict).toMatchObject({ ok: false, code: 'log_truncated', seq: 40 });
    expect(verdict.sentence).toContain('the cosigned checkpoint of 51 entries');
    expect(verify(box.lines().slice(0, 40), []).ok).toBe(true);
  });

  it('who signs a new suffix with the stolen key finds the cosigned checkpoint in the way', () => {
    box.append(10);
    box.close();
    const image = site.copyOf(site.dir);
    box = site.open();
    box.append(10);
    site.checkIn(box);
    const forger = site.open(image);
    forger.append(10);
    expect(forger.lines()).toHaveLength(box.lines().length);
    expect(verify(forger.lines(), []).ok).toBe(true);
    const verdict = verify(forger.lines(), notesOf(box));
    forger.close();
    expect(verdict).toMatchObject({ ok: false, code: 'log_root_mismatch', seq: 20, witnessed: null });
    expect(verdict.sentence).toContain('the cosigned checkpoint of 21 entries');
  });

  it('who has no witness key cannot make up a cosigned checkpoint', () => {
    box.append(3);
    const { signer } = generateEd25519();
    const name = site.central.trust.root().root.witness_name;
    const checkpoint = { origin: site.me.origin, size: 4, root: Buffer.from(box.log.root(), 'hex'), extensions: [] };
    const own = parseNote(signCheckpoint(checkpoint, site.me.device.signer));
    const by = (key: typeof signer, witnessName: string): string =>
      encodeNote({ text: own.text, signatures: [...own.signatures, cosign(own.text, witnessName, key, 1)] });
    expect(verify(box.lines(), [by(signer, name)])).toMatchObject({ ok: true, witnessed: null });
    expect(verify(box.lines(), [by(site.central.keys.witness, 'other.example')])).toMatchObject({ witnessed: null });
    const real = parseNote(by(site.central.keys.witness, name));
    const [first, second] = real.signatures as [(typeof real.signatures)[0], (typeof real.signatures)[0]];
    const bent = Buffer.from(second.sig);
    bent[20]! ^= 1;
    const spoilt = encodeNote({ ...real, signatures: [first, { ...second, sig: bent }] });
    expect(verify(box.lines(), [spoilt])).toMatchObject({ ok: false, code: 'cosignature_invalid', seq: null });
  });
});

describe('a Central Command that shows two auditors two logs', () => {
  it('is found when one log is verified against the checkpoints of the other', async () => {
    box.append(10);
    box.close();
    const image = site.copyOf(site.dir);
    box = site.open();
    box.append(5);
    await site.backUpCentral();
    site.checkIn(box);
    // It forgets what it cosigned, and cosigns the other history too.
    await site.restoreCentral();
    const other = site.open(image);
    other.append(7);
    site.checkIn(other);
    const [mine, theirs] = [notesOf(box), notesOf(other)];
    expect(verify(box.lines(), mine).ok).toBe(true);
    expect(verify(other.lines(), theirs).ok).toBe(true);
    expect(verify(other.lines(), mine)).toMatchObject({ ok: false, code: 'log_root_mismatch', seq: 15 });
    expect(verify(box.lines(), theirs)).toMatchObject({ ok: false, code: 'log_truncated' });
    other.close();
  });
});

describe('what the witness says', () => {
  const own = (change: Partial<OwnLog> = {}): OwnLog => ({
    root: site.central.trust.root().root,
    origin: site.me.origin,
    deviceSpki: site.me.device.signer.spki,
    size: box.log.size(),
    rootAt: () => box.log.root(),
    ...change,
  });
  const checkpointOf = (size: number, signer = site.me.device.signer, origin = site.me.origin): string =>
    signCheckpoint({ origin, size, root: Buffer.alloc(32, 7), extensions: [] }, signer);

  it.each(['stale', 'refused'] as const)('is no rewind or fork unless our own key signed it (%s)', (verdict) => {
    const { signer } = generateEd25519();
    const latests = [
      checkpointOf(99, signer),
      checkpointOf(1, signer),
      checkpointOf(99, site.me.device.signer, 'log.example/other/1'),
      'nonsense',
    ];
    for (const latest of latests) {
      const outcome = judgeWitness({ verdict, latest, code: 'log_rewound' }, checkpointOf(1), own());
      expect(outcome).toMatchObject({ kind: 'refused', code: 'witness_refused', latest: null });
    }
  });

  it('is a rewind where our key signed more than we have, and a fork where it signed another root', () => {
    const say = (latest: string) => judgeWitness({ verdict: 'stale', latest }, checkpointOf(1), own());
    expect(say(checkpointOf(99))).toMatchObject({ kind: 'conflict', code: 'log_rewound' });
    expect(say(checkpointOf(1))).toMatchObject({ kind: 'conflict', code: 'log_forked' });
  });

  it('counts only as a cosignature of the very checkpoint that was sent, by the witness of the root', () => {
    const sent = checkpointOf(1);
    const { text } = parseNote(sent);
    const other = parseNote(checkpointOf(2)).text;
    const name = site.central.trust.root().root.witness_name;
    const { witness, receipt } = site.central.keys;
    const say = (cosignature: string) => judgeWitness({ verdict: 'cosigned', cosignature }, sent, own());
    const line = (of: string, by = witness): string => `${encodeSignatureLine(cosign(of, name, by, 5))}\n`;
    expect(say(line(text))).toMatchObject({ kind: 'cosigned', cosigned: { witnessedAt: 5 } });
    for (const bad of [line(other), line(text, receipt), `${line(text)}rubbish`, '\n', line(text).repeat(40)]) {
      expect(say(bad)).toMatchObject({ kind: 'refused', code: 'cosignature_invalid' });
    }
  });

  it('is ignored where nothing was asked', () => {
    expect(judgeWitness({ verdict: 'stale', latest: checkpointOf(99) }, null, own())).toEqual({ kind: 'none' });
    expect(judgeWitness(null, checkpointOf(1), own())).toEqual({ kind: 'none' });
  });
});

describe('a damaged tree', () => {
  it('is said to be damaged and makes nobody believe in a rewind', () => {
    box.append(700);
    site.checkIn(box);
    box.append(10);
    const raw = new Database(join(box.dir, 'agent.db'));
    registerRowSum(raw);
    raw.prepare('UPDATE tiles SET hashes = zeroblob(length(hashes)) WHERE length(hashes) < 8192').run();
    raw.close();
    const question = box.witness.ask();
    expect(question.request).toBeNull();
    expect(question.damage).toContain('tree');
    expect(site.checkIn(box)).toEqual({ kind: 'none' });
    expect(box.witness.conflict()).toBeNull();
  });
});

describe('any life of an honest appliance and its Central Command', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 150 }).map((count) => ({ do: 'append' as const, count })) },
    { weight: 4, arbitrary: fc.constant({ do: 'checkin' as const }) },
    { weight: 3, arbitrary: fc.constant({ do: 'lose answer' as const }) },
    { weight: 1, arbitrary: fc.constant({ do: 'restart appliance' as const }) },
    { weight: 1, arbitrary: fc.constant({ do: 'restart central' as const }) },
    { weight: 1, arbitrary: fc.constant({ do: 'back up central' as const }) },
    { weight: 1, arbitrary: fc.constant({ do: 'restore central' as const }) },
  );

  it('ends with a cosigned checkpoint of the whole log and no alarm but that a backup was put back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const home = await makeWitnessSite();
        await home.backUpCentral();
        let log = home.open();
        const seen: string[] = [];
        for (const one of [...steps, { do: 'checkin' as const }, { do: 'checkin' as const }]) {
          home.central.advance(20_000);
          switch (one.do) {
            case 'append':
              log.append(one.count);
              break;
            case 'checkin': {
              const { kind } = home.checkIn(log);
              expect(['cosigned', 'resubmit']).toContain(kind);
              break;
            }
            case 'lose answer':
              home.ask(log.witness.ask());
              break;
            case 'restart appliance':
              log.close();
              log = home.open();
              break;
            case 'restart central':
              await home.restartCentral();
              break;
            case 'back up central':
              await home.backUpCentral();
              break;
            case 'restore central':
              await home.restoreCentral();
              break;
          }
          const latest = log.witness.latest();
          if (latest !== null) seen.push(latest.note);
        }
        const size = log.log.size();
        const verifier = createLogVerifier({ root: home.central.trust.root().root, checkpoints: seen });
        for (const line of log.lines()) verifier.push(line);
        expect(verifier.finish()).toMatchObject({ ok: true, witnessed: { size }, size });
        expect(log.witness.conflict()).toBeNull();
        expect(home.alarms().filter((kind) => kind !== 'witness_set_back')).toEqual([]);
        log.close();
        home.remove();
      }),
      { numRuns: 25 },
    );
  }, 60_000);
});
