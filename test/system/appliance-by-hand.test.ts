// docs/appliance.md, its steps for a Debian-like machine: taken in a container that is booted by systemd.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { UNIT } from '../support/appliance-box.ts';
import { bootContainer, CHECKOUT, nspawnProblem } from '../support/nspawn.ts';

const problem = nspawnProblem('systemd-sysusers', 'nft');

describe('the steps of docs/appliance.md for a Debian-like machine', () => {
  beforeEach((context) => context.skip(problem !== null, problem ?? ''));

  it('taken as they stand, they end with a service that runs and a timer that has run', async () => {
    const document = readFileSync(join(CHECKOUT, 'docs/appliance.md'), 'utf8');
    const steps = /```sh\n(node=\$PWD.*?)```/s.exec(document)?.[1] ?? 'false';
    const other = await bootContainer();
    try {
      other.run(['sh', '-euc', `cd ${CHECKOUT}\n${steps}`]);
      const units = [UNIT, 'compliance-agent-facts.timer'];
      expect(other.run(['systemctl', 'is-active', ...units]).trim()).toBe('active\nactive');
      expect(other.run(['systemctl', 'is-enabled', ...units]).trim()).toBe('enabled\nenabled');
      const text = other.run(['systemctl', 'show', UNIT, '--property=StatusText', '--value']).trim();
      expect(text).toMatch(/^unprovisioned; .*\(\w+\)$/);
    } finally {
      await other.close();
    }
  });
});
