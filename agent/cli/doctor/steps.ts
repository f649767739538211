// The steps of the doctor: which rest on which, what each reads, and the pure judge that it hands the reading to.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { isAgentError } from '../../errors/agent-error.ts';
import { clockProbe } from '../../facts/clock.ts';
import { diskProbe, type DiskFacts } from '../../facts/disk.ts';
import type { Fact, ProbeContext } from '../../facts/probe.ts';
import { readFact } from '../../facts/read-facts.ts';
import { readStatus } from '../../system/status-file.ts';
import { nowSeconds, type CliContext } from '../deps.ts';
import { readEgress } from '../egress-show.ts';
import { livenessOf, processExists, runningStatus } from '../liveness.ts';
import { askCentral } from './ask-central.ts';
import { askHttp } from './ask-http.ts';
import { judgeCentral } from './judge-central.ts';
import { judgeCertificate } from './judge-certificate.ts';
import { judgeClock } from './judge-clock.ts';
import { judgeIpv6, judgeTcp } from './judge-connect.ts';
import { judgeDaemon, type DaemonReading } from './judge-daemon.ts';
import { judgeDatabase } from './judge-database.ts';
import { judgeDisk, judgeInodes } from './judge-disk.ts';
import { judgeDnsFilter } from './judge-dns-filter.ts';
import { judgeDns, judgeNumericAddress, resolvedAddresses } from './judge-dns.ts';
import { judgeEgress } from './judge-egress.ts';
import { judgeFiles } from './judge-files.ts';
import { judgePortal } from './judge-portal.ts';
import { judgeProxy } from './judge-proxy.ts';
import { lookAtCertificate } from './look-at-certificate.ts';
import type { NameServer } from './name-servers.ts';
import { findEnrolment, findPlaces, type Enrolment, type Places } from './patient.ts';
import { readCheck, CHECK_DEADLINE_MS } from './read-database.ts';
import { readFiles } from './read-files.ts';
import { readNames, type NameReading } from './read-names.ts';
import type { Step } from './run-steps.ts';
import { tryConnect, type Attempt } from './try-connect.ts';

export interface DoctorOptions {
  /** Ask this DNS server in place of the system's ways. */
  readonly resolver: NameServer | null;
  /** Where plain HTTP is tried; 80 but in tests. */
  readonly portalPort: number;
}

/** What earlier steps have found. A step that is run may rely on what the steps that it needs have left here. */
interface Findings {
  places: Places | null;
  enrolment: Enrolment | null;
  names: NameReading | null;
  attempts: readonly Attempt[] | null;
  tlsReached: boolean;
}

/** For a tool that asks the time service; the daemon's checks wait longer. */
const PROBE_MS = 4_000;
const DEFAULT_MAX_SKEW_MS = 5_000;
const MAX_ENVIRON_BYTES = 1_048_576;

export function doctorSteps(context: CliContext, options: DoctorOptions): Step[] {
  const found: Findings = { places: null, enrolment: null, names: null, attempts: null, tlsReached: false };
  const { exec, clock } = context;
  const places = (): Places => known(found.places);
  const central = () => known(found.enrolment).central;
  const probes = (): ProbeContext => ({
    exec,
    clock,
    stateDir: found.places?.stateDir ?? '/nonexistent',
    keyFiles: [],
    pid: process.pid,
    deadlineMs: PROBE_MS,
  });
  let disk: Promise<Fact<DiskFacts>> | null = null;
  const readDisk = () => (disk ??= readFact(diskProbe, probes()));
  const addresses = (): readonly string[] =>
    found.names === null ? [central().hostname] : resolvedAddresses(found.names);
  const address = (): string =>
    found.attempts?.find((one) => one.outcome === 'connected')?.address ?? addresses()[0] ?? central().hostname;

  return [
    {
      id: 'config',
      needs: [],
      deadlineMs: 2_000,
      async run() {
        const { verdict, value } = findPlaces(context.configPath, context.stateDir);
        found.places = value;
        return verdict;
      },
    },
    {
      id: 'permissions',
      needs: ['config'],
      after: ['enrolment'],
      deadlineMs: 2_000,
      async run() {
        const enrolled = found.enrolment === null ? null : found.enrolment.enrolled !== null;
        return judgeFiles(readFiles(places().stateDir, places().provisionDir), enrolled);
      },
    },
    {
      id: 'disk',
      needs: ['permissions'],
      deadlineMs: PROBE_MS + 2_000,
      run: async () => judgeDisk(await readDisk(), places().stateDir),
    },
    {
      id: 'inodes',
      needs: ['permissions'],
      deadlineMs: PROBE_MS + 2_000,
      run: async () => judgeInodes(await readDisk(), places().stateDir),
    },
    {
      id: 'database',
      needs: ['permissions'],
      deadlineMs: CHECK_DEADLINE_MS + 1_500,
      run: async (signal) => judgeDatabase(await readCheck(exec, places().stateDir, signal)),
    },
    {
      id: 'enrolment',
      needs: ['config'],
      deadlineMs: 7_000,
      async run(signal) {
        const { verdict, value } = await findEnrolment(places(), exec, nowSeconds(context), signal);
        found.enrolment = value;
        return verdict;
      },
    },
    {
      id: 'clock',
      needs: [],
      after: ['enrolment'],
      deadlineMs: PROBE_MS + 2_000,
      async run() {
        const signed = found.enrolment?.signedTime ?? null;
        const sameBoot = signed !== null && signed.bootId === clock.bootId();
        return judgeClock({
          fact: await readFact(clockProbe, probes()),
          now: nowSeconds(context),
          skewMs: sameBoot
            ? Math.round(clock.wallMs() - signed.serverTime * 1_000 - (clock.bootMs() - signed.bootMs))
            : null,
          rootIssuedAt: found.enrolment?.rootIssuedAt ?? null,
          maxSkewMs: found.places?.config?.ntp_max_skew_ms ?? DEFAULT_MAX_SKEW_MS,
        });
      },
    },
    {
      id: 'dns',
      needs: ['enrolment'],
      deadlineMs: 8_000,
      async run(signal) {
        const { hostname } = central();
        if (isIP(hostname) !== 0) return judgeNumericAddress();
        found.names = await readNames(hostname, options.resolver, exec, signal);
        return judgeDns(found.names);
      },
    },
    {
      id: 'dns_filter',
      needs: ['enrolment'],
      after: ['dns'],
      deadlineMs: 1_000,
      run: async () => (found.names === null ? judgeNumericAddress() : judgeDnsFilter(found.names)),
    },
    {
      id: 'egress',
      needs: [],
      deadlineMs: 1_000,
      run: async () => judgeEgress({ state: readEgress(context), bootMs: clock.bootMs() }),
    },
    {
      id: 'tcp',
      needs: ['dns', 'dns_filter'],
      deadlineMs: 6_000,
      async run(signal) {
        found.attempts = await tryConnect(addresses(), central().port, signal);
        return judgeTcp(central().hostname, central().port, found.attempts);
      },
    },
    {
      id: 'ipv6',
      needs: ['dns', 'dns_filter'],
      after: ['tcp'],
      deadlineMs: 1_000,
      run: async () => judgeIpv6(central().port, found.attempts ?? []),
    },
    {
      id: 'proxy',
      needs: [],
      after: ['tcp'],
      deadlineMs: 1_000,
      run: async () =>
        judgeProxy({
          own: context.env,
          daemon: found.places === null ? null : daemonEnvironment(found.places.stateDir, nowSeconds(context)),
          direct: found.attempts === null ? null : found.attempts.some((one) => one.outcome === 'connected'),
        }),
    },
    {
      id: 'tls',
      needs: ['tcp'],
      deadlineMs: 7_000,
      async run(signal) {
        const { host, hostname, port, caPem, caPins } = central();
        const look = await lookAtCertificate({ address: address(), port, hostname }, signal);
        const verdict = judgeCertificate({ look, host, hostname, caPem, caPins, nowMs: clock.wallMs() });
        found.tlsReached = verdict.state === 'ok';
        return verdict;
      },
    },
    {
      id: 'portal',
      needs: ['dns'],
      after: ['tls'],
      deadlineMs: 6_000,
      async run(signal) {
        const { hostname } = central();
        const at = { address: address(), port: options.portalPort, hostname };
        const look = found.tlsReached ? null : await askHttp(at, signal);
        return judgePortal({ hostname, look, tlsReached: found.tlsReached });
      },
    },
    {
      id: 'central',
      needs: ['tls'],
      deadlineMs: 8_000,
      async run(signal) {
        const { enrolled } = known(found.enrolment);
        const { stateDir } = places();
        const credentials = enrolled === null ? null : { ...enrolled, stateDir };
        const look = await askCentral(central(), addresses(), credentials, signal);
        return judgeCentral(look, central().host);
      },
    },
    {
      id: 'daemon',
      needs: ['config'],
      after: ['central'],
      deadlineMs: 2_000,
      run: async () => judgeDaemon(readDaemon(places().stateDir, nowSeconds(context))),
    },
  ];
}

function known<T>(value: T | null): T {
  if (value === null) throw new Error('a step ran before the one that it needs');
  return value;
}

function readDaemon(stateDir: string, now: number): DaemonReading {
  try {
    const status = readStatus(stateDir);
    if (status === null) return { found: 'none' };
    return { found: 'status', status, liveness: livenessOf(status, now, processExists(status.pid)) };
  } catch (error) {
    if (!isAgentError(error)) throw error;
    return { found: 'unreadable', sentence: error.message };
  }
}

/** Null where no daemon runs, or where it belongs to another user. */
function daemonEnvironment(stateDir: string, now: number): Record<string, string> | null {
  try {
    const status = runningStatus(stateDir, now);
    if (status === null) return null;
    const text = readFileSync(`/proc/${status.pid}/environ`, 'utf8').slice(0, MAX_ENVIRON_BYTES);
    return Object.fromEntries(
      text.split('\0').flatMap((pair) => {
        const at = pair.indexOf('=');
        return at > 0 ? [[pair.slice(0, at), pair.slice(at + 1)]] : [];
      }),
    );
  } catch {
    return null;
  }
}
