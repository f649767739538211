// `provision status`: how far enrolment is, for whoever stands in front of the machine. The appliance's console shows the same.
import encodeQr from 'qr';
import { EXIT } from '../errors/exit-codes.ts';
import { isResetPending } from '../identity/reset.ts';
import { readStatus, type AgentStatus } from '../system/status-file.ts';
import { nowSeconds, type CliContext } from './deps.ts';
import { livenessOf, processExists } from './liveness.ts';
import { stateDirOf } from './open-state.ts';
import { print } from './print.ts';
import { shownClaim, type ClaimOnScreen } from './shown-claim.ts';
import { harmless, utc } from './style.ts';

function linesOf(
  status: AgentStatus | null,
  isRunning: boolean,
  claim: ClaimOnScreen | null,
  isReset: boolean,
): string[] {
  if (isReset) return ['This appliance is being reset; it forgets who it was at the next start of the daemon.'];
  if (status === null || !isRunning) {
    return ['The daemon is not running; start it to enrol: systemctl start compliance-agent'];
  }
  if (status.state === 'enrolled') {
    return [harmless(`Enrolled as ${status.appliance_id ?? '?'} at site ${status.site_id ?? '?'}.`)];
  }
  const { blocking_reason: reason, fingerprint } = status;
  const lines = [reason === null ? 'Not enrolled yet.' : harmless(`${reason.sentence} (${reason.code})`)];
  if (reason !== null) lines.push(harmless(`What to do: ${reason.remedy}.`));
  if (fingerprint !== null) lines.push('', `Fingerprint  ${(fingerprint.match(/.{4}/g) ?? []).join(' ')}`);
  if (claim === null) return lines;
  // Drawn with half blocks, dark on light: a phone reads it off a console.
  const drawn = encodeQr(claim.url, 'ascii', { ecc: 'medium' }).trimEnd().split('\n');
  return [
    ...lines,
    `Type         ${claim.alias}   (until ${utc(claim.until)})`,
    `Claim code   ${claim.code}`,
    '',
    ...drawn,
  ];
}

/** Exit 0 once enrolled, 3 before. */
export function provisionStatus(context: CliContext): number {
  const dir = stateDirOf(context);
  const now = nowSeconds(context);
  const status = readStatus(dir);
  const isRunning = status !== null && livenessOf(status, now, processExists(status.pid)) === 'running';
  const isReset = isResetPending(dir);
  const isEnrolled = status?.state === 'enrolled';
  const claim = isEnrolled || !isRunning ? null : shownClaim(dir, context.configPath, now);
  const value = {
    daemon_running: isRunning,
    state: status?.state ?? null,
    appliance_id: status?.appliance_id ?? null,
    site_id: status?.site_id ?? null,
    fingerprint: status?.fingerprint ?? null,
    reason: status?.blocking_reason ?? null,
    reset_pending: isReset,
    claim,
  };
  print(context, 'provision-status', value, () => linesOf(status, isRunning, claim, isReset));
  return isEnrolled && isRunning && !isReset ? EXIT.ok : EXIT.unavailable;
}
