// `time_recovery`: a box whose clock nobody vouches for cannot judge the dates of Central Command's certificate, and cannot learn
// the time without talking to it. So one exchange runs with chain, name and pin verified and dates left alone; nothing is kept of
// it but the signed time, which belongs to this request by its nonce. Then dates are judged by that time.
import { exchangeTime } from '../identity/enrol.ts';
import type { Provision } from '../identity/provision-files.ts';
import { createHttpsClient } from '../https/client.ts';
import { nextSignedTime } from '../trust/signed-time.ts';
import type { CheckinInput } from '../uplink/check-in.ts';
import type { Enrolled } from './agent-state.ts';
import { centralClient } from './central-client.ts';
import type { DaemonContext } from './context.ts';

/** By a check-in, for an appliance. @throws what a check-in throws */
export async function recoverTime(
  enrolled: Enrolled,
  context: DaemonContext,
  input: CheckinInput,
  signal: AbortSignal,
): Promise<void> {
  const identity = context.store.trust.identity() ?? enrolled.identity;
  const { root } = enrolled.trust.root();
  const https = centralClient(context, identity, root, identity.certificatePem, () => ({ by: 'nobody' }));
  try {
    await enrolled.uplink.askForTime(https, input, signal);
  } finally {
    await https.close();
  }
  context.log.info('time recovered from a signed answer', { stage: 'checkin' });
}

/** By a claim that carries no secret, before enrolment. @throws what a claim throws */
export async function recoverTimeByClaim(
  context: DaemonContext,
  provision: Provision,
  signal: AbortSignal,
): Promise<void> {
  const { clock, ids, keys, store } = context;
  const { centralUrl: baseUrl, caPem, caPins } = provision;
  const https = createHttpsClient({ baseUrl, caPem, caPins, dates: () => ({ by: 'nobody' }) });
  try {
    const time = await exchangeTime(
      { https, clock, ids, keys, agentVersion: context.build.version },
      provision,
      signal,
    );
    store.unit(() => store.trust.saveSignedTime(nextSignedTime(store.trust.signedTime(), time).time));
  } finally {
    await https.close();
  }
  context.log.info('time recovered from a signed answer', { stage: 'enrol' });
}
