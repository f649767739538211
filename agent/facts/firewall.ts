// Reads the packet filter as the kernel holds it (not as a file declares it).
import { join } from 'node:path';
import { readFileLimited } from '../system/files.ts';
import { readEgressRefresh, type EgressRefresh } from './egress.ts';
import { readRuleset, type BaseChain, type TableDigest } from './normalise-ruleset.ts';
import { CAP_NET_ADMIN, hasCapability, parseProcessStatus } from './proc-status.ts';
import { runTool, Unreadable, type Probe, type ProbeContext } from './probe.ts';

const MAX_STATUS_BYTES = 64 * 1024;

export type DefaultPolicy = 'drop' | 'accept';
export type Hook = 'input' | 'output' | 'forward';
export const HOOKS: readonly Hook[] = ['input', 'output', 'forward'];

export interface FirewallFacts {
  readonly tables: readonly TableDigest[];
  /** What happens to a packet that no rule of any filter chain decides. IPv4 and IPv6 both have to drop to be `drop`. */
  readonly policies: Readonly<Record<Hook, DefaultPolicy>>;
  /** Whether what opens the egress table still does. */
  readonly egressRefresh?: EgressRefresh;
}

/** Pure. A base chain of type filter with policy drop ends what reaches its end, whatever other tables accept. */
export function defaultPolicies(chains: readonly BaseChain[]): Record<Hook, DefaultPolicy> {
  const drops = (hook: Hook, family: string): boolean =>
    chains.some(
      (c) =>
        c.hook === hook && c.type === 'filter' && c.policy === 'drop' && (c.family === 'inet' || c.family === family),
    );
  const policy = (hook: Hook): DefaultPolicy => (drops(hook, 'ip') && drops(hook, 'ip6') ? 'drop' : 'accept');
  return { input: policy('input'), output: policy('output'), forward: policy('forward') };
}

/** Without the capability some versions of nft list nothing and say nothing: an empty list would look like no firewall. */
function assertMayRead(context: ProbeContext): void {
  const text = readFileLimited(join(context.procDir ?? '/proc', 'self/status'), MAX_STATUS_BYTES).toString('latin1');
  const status = parseProcessStatus(text);
  if (status === null) throw new Unreadable('unparsable', '/proc/self/status is not what proc(5) documents');
  if (!hasCapability(status, CAP_NET_ADMIN)) {
    throw new Unreadable('denied', 'reading the rules needs CAP_NET_ADMIN');
  }
}

export const firewallProbe: Probe<FirewallFacts> = {
  name: 'firewall',
  asRoot: { everyS: 600 },
  async read(context) {
    assertMayRead(context);
    const ruleset = readRuleset((await runTool(context, ['nft', '-j', 'list', 'ruleset'])).toString('utf8'));
    if (ruleset === null) throw new Unreadable('unparsable', 'the output of nft is not the JSON of a ruleset');
    const egressRefresh = readEgressRefresh(context.rootDir ?? '/', Math.floor(context.clock.wallMs() / 1_000));
    return { tables: ruleset.tables, policies: defaultPolicies(ruleset.baseChains), egressRefresh };
  },
};
