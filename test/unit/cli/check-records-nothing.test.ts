import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it, expect } from 'vitest';
import { loadChecks } from '../../../agent/daemon/load-checks.ts';
import { systemClock } from '../../../agent/system/clock.ts';
import { createExec } from '../../../agent/system/exec.ts';
import { makeCliState, type CliState } from '../../support/cli-state.ts';
import { cli } from '../../support/run-cli.ts';
import { dump } from '../../support/store-fixtures.ts';

describe('check on an appliance that is enrolled', () => {
  let state: CliState;
  beforeAll(() => {
    state = makeCliState();
  });
  afterAll(() => rmSync(state.dir, { recursive: true, force: true }));

  it('records nothing: the database is the same before and after it', async () => {
    const bytes = (): Buffer => readFileSync(join(state.dir, 'agent.db'));
    const [rows, file] = [dump(state.dir), bytes()];
    const deps = {
      exec: createExec(),
      clock: systemClock,
      loadChecks: (path: string | null) => loadChecks(join(import.meta.dirname, '../../../runbooks'), path),
    };
    const config = join(state.dir, 'config.yaml');
    writeFileSync(config, `mode: direct\nstate_dir: ${state.dir}\n`);
    const { code, out } = await cli(['check', '--config', config], { deps });
    expect([code, /^disk /m.test(out)]).toEqual([0, true]);
    expect(dump(state.dir)).toBe(rows);
    expect(bytes().equals(file)).toBe(true);
  });
});
