import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRecords } from '../../central/service/central.ts';
import { makeCentral, type RunningCentral, type TestCentral } from '../support/central-process.ts';
import { ENROLMENT_ATTACKS } from './enrolment-attacks.ts';

const PATIENCE_MS = 120_000;

describe('an attack at the door of Central Command', () => {
  let central: TestCentral;
  let server: RunningCentral;
  let records: ReturnType<typeof openRecords>;

  beforeAll(async () => {
    central = await makeCentral();
    await central.json('site', 'add', 'south', '--customer', 'other-clinic');
    server = await central.serve();
    records = openRecords(central.dataDir);
  }, PATIENCE_MS);
  afterAll(() => {
    records.close();
    return central.remove();
  });

  const alarms = (): string[] => records.store.alarms.list(500).map(({ kind }) => kind);

  for (const { what, code, leaves, run } of ENROLMENT_ATTACKS) {
    const met = code ?? 'waits like anybody and learns nothing';
    it(
      `${what}: ${met}${leaves === null ? '' : `, and the alarm ${leaves}`}`,
      async () => {
        const before = alarms();
        expect(await run({ central, server, records })).toBe(code);
        if (leaves !== null) {
          const count = (all: string[]) => all.filter((kind) => kind === leaves).length;
          expect(count(alarms())).toBeGreaterThan(count(before));
        }
      },
      PATIENCE_MS,
    );
  }
});
