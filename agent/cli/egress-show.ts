// `egress show`: what the refresher left about what is open. It reads that file and not the kernel, so that everybody may ask.
import { parseEgressState, type EgressState, type OpenDoor } from '../egress/egress-state.ts';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { EGRESS_STATE, MAX_EGRESS_BYTES } from '../facts/egress.ts';
import { readUnforgeableFile } from '../system/files.ts';
import type { CliContext } from './deps.ts';
import { print } from './print.ts';
import { columns, harmless, painter } from './style.ts';

const ROOT = 0;
/** Tests have their own. */
const STATE_VARIABLE = 'COMPLIANCE_AGENT_EGRESS_STATE';

/** Exit 3 where nothing is open, or Central Command's door is not. @throws egress_never_refreshed */
export function egressShow(context: CliContext): number {
  const state = readEgress(context);
  if (state === null) {
    throw new AgentError('egress_never_refreshed', 'nothing has opened the egress table since this machine started');
  }
  const nowMs = context.clock.bootMs();
  print(context, 'egress', { state, boot_ms: Math.floor(nowMs) }, () => lines(context, state, nowMs));
  return state.problem === null ? EXIT.ok : EXIT.unavailable;
}

/** What the refresher left in this boot; null where it left nothing, or what is no such file. @throws file_… */
export function readEgress({ env, clock }: Pick<CliContext, 'env' | 'clock'>): EgressState | null {
  try {
    const bytes = readUnforgeableFile(env[STATE_VARIABLE] ?? EGRESS_STATE, MAX_EGRESS_BYTES, ROOT);
    const state = parseEgressState(bytes.toString('utf8'));
    return state?.boot_id === clock.bootId() ? state : null;
  } catch (error) {
    if (isAgentError(error) && error.code === 'file_missing') return null;
    throw error;
  }
}

function lines(context: CliContext, state: EgressState, nowMs: number): string[] {
  const paint = painter(context.stdout, context.env);
  const left = (until: number): string => (until > nowMs ? `${Math.ceil((until - nowMs) / 1_000)} s` : 'closed');
  const ports = (list: OpenDoor['ports']): string => list.map(({ protocol, port }) => `${protocol}/${port}`).join(' ');
  const doors = state.doors.flatMap(({ who, host, ports: open, why, addresses, problem }) => {
    const common = [who, host, ports(open)];
    if (addresses.length === 0) return [[...common, problem ?? 'no address', 'closed', why.join(', ')]];
    return addresses.map(({ address, until }) => [...common, address, left(until), why.join(', ')]);
  });
  const networks = state.networks.map(({ prefix, ports: open, until }) => [
    ...['agent', prefix, ports(open)],
    ...[prefix, left(until), 'target_networks'],
  ]);
  const heading = ['for', 'host', 'ports', 'address', 'open for', 'why'];
  const rows = doors.length + networks.length === 0 ? [] : columns([heading, ...doors, ...networks], dimmed(paint));
  return [
    ...rows,
    ...state.warnings.map((warning) => paint('yellow', harmless(`warning: ${warning}`))),
    ...(state.problem === null
      ? [`site policy: ${state.policy_version === null ? 'none counts' : `version ${state.policy_version}`}`]
      : [paint('red', harmless(`${state.problem.code}: ${state.problem.sentence}`))]),
  ];
}

const dimmed =
  (paint: ReturnType<typeof painter>) =>
  (text: string, _column: number, row: number): string =>
    row === 0 ? paint('dim', text) : text;
