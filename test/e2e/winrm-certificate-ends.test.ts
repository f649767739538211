// What the runner hands on of the certificate that a host shows: its end, once for each contact, over real TLS on both ends.
import { createHash, X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { noteTargetCertificate, watchTargetCertificates } from '../../agent/daemon/target-certificates.ts';
import { createRecorder } from '../../agent/evidence/recorder.ts';
import { winRmRunner } from '../../agent/execution/winrm-runner.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { createIds } from '../../agent/system/ids.ts';
import type { Target } from '../../agent/targets/target.ts';
import { openWinRmSession } from '../../agent/winrm/open-session.ts';
import { simulatedSite } from '../lab/simulated-site.ts';
import { hostHandler } from '../lab/windows-host.ts';
import type { WinRmServerOptions } from '../lab/winrm-server/start-winrm-server.ts';
import { linesOf, statementsOf, withLog } from '../support/evidence-fixtures.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { memoryLog } from '../support/fakes/memory-log.ts';
import { ANY_RUN, machine, testTarget } from '../support/runbook-fixtures.ts';
import { makeTestCa, type IssuedCertificate, type TestCa } from '../support/test-ca.ts';
import { PASSWORD, withServer } from '../support/winrm-lab.ts';

const DAY = 86_400;
/** To the second, as a certificate has it. */
const NOW = Math.floor(Date.now() / 1_000);
const never = new AbortController().signal;

let ca: TestCa;
let soon: IssuedCertificate;
let far: IssuedCertificate;

beforeAll(async () => {
  ca = await makeTestCa({ name: 'Clinic-Issuer', notAfter: new Date((NOW + 900 * DAY) * 1_000) });
  const issue = (days: number): Promise<IssuedCertificate> =>
    ca.issueServer({ names: ['localhost'], notAfter: new Date((NOW + days * DAY) * 1_000) });
  [soon, far] = await Promise.all([issue(10), issue(300)]);
});

const pinOf = ({ certPem }: IssuedCertificate): Target['tls'] => ({
  trust: 'spki',
  sha256: createHash('sha256')
    .update(new X509Certificate(certPem).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex'),
});

interface Contact {
  /** How often a script is run in the session. */
  readonly runs?: number;
  readonly change?: Partial<Target>;
  readonly server?: Partial<WinRmServerOptions>;
}

/** Scripts in one session with `srv-1`; what was told of its certificate. */
async function contact(
  tls: IssuedCertificate | null,
  o: Contact,
  told: (target: Pick<Target, 'id' | 'tls'>, ends: number) => void,
): Promise<void> {
  const site = simulatedSite({ 'srv-1': machine() });
  const server = { handler: hostHandler(site, 'srv-1'), ...(tls === null ? {} : { tls }), ...o.server };
  await withServer(server, async ({ port }) => {
    const guard = { begin: () => ({ may: 'try' }) as const, end: () => undefined };
    const deps = { clock: systemClock, ids: createIds(systemClock), log: memoryLog() };
    const target = testTarget('srv-1', {
      ...{ hostname: 'localhost', address: '127.0.0.1', port, scheme: tls === null ? 'http' : 'https' },
      ...{ principal: 'agent', domain: 'LAB', secret: Buffer.from(PASSWORD) },
      tls: { trust: 'ca', pem: ca.caPem },
      ...o.change,
    });
    const session = winRmRunner({ open: openWinRmSession, guard, ...deps, met: told }).open(target);
    try {
      for (let run = 0; run < (o.runs ?? 1); run += 1) await session.run(ANY_RUN, never);
    } finally {
      await session.close();
    }
  });
}

async function toldOf(tls: IssuedCertificate | null, o: Contact = {}): Promise<number[]> {
  const told: number[] = [];
  await contact(tls, o, (_target, ends) => told.push(ends));
  return told;
}

describe('a contact with a host over TLS', () => {
  it.each([
    ['NTLM', {}],
    ['Basic', { auth: 'basic_tls' }],
  ] as const)('hands on when the certificate ends, once however many scripts run, with %s', async (_name, change) => {
    const server = { offer: ['Negotiate', 'Basic'] };
    expect(await toldOf(soon, { runs: 2, change, server })).toEqual([NOW + 10 * DAY]);
    expect(await toldOf(far, { change, server })).toEqual([NOW + 300 * DAY]);
  });

  it('hands it on where the key is pinned too, also of a certificate that has ended', async () => {
    const ended = await ca.issueServer({
      notBefore: new Date((NOW - 9 * DAY) * 1_000),
      notAfter: new Date((NOW - DAY) * 1_000),
    });
    expect(await toldOf(ended, { change: { tls: pinOf(ended) } })).toEqual([NOW - DAY]);
  });

  it('hands nothing on where there is no TLS, where the certificate is not trusted, or where the host refuses the logon', async () => {
    expect(await toldOf(null)).toEqual([]);
    const told: number[] = [];
    const note = (_target: unknown, ends: number): void => void told.push(ends);
    await expectCodeAsync(contact(soon, { change: { tls: pinOf(far) } }, note), 'winrm_pin_mismatch');
    await expectCodeAsync(contact(soon, { change: { secret: Buffer.from('wrong') } }, note), 'winrm_logon_failed');
    expect(told).toEqual([]);
  });

  it('ends in an alert for 10 days and none for 300; nothing of the certificate but its end is kept or written', () =>
    withLog(async (open) => {
      const { store, clock } = open;
      clock.setWall(NOW * 1_000);
      const recorder = createRecorder(open);
      const log = memoryLog();
      const meet = async (tls: IssuedCertificate): Promise<string[]> => {
        await contact(tls, {}, (target, ends) => noteTargetCertificate({ store, log }, target, ends, NOW));
        watchTargetCertificates({ store, targets: { namedOverTls: () => ['srv-1'] } }, recorder, NOW);
        return recorder.alerts().map(({ code, target, severity }) => `${code} ${target} ${severity}`);
      };
      expect(await meet(far)).toEqual([]);
      expect(await meet(soon)).toEqual(['target_certificate_ends srv-1 low']);
      expect(await meet(far)).toEqual([]);
      const alerts = statementsOf(store).flatMap(({ predicate }) => (predicate.kind === 'alert' ? [predicate] : []));
      expect(alerts.map(({ state, details }) => [state, details])).toEqual([
        ['raised', { ends_at: NOW + 10 * DAY, target: 'srv-1' }],
        ['cleared', { target: 'srv-1' }],
      ]);
      const kept = [JSON.parse(store.settings.get('self_care.target_certificates') ?? ''), log.records];
      expect(kept).toEqual([{ 'srv-1': { ends: NOW + 300 * DAY, met: NOW, pinned: false } }, []]);
      const said = linesOf(store).map((line) =>
        Buffer.from((JSON.parse(line) as { payload: string }).payload, 'base64'),
      );
      expect(said.map(String).join('\n')).not.toMatch(/Clinic-Issuer|localhost|BEGIN CERTIFICATE/);
    }));
});
