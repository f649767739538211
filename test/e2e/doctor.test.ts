import { describe, expect, it } from 'vitest';
import { once } from 'node:events';
import { createServer } from 'node:https';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Examination, StepReport } from '../support/examine.ts';
import { demoSite } from '../support/demo-site.ts';
import { makeTestCa } from '../support/test-ca.ts';

describe('the doctor at a whole site of real processes', () => {
  const site = demoSite();
  async function doctor(): Promise<{ code: number | string | null; steps: readonly StepReport[]; codes: string[] }> {
    const { code, output } = await site.cli('doctor', '--json');
    const { steps } = JSON.parse(output) as Examination['report'];
    // What this machine's time service says is not the point here.
    const codes = steps.filter((one) => one.step !== 'clock').flatMap((one) => one.problems.map((p) => p.code));
    return { code, steps, codes };
  }
  const stateOf = (steps: readonly StepReport[], id: string) => steps.find((one) => one.step === id)?.state;

  it('before the first start finds nothing wrong but that no daemon ran', async () => {
    await site.provision();
    const { codes, steps } = await doctor();
    expect(codes).toEqual(['daemon_not_running']);
    expect(stateOf(steps, 'central')).toBe('ok');
  });

  it('while the appliance waits for its confirmation says that this is what it waits for', async () => {
    site.startAgent();
    await site.untilStatus('waits', (s) => s.state === 'pending');
    const { codes } = await doctor();
    expect(codes).toEqual(['enrolment_pending']);
  });

  it('on an enrolled appliance whose daemon runs finds nothing, and Central Command holds the same trust root', async () => {
    await site.confirm();
    const { codes, steps } = await doctor();
    expect(codes).toEqual([]);
    expect(steps.find((one) => one.step === 'central')?.sentence).toContain('the same trust root');
    expect(steps.find((one) => one.step === 'enrolment')?.sentence).toContain('enrolled as demo-clinic-1');
  });

  it('on an enrolled appliance whose daemon is stopped says only that, and leaves every file as it was', async () => {
    await site.endAgent('SIGTERM');
    const look = (): string[] =>
      readdirSync(site.paths.state, { recursive: true, encoding: 'utf8' })
        .toSorted()
        .map((name) => `${name} ${statSync(join(site.paths.state, name)).mtimeMs}`);
    const before = look();
    const { codes, steps, code } = await doctor();
    expect(codes).toEqual(['daemon_not_running']);
    expect(code).toBe(3);
    expect(stateOf(steps, 'database')).toBe('ok');
    expect(look()).toEqual(before);
  });

  it('does not count as a check-in: Central Command takes the counters of the daemon afterwards', async () => {
    site.startAgent();
    await site.untilStatus('it works again', (s) => s.last_answer_at !== null && s.blocking_reason === null);
  });

  it('names the box that answers in place of Central Command, and what the daemon itself says of it', async () => {
    await site.endCentral('SIGTERM');
    const box = await makeTestCa({ name: 'Inspection Box' });
    let requests = 0;
    const { certPem: cert, keyPem: key } = await box.issueServer({ ips: ['127.0.0.1'] });
    const server = createServer({ cert, key }, (_request, response) => {
      requests += 1;
      response.end();
    });
    server.listen(Number(new URL(site.url()).port), '127.0.0.1');
    await once(server, 'listening');
    await site.untilStatus('it is blocked', (s) => s.blocking_reason?.code === 'tls_untrusted');
    const { codes, steps } = await doctor();
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    expect(codes).toEqual(['tls_untrusted', 'tls_untrusted']);
    expect(steps.find((one) => one.step === 'tls')?.sentence).toContain('"Inspection Box"');
    expect(requests).toBe(0);
  });

  it('says that nobody listens where Central Command was', async () => {
    const { codes } = await doctor();
    expect(codes[0]).toBe('connect_refused');
  });
});
