import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCentral, type RunningCentral, type TestCentral } from '../support/central-process.ts';
import { ENROLMENT_ATTACKS } from './enrolment-attacks.ts';

const PATIENCE_MS = 120_000;

describe('an attack at the door of Central Command', () => {
  let central: TestCentral;
  let server: RunningCentral;

  beforeAll(async () => {
    central = await makeCentral();
    await central.json('site', 'add', 'south', '--customer', 'other-clinic');
    server = await central.serve();
  }, PATIENCE_MS);
  afterAll(() => central.remove());

  const alarms = async (): Promise<string[]> =>
    (await central.json<{ alarms: { kind: string }[] }>('appliance', 'alarms', '--limit', '500')).alarms.map(
      ({ kind }) => kind,
    );

  for (const { what, code, leaves, run } of ENROLMENT_ATTACKS) {
    const met = code ?? 'waits like anybody and learns nothing';
    it(
      `${what}: ${met}${leaves === null ? '' : `, and the alarm ${leaves}`}`,
      async () => {
        const before = await alarms();
        expect(await run({ central, server })).toBe(code);
        if (leaves !== null) {
          const count = (all: string[]) => all.filter((kind) => kind === leaves).length;
          expect(count(await alarms())).toBeGreaterThan(count(before));
        }
      },
      PATIENCE_MS,
    );
  }
});
