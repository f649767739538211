import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitPem } from '../../../agent/https/pinned-tls.ts';
import { spkiPin } from '../../../agent/https/pin-check.ts';
import {
  acceptedCas,
  heldAfterAnswer,
  heldAfterRoot,
  sameCas,
  type HeldCas,
} from '../../../agent/identity/central-cas.ts';
import type { Root } from '../../../agent/wire/schemas/root.ts';
import { CA_1, CA_2, CA_3, CA_4 } from '../../../tools/vectors/ca-certificates.ts';
import { makeTrust } from '../../support/trust-fixtures.ts';

const plain = makeTrust().root.root;
const CERTIFICATES = [CA_1, CA_2, CA_3, CA_4];
const certificate = (ca: string): X509Certificate => new X509Certificate(Buffer.from(ca, 'base64'));
const PINS = CERTIFICATES.map((ca) => spkiPin(certificate(ca)));
const [ONE, TWO, THREE, FOUR] = PINS as [string, string, string, string];

/** `numbers` of the four CAs; none: the root says nothing about CAs. */
const rootNaming = (...numbers: number[]): Root => ({
  ...plain,
  ...(numbers.length === 0 ? {} : { central_cas: numbers.map((i) => CERTIFICATES[i - 1]!) }),
});
const fromStick = (...numbers: number[]): HeldCas => ({
  caPem: numbers.map((i) => certificate(CERTIFICATES[i - 1]!).toString()).join(''),
  caPins: numbers.map((i) => PINS[i - 1]!),
});
const pinsOf = (cas: HeldCas): string[] => cas.caPins.toSorted();
const sorted = (...pins: string[]): string[] => pins.toSorted();

describe('the CAs that an appliance takes Central Command under', () => {
  it('are those of its files where the root names none', () => {
    expect(acceptedCas(fromStick(1, 2), rootNaming())).toEqual(fromStick(1, 2));
  });

  it('are those of its files and those of the root until an answer comes under one of the root', () => {
    const held = heldAfterRoot(fromStick(1, 2), rootNaming(), rootNaming(2, 3), ONE);
    expect(pinsOf(acceptedCas(held, rootNaming(2, 3)))).toEqual(sorted(ONE, TWO, THREE));
    expect(heldAfterAnswer(held, rootNaming(2, 3), ONE)).toBe(held);
    expect(pinsOf(acceptedCas(heldAfterAnswer(held, rootNaming(2, 3), TWO), rootNaming(2, 3)))).toEqual(
      sorted(TWO, THREE),
    );
  });

  it('do not keep what only a root named that was replaced before anybody was reached under it', () => {
    const held = heldAfterRoot(fromStick(1, 2), rootNaming(2, 4), rootNaming(2, 3), ONE);
    expect(pinsOf(acceptedCas(held, rootNaming(2, 3)))).toEqual(sorted(ONE, TWO, THREE));
  });

  it('keep the CA of the connection over which a root came that does not name it', () => {
    const held = heldAfterRoot(fromStick(1, 2), rootNaming(2, 3), rootNaming(1, 4), THREE);
    expect(pinsOf(acceptedCas(held, rootNaming(1, 4)))).toEqual(sorted(ONE, TWO, THREE, FOUR));
  });

  it('stay those of the root before where the next one names none', () => {
    const held = heldAfterRoot(fromStick(1, 2), rootNaming(2, 3), rootNaming(), ONE);
    expect(pinsOf(acceptedCas(held, rootNaming()))).toEqual(sorted(ONE, TWO, THREE));
  });

  it('are counted once each, and never without their certificate', () => {
    const { caPem, caPins } = acceptedCas(fromStick(1, 2), rootNaming(1, 2, 3));
    expect(caPins).toEqual([ONE, TWO, THREE]);
    expect(splitPem(caPem).map((pem) => spkiPin(new X509Certificate(pem)))).toEqual([ONE, TWO, THREE]);
    expect(sameCas(fromStick(1, 2), fromStick(2, 1))).toBe(true);
    expect(sameCas(fromStick(1, 2), fromStick(1, 3))).toBe(false);
  });
});

type Step =
  | { readonly does: 'root'; readonly named: readonly number[]; readonly under: number }
  | { readonly does: 'answer'; readonly under: number };

const someCas = fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 4 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      does: fc.constant('root' as const),
      named: fc.oneof({ arbitrary: someCas, weight: 4 }, { arbitrary: fc.constant([]), weight: 1 }),
      under: fc.integer({ min: 1, max: 4 }),
    }),
    fc.record({ does: fc.constant('answer' as const), under: fc.integer({ min: 1, max: 4 }) }),
  ),
  { maxLength: 24 },
);

type Look = (
  before: readonly string[],
  step: Step,
  after: readonly string[],
  /** What the newest root named that named any. */
  newest: readonly string[],
  /** What the root in force names. */
  inForce: readonly string[],
) => void;

/** Plays the steps; one under a CA that is not taken is a failed connection, and changes nothing. */
function play(stick: readonly number[], played: readonly Step[], look: Look): void {
  let held = fromStick(...stick);
  let root = rootNaming();
  let newest: string[] = [];
  let inForce: string[] = [];
  for (const step of played) {
    const before = acceptedCas(held, root).caPins;
    const used = PINS[step.under - 1]!;
    if (!before.includes(used)) continue;
    if (step.does === 'root') {
      const next = rootNaming(...step.named);
      held = heldAfterRoot(held, root, next, used);
      root = next;
      inForce = step.named.map((i) => PINS[i - 1]!);
      if (inForce.length > 0) newest = inForce;
    } else held = heldAfterAnswer(held, root, used);
    const after = acceptedCas(held, root);
    expect(
      splitPem(after.caPem)
        .map((pem) => spkiPin(new X509Certificate(pem)))
        .toSorted(),
    ).toEqual(pinsOf(after));
    look(before, step, after.caPins, newest, inForce);
  }
}

describe('whatever roots and answers come, in whatever order,', () => {
  it('an appliance reaches a Central Command under each CA that the newest root named', () => {
    fc.assert(
      fc.property(someCas, steps, (stick, played) => {
        play(stick, played, (_before, _step, after, newest) =>
          expect(after).toEqual(expect.arrayContaining([...newest])),
        );
      }),
    );
  });

  it('no step takes away the CA of the connection that it came over', () => {
    fc.assert(
      fc.property(someCas, steps, (stick, played) => {
        play(stick, played, (_before, step, after) => expect(after).toContain(PINS[step.under - 1]));
      }),
    );
  });

  it('a CA comes to count by the root that names it and by nothing else, and one that was dropped stays so', () => {
    fc.assert(
      fc.property(someCas, steps, (stick, played) => {
        play(stick, played, (before, step, after) => {
          const named = step.does === 'root' ? step.named.map((i) => PINS[i - 1]!) : [];
          expect(after.filter((pin) => !before.includes(pin) && !named.includes(pin))).toEqual([]);
        });
      }),
    );
  });

  it('an answer under a CA of the root in force leaves the CAs of that root alone', () => {
    fc.assert(
      fc.property(someCas, steps, (stick, played) => {
        play(stick, played, (_before, step, after, newest, inForce) => {
          if (step.does === 'root' || !inForce.includes(PINS[step.under - 1]!)) return;
          expect(after).toEqual(newest);
          expect(after).toEqual(inForce);
        });
      }),
    );
  });
});
