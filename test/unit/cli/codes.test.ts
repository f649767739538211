import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, it, expect } from 'vitest';
import { makeCliState, type CliState } from '../../support/cli-state.ts';
import { cli } from '../../support/run-cli.ts';

describe('codes of the command line', () => {
  let state: CliState;
  beforeAll(() => {
    state = makeCliState();
  });
  afterAll(() => rmSync(state.dir, { recursive: true, force: true }));

  it('an error code that does not exist is error_code_unknown', async () => {
    const { code, ...rest } = await cli(['errors', 'no_such_code_at_all', '--json']);
    expect(code).toBe(2);
    expect(rest.json()).toMatchObject({ error: { code: 'error_code_unknown' } });
  });

  it('the verdict UNTRUSTED ROOT names its code root_untrusted and what to do', async () => {
    const { out } = await cli(['evidence', 'verify', '--state', state.dir]);
    expect(out).toMatch(/root_untrusted: .*--root-sha256/);
  });
});
