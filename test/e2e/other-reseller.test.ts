import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { APPLIANCE, PARTNER } from '../../tools/demo/site.ts';
import { demoSite } from '../support/demo-site.ts';

describe('a configuration that names another reseller than the binding', () => {
  const site = demoSite();

  it('is named binding_mode_differs and stores nothing; once corrected, the same stick enrols the appliance', async () => {
    await site.provision();
    const config = readFileSync(site.paths.config, 'utf8');
    writeFileSync(site.paths.config, config.replace(`reseller_id: ${PARTNER}`, 'reseller_id: another-msp'));
    site.startAgent();
    const { fingerprint } = await site.untilStatus('it waits', (s) => s.state === 'pending');
    const argv = ['--appliance-id', APPLIANCE, '--keys', site.paths.keys];
    await site.central('appliance', 'confirm', fingerprint ?? '', ...argv);
    const {
      state,
      log,
      blocking_reason: reason,
    } = await site.untilStatus('the difference is named', (s) => s.blocking_reason?.code === 'binding_mode_differs');
    expect([state === 'enrolled', log]).toEqual([false, null]);
    expect(reason?.sentence).toContain('another-msp');
    await site.endAgent('SIGTERM');
    writeFileSync(site.paths.config, config);
    site.startAgent();
    await site.untilStatus('it is enrolled', (s) => s.state === 'enrolled' && s.last_answer_at !== null);
  });
});
