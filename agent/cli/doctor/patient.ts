// What the doctor knows of the appliance: where its files lie, who it is, and where Central Command is. From the
// configuration, the store and the provisioning files, whichever of them is there and in order.
import { isAgentError } from '../../errors/agent-error.ts';
import { ConfigError } from '../../config/config-error.ts';
import type { Config } from '../../config/keys.ts';
import { loadConfig } from '../../config/load-config.ts';
import { acceptedCas } from '../../identity/central-cas.ts';
import { mistakeLine, ProvisionError } from '../../identity/provision-mistake.ts';
import { readProvisionFiles } from '../../identity/provision-files.ts';
import type { EnrolledIdentity, RootRow, SignedTimeRow } from '../../store/trust-documents.ts';
import { parseRoot } from '../../trust/root.ts';
import type { Exec } from '../../system/ports.ts';
import { utc } from '../style.ts';
import { certificateEnd, type CentralAddress } from './ask-central.ts';
import { readIdentity } from './read-database.ts';
import { notLookedAt, ok, problem, problemsOr, type Problem, type Verdict } from './verdict.ts';
import { join } from 'node:path';

/** The file on disk is not needed where `--state` names the folder. */
export interface Places {
  readonly config: Config | null;
  readonly stateDir: string;
  readonly provisionDir: string;
}

export interface Central extends CentralAddress {
  /** Host and port as in the URL. */
  readonly host: string;
  readonly hostname: string;
  readonly port: number;
}

export interface Enrolment {
  readonly central: Central;
  /** Null before enrolment. */
  readonly enrolled: { readonly identity: EnrolledIdentity; readonly root: RootRow } | null;
  readonly signedTime: SignedTimeRow | null;
  readonly rootIssuedAt: number;
}

export interface Found<T> {
  readonly verdict: Verdict;
  /** Null where the verdict says why. */
  readonly value: T | null;
}

const NO_START = 'the daemon does not start with it';

export function findPlaces(configPath: string, stateDir: string | null): Found<Places> {
  const given: Places | null =
    stateDir === null ? null : { config: null, stateDir, provisionDir: join(stateDir, 'provision') };
  try {
    const { config, warnings } = loadConfig(configPath);
    return {
      verdict: ok(`${configPath} has no mistakes`, warnings),
      value: { config, stateDir: stateDir ?? config.state_dir, provisionDir: config.provision_dir },
    };
  } catch (error) {
    if (!isAgentError(error)) throw error;
    if (given !== null && error.code === 'config_not_found') {
      return { verdict: notLookedAt('there is none, and --state names the folder'), value: given };
    }
    const problems: Problem[] =
      error instanceof ConfigError
        ? error.problems.map((one) => ({
            code: one.code,
            sentence: `${one.place}: ${one.sentence}`,
            meaning: NO_START,
            remedy: one.remedy,
          }))
        : [{ code: error.code, sentence: error.message, meaning: NO_START, remedy: error.remedy }];
    return { verdict: problemsOr(problems, ok(''), { breaks: given === null }), value: given };
  }
}

/** Who this appliance is: from the store where it is enrolled, else from the provisioning files. */
export async function findEnrolment(
  places: Places,
  exec: Exec,
  now: number,
  signal: AbortSignal,
): Promise<Found<Enrolment>> {
  const read = await readIdentity(exec, places.stateDir, signal);
  if (!read.ok && read.code !== 'store_missing') {
    return { verdict: notLookedAt(`the database cannot be read (${read.sentence})`, ['database']), value: null };
  }
  const { identity = null, root = null, signedTime = null } = read.ok ? read.value : {};
  if (identity === null || root === null) return fromProvision(places);
  const url = places.config?.central_url ?? identity.centralUrl;
  const inForce = parseRoot(root.line).root;
  const value: Enrolment = {
    central: centralAt(url, acceptedCas(identity, inForce)),
    enrolled: { identity, root },
    signedTime,
    rootIssuedAt: inForce.issued_at,
  };
  return { verdict: judgeCertificateEnd(identity, certificateEnd(identity), now), value };
}

/** Pure. */
export function judgeCertificateEnd(identity: EnrolledIdentity, end: number | null, now: number): Verdict {
  const who = `enrolled as ${identity.applianceId} at site ${identity.siteId}`;
  if (end !== null && now < end) return ok(`${who}; its certificate is valid until ${utc(end)}`);
  return problem(
    {
      code: end === null ? 'client_certificate_invalid' : 'client_certificate_lapsed',
      sentence: `${who}, but its certificate ${end === null ? 'cannot be read' : `ended ${utc(end)} by this machine's clock`}`,
      meaning: 'Central Command refuses its check-ins and uploads until the daemon has recovered a new one',
      remedy: 'check the clock first; then see that the daemon runs, and what its status says',
    },
    { breaks: false },
  );
}

function fromProvision(places: Places): Found<Enrolment> {
  try {
    const found = readProvisionFiles(places.provisionDir);
    const url = places.config?.central_url ?? found.centralUrl;
    return {
      verdict: ok(
        `not enrolled yet; the provisioning files in ${places.provisionDir} are complete (partner ${found.root.root.partner_id})`,
      ),
      value: {
        central: centralAt(url, found),
        enrolled: null,
        signedTime: null,
        rootIssuedAt: found.root.root.issued_at,
      },
    };
  } catch (error) {
    if (!isAgentError(error)) throw error;
    const meaning = 'the appliance cannot enrol, and does not know where Central Command is';
    const sentences =
      error instanceof ProvisionError
        ? error.mistakes.map((one) => `${places.provisionDir}: ${mistakeLine(one)}`)
        : [`${error.message} (${error.place ?? places.provisionDir})`];
    const problems = sentences.map((sentence) => ({ code: error.code, sentence, meaning, remedy: error.remedy }));
    return { verdict: problemsOr(problems, ok('')), value: null };
  }
}

function centralAt(url: string, from: { readonly caPem: string; readonly caPins: readonly string[] }): Central {
  const { host, hostname, port } = new URL(url);
  return {
    url,
    host,
    hostname: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || 443),
    caPem: from.caPem,
    caPins: from.caPins,
  };
}
