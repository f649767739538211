import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { until } from '../../tools/demo/process.ts';
import { APPLIANCE, PARTNER, SITE } from '../../tools/demo/site.ts';
import { demoSite } from '../support/demo-site.ts';

/** Generous: a busy machine. */
const WAIT_MS = 60_000;

interface ProvisionStatus {
  readonly state: string | null;
  readonly fingerprint: string | null;
  readonly reason: { readonly code: string } | null;
  readonly claim: { readonly code: string; readonly alias: string; readonly url: string } | null;
}

describe('a box without a token, from its first start to its second life, as real processes', () => {
  const site = demoSite();
  const { paths } = site;
  const provisionStatus = async () =>
    JSON.parse((await site.cli('provision', 'status', '--json')).output) as ProvisionStatus;
  const shownClaim = () =>
    until(
      'a claim code is shown',
      async () => {
        const status = await provisionStatus();
        return status.claim === null || status.reason?.code !== 'enrolment_pending'
          ? null
          : { ...status, ...status.claim };
      },
      WAIT_MS,
    );
  const devices = async () =>
    (
      (await site.central('appliance', 'list')) as {
        appliances: { fingerprint: string; state: string; origin: string | null; site_id: string }[];
      }
    ).appliances;
  const isTied = (fingerprint: string | null) =>
    until(
      'the device is tied to its site',
      async () => (await devices()).some((device) => device.fingerprint === fingerprint) || null,
      WAIT_MS,
    );
  const confirm = (fingerprint: string | null, ...more: string[]) =>
    site.central(
      ...['appliance', 'confirm', fingerprint ?? '', '--appliance-id', APPLIANCE, '--keys', paths.keys, ...more],
    );

  it('waits, and shows a code, an alias and its fingerprint, the same after it was killed', async () => {
    await site.provision();
    rmSync(paths.provision, { recursive: true });
    await site.central('usb', 'write', paths.provision, '--no-token', '--claim-url', 'https://portal.example/claim');
    site.startAgent();
    const before = await shownClaim();
    expect(before.url).toBe(`https://portal.example/claim#${before.code.replaceAll('-', '')}`);
    await site.endAgent('SIGKILL');
    site.startAgent();
    await site.untilStatus('waits again', (s) => s.state === 'pending');
    const after = await shownClaim();
    expect([after.code, after.alias, after.fingerprint]).toEqual([before.code, before.alias, before.fingerprint]);
    const { output } = await site.cli('provision', 'status');
    for (const shown of [after.alias, after.code, '█']) expect(output).toContain(shown);
    const screen = (await site.cli('console')).output;
    for (const shown of ['Waiting to be claimed.', after.alias, '█']) expect(screen).toContain(shown);
    expect(statSync(join(paths.state, 'claim.json')).mode & 0o777).toBe(0o600);
    expect(readFileSync(paths.agentLog, 'utf8')).not.toContain(after.code);
    expect(await devices()).toEqual([]);
  });

  it('is tied to a site by its alias, and enrolled only once an operator has confirmed its fingerprint', async () => {
    const { alias, fingerprint } = await shownClaim();
    await expect(site.central('claim', 'approve', 'AAAAAAAA', '--site', SITE)).rejects.toThrow(/claim_unknown/);
    await site.central('claim', 'approve', alias.toLowerCase(), '--site', SITE, '--by', 'tom');
    await isTied(fingerprint);
    expect(site.status()?.state).toBe('pending');
    await confirm(fingerprint);
    await site.untilStatus('enrolled', (s) => s.state === 'enrolled' && s.last_answer_at !== null);
    expect(existsSync(join(paths.state, 'claim.json'))).toBe(false);
    const { code } = await site.cli('provision', 'status');
    expect(code).toBe(0);
    const { entries } = (await site.central('audit', 'list')) as { entries: { action: string; person: string }[] };
    expect(entries.map((entry) => entry.action).slice(0, 3)).toEqual([
      'appliance_confirmed',
      'claim_approved',
      'claim_wrong',
    ]);
  });

  it('is reset only under its own name; then its keys are gone and its log can still be verified', async () => {
    await site.untilStatus('has written and uploaded', (s) => (s.log?.size ?? 0) > 3 && (s.stored_size ?? 0) > 3);
    const console = JSON.parse((await site.cli('console', '--json')).output) as { may_leave: boolean };
    expect(console.may_leave).toBe(true);
    const refused = await site.cli('provision', 'reset', '--confirm', 'demo-clinic-2', '--json');
    expect(refused.output).toContain('reset_not_confirmed');
    const keys = readdirSync(join(paths.state, 'keys'));
    expect(keys).toContain('device.key');
    const running = site.agentProcess();
    const asked = await site.cli('provision', 'reset', '--confirm', APPLIANCE, '--json');
    const { folder } = JSON.parse(asked.output) as { folder: string };
    expect(await running?.ended).toBe(0);
    expect(readdirSync(join(paths.state, 'keys'))).toEqual([]);
    const retired = join(paths.state, folder);
    const verified = await site.cli('evidence', 'verify', '--state', retired, '--root-sha256', site.rootDigest());
    expect([verified.code, verified.output]).toEqual([0, expect.stringContaining('entries')]);
  });

  it('begins a second life with a printed code, and takes the place of the one that was decommissioned', async () => {
    const [old] = await devices();
    site.startAgent();
    const { fingerprint } = await shownClaim();
    expect(fingerprint).not.toBe(old?.fingerprint);
    await site.central('appliance', 'decommission', APPLIANCE, '--reason', 'moved', '--keys', paths.keys);
    const made = (await site.central('claim', 'new', '--site', SITE)) as { code: string };
    const mistyped = await site.cli('provision', 'code', made.code.slice(0, -1), '--json');
    expect(mistyped.output).toContain('claim_code_malformed');
    expect((await site.cli('provision', 'code', made.code)).code).toBe(0);
    await isTied(fingerprint);
    await confirm(fingerprint, '--replace');
    const now = await site.untilStatus('enrolled again', (s) => s.state === 'enrolled' && s.last_answer_at !== null);
    expect([now.appliance_id, now.log?.origin]).toEqual([APPLIANCE, `${PARTNER}.internal/${APPLIANCE}/2`]);
    await site.untilStatus('uploads', (s) => (s.stored_size ?? 0) > 0 && s.blocking_reason === null);
  });

  it('says so, by name and with the reason, when it is taken out of service while it runs', async () => {
    await site.central('appliance', 'decommission', APPLIANCE, '--reason', 'the clinic closed', '--keys', paths.keys);
    const { blocking_reason: reason } = await site.untilStatus(
      'out of service',
      (s) => s.blocking_reason?.code === 'appliance_decommissioned',
    );
    expect(reason?.sentence).toContain('the clinic closed');
  });
});
