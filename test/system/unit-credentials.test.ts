// Secrets by their paths: what `credentials` of the module names reaches the agent's own process through systemd, nobody else's,
// and a file that is not there keeps nothing from starting.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { evaluateModule, nixProblem } from '../../tools/evaluate-module.ts';
import { bootContainer, nspawnProblem, type Container } from '../support/nspawn.ts';

const problem = nspawnProblem('systemd-sysusers', 'systemd-tmpfiles') ?? nixProblem();
const UNIT = 'compliance-agent.service';
const SECRET = 'xoxb-not-a-real-token';

let box: Container;
beforeAll(async () => {
  if (problem !== null) return;
  const settings = `{
    resellerId = "northwind-msp";
    credentials = { slack_ops = "/run/secrets/slack_ops"; absent = "/run/secrets/absent"; };
  }`;
  const { units, files, user } = evaluateModule({ settings });
  // The unit as it is, with a look at its credentials in place of the agent.
  const look = `/bin/sh -c 'ls "$CREDENTIALS_DIRECTORY"; cat "$CREDENTIALS_DIRECTORY/slack_ops"; cat /run/secrets/slack_ops; true'`;
  const unit = (units[UNIT] ?? '')
    .replace(/^ExecStart=.*$/m, `ExecStart=${look}`)
    .replace('Type=notify', 'Type=oneshot');
  box = await bootContainer({
    files: {
      [`/etc/systemd/system/${UNIT}`]: unit.replace('Restart=always\n', ''),
      '/etc/tmpfiles.d/compliance-agent.conf': files['etc/tmpfiles.d/compliance-agent.conf'] ?? '',
      '/etc/sysusers.d/compliance-agent.conf': `u compliance-agent ${user.uid} "Compliance agent" /var/lib/compliance-agent\n`,
    },
  });
  box.run(['systemd-sysusers']);
  box.run(['install', '-d', '-m', '0751', '/run/secrets']);
  box.run(['tee', '/run/secrets/slack_ops'], SECRET);
  box.run(['chmod', '0400', '/run/secrets/slack_ops']);
  box.run(['systemd-tmpfiles', '--create', '/etc/tmpfiles.d/compliance-agent.conf']);
});
beforeEach((context) => context.skip(problem !== null, problem ?? ''));
afterAll(() => (problem === null ? box.close() : undefined));

describe('the secrets of outputs, as sops-nix or agenix leave them', () => {
  it('reach the process of the agent by the name in the site policy, and one that is not there keeps nothing from starting', () => {
    box.run(['systemctl', 'start', UNIT]);
    expect(box.run(['systemctl', 'show', UNIT, '--property=Result', '--value']).trim()).toBe('success');
    const said = box.run(['journalctl', '-u', UNIT, '-o', 'cat', '--no-pager']);
    expect(said).toContain(SECRET);
    expect(said).toMatch(/^slack_ops$/m);
    expect(said).not.toMatch(/^absent$/m);
    // The file itself stays root's: the agent's user cannot read it.
    expect(said).toMatch(/\/run\/secrets\/slack_ops: Permission denied/);
    expect(said.split(SECRET)).toHaveLength(2);
  });
});
