// Until the appliance is enrolled: reads the provisioning files, claims by each source that there is (a stick's token, what stands
// on its label, a claim code), and waits for a person's confirmation.
// Every dead end here is said as the blocking reason and tried again.
import { AgentError, isAgentError } from '../../errors/agent-error.ts';
import { fingerprint } from '../../wire/fingerprint.ts';
import { createHttpsClient } from '../../https/client.ts';
import { removeClaim } from '../../identity/claim-file.ts';
import { enrolOnce } from '../../identity/enrol.ts';
import { overwriteToken, readProvisionFiles, writeProvisionResult } from '../../identity/provision-files.ts';
import type { DaemonContext } from '../context.ts';
import { nowSeconds } from '../context.ts';
import { tryEachSource } from '../enrol-sources.ts';
import { judgeOfDates, mayRecoverTime } from '../judge-of-dates.ts';
import { openEnrolled } from '../open-enrolled.ts';
import { recoverTimeByClaim } from '../recover-time.ts';
import type { Stage, StageResult } from '../stage.ts';

const LOOK_FOR_FILES_MS = 10_000;
const LONGEST_PAUSE_MS = 300_000;
const DEADLINE_MS = 45_000;

export function enrolStage(context: DaemonContext): Stage {
  const { state } = context;
  return {
    name: 'enrol',
    wanted: () => state.enrolled === null,
    intervalMs: () => Math.min(LOOK_FOR_FILES_MS, context.config.poll_interval_s * 1_000),
    jittered: true,
    deadlineMs: DEADLINE_MS,
    longestPauseMs: () => Math.min(LONGEST_PAUSE_MS, context.config.poll_interval_s * 5_000),
    async run(signal, runId) {
      try {
        return await enrolWithKnownTime(context, signal, runId);
      } catch (error) {
        if (isAgentError(error) && !signal.aborted) {
          const at = error.place === undefined ? '' : ` (${error.place})`;
          state.enrolment = {
            code: error.code,
            sentence: `Not enrolled: ${error.message}${at}.`,
            remedy: error.remedy,
          };
        }
        throw error;
      }
    },
  };
}

/** A clock that nobody vouches for is no reason not to enrol: then a signed answer says what time it is. */
async function enrolWithKnownTime(
  context: DaemonContext,
  signal: AbortSignal,
  runId: string,
): Promise<StageResult | void> {
  try {
    return await tryToEnrol(context, signal, runId);
  } catch (error) {
    if (!isAgentError(error) || error.code !== 'tls_date_invalid' || !mayRecoverTime(context)) throw error;
  }
  const provision = readProvisionFiles(context.config.provision_dir);
  const centralUrl = context.config.central_url ?? provision.centralUrl;
  await recoverTimeByClaim(context, { ...provision, centralUrl }, signal);
  return await tryToEnrol(context, signal, runId);
}

async function tryToEnrol(context: DaemonContext, signal: AbortSignal, runId: string): Promise<StageResult | void> {
  const { state, config, store, keys, clock } = context;
  const log = context.log.child({ run_id: runId, stage: 'enrol' });
  const provision = readProvisionFiles(config.provision_dir);
  const centralUrl = config.central_url ?? provision.centralUrl;
  state.fingerprint = fingerprint(keys.signer.spki, provision.root.digest);
  state.centralUrl = centralUrl;
  const { caPem, caPins } = provision;
  const https = createHttpsClient({ baseUrl: centralUrl, caPem, caPins, dates: () => judgeOfDates(context) });
  try {
    const deps = { https, keys, clock, ids: context.ids, agentVersion: context.build.version };
    const { answer, refused } = await tryEachSource(context, { ...provision, centralUrl }, (source) =>
      enrolOnce(deps, { ...provision, centralUrl }, signal, source),
    );
    if (answer.status === 'pending') {
      if (state.lifecycle !== 'pending') log.info('waiting for confirmation', { fingerprint: state.fingerprint });
      state.lifecycle = 'pending';
      const remedy = `compare the fingerprint ${state.fingerprint} and confirm it at Central Command`;
      state.enrolment =
        refused === null
          ? { code: 'enrolment_pending', sentence: answer.sentence, remedy }
          : { code: refused.code, sentence: `${refused.sentence} ${answer.sentence}`, remedy: refused.remedy };
      return { nextInMs: Math.min(answer.retryInS, config.poll_interval_s) * 1_000 };
    }
    refuseOtherMode(config, answer.identity);
    const at = nowSeconds(clock);
    store.unit(() => {
      const { root } = provision.root;
      store.trust.addRoot({ version: root.version, digest: provision.root.digest, line: provision.root.line });
      store.trust.saveIdentity(answer.identity);
      if (answer.policy !== null) {
        const { value, digest, line } = answer.policy;
        store.trust.putDocument({ kind: 'policy', version: value.version, digest, line, at });
      }
    });
    state.enrolled = openEnrolled(context, answer.identity);
    state.lifecycle = 'enrolled';
    state.enrolment = null;
    removeClaim(config.state_dir);
    const { applianceId, siteId, origin } = answer.identity;
    log.info('enrolled', { appliance_id: applianceId, site_id: siteId, origin });
    context.trigger('checkin');
    // What was found before enrolment is in no log yet: the log begins with every check.
    state.care.checksAsked += 1;
    context.trigger('checks');
    tidyStick(context, `enrolled as ${applianceId} at site ${siteId}`);
  } finally {
    await https.close();
  }
}

/**
 * The token is worthless now; that it still stands on a stick that cannot be written is worth a line in the log, and no reason to
 * call the appliance not enrolled. Called again at each start, for a process that ended in between.
 */
export function tidyStick(context: Pick<DaemonContext, 'config' | 'log' | 'folders'>, result: string | null): void {
  try {
    overwriteToken(context.config.provision_dir);
    if (result !== null) writeProvisionResult(context.config.provision_dir, result);
  } catch (error) {
    if (!isAgentError(error)) throw error;
    // What root took from a stick is root's, and the helper that took it overwrites the token there.
    if (context.folders !== null && (error.code === 'file_denied' || error.code === 'file_read_only')) return;
    if (result !== null) context.log.warn('provisioning files not tidied', { code: error.code, reason: error.message });
  }
}

/** The binding says how the partner runs this site; a configuration that says otherwise is a mistake to be seen, not guessed away. */
function refuseOtherMode(
  config: DaemonContext['config'],
  identity: { readonly deploymentMode: string; readonly resellerId: string | null },
): void {
  if (identity.deploymentMode !== config.mode || (identity.resellerId ?? null) !== config.reseller_id) {
    throw new AgentError(
      'binding_mode_differs',
      `Central Command enrolled this appliance as ${identity.deploymentMode}/${identity.resellerId ?? '-'}, the configuration says ${config.mode}/${config.reseller_id ?? '-'}`,
    );
  }
}
