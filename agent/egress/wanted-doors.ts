// Room `egress`: what may leave the machine. Everything is closed; a oneshot of root's opens doors for a while, for what root's
// configuration and the signed site policy name, and a door that is not opened again closes by itself (docs/egress.md).
//
// Here: which doors there are to be. Pure.
import { parseHostPort } from '../config/host-port.ts';
import type { Config } from '../config/keys.ts';
import type { SitePolicy } from '../wire/schemas/site-policy.ts';

/** Whose packets a door lets out: those of the daemon's user, or those of root. */
export type Who = 'agent' | 'root';

export interface Port {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

export interface Door {
  readonly who: Who;
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly ports: readonly Port[];
  /** For people: what it is open for. */
  readonly why: readonly string[];
}

export interface Wanted {
  /** Central Command first; one for each host. */
  readonly doors: readonly Door[];
  /** Networks of the site policy, as they stand there. */
  readonly networks: SitePolicy['target_networks'];
}

const HTTPS_PORT = 443;
const HTTP_PORT = 80;

const tcp = (port: number): Port => ({ protocol: 'tcp', port });

/** `centralUrl`: `https://host[:port]`; null where nobody that counts names it. `policy`: verified, or null. */
export function wantedDoors(
  config: Pick<Config, 'allowed_hosts' | 'root_hosts' | 'timestamp_url'>,
  centralUrl: string | null,
  policy: SitePolicy | null,
): Wanted {
  const doors: Door[] = [];
  const add = (who: Who, host: string, port: number, why: string): void => {
    doors.push({ who, host, ports: [tcp(port)], why: [why] });
  };
  const addUrl = (who: Who, url: string | null, why: string): void => {
    if (url === null) return;
    const { hostname, port, protocol } = new URL(url);
    const usual = protocol === 'http:' ? HTTP_PORT : HTTPS_PORT;
    add(who, hostname.replace(/^\[|\]$/g, ''), port === '' ? usual : Number(port), why);
  };
  addUrl('agent', centralUrl, 'central_command');
  // A technician runs the doctor as root; it must see what the daemon sees.
  addUrl('root', centralUrl, 'central_command');
  addUrl('agent', config.timestamp_url, 'timestamp_url');
  for (const [who, list, why] of [
    ['agent', config.allowed_hosts, 'allowed_hosts'],
    ['root', config.root_hosts, 'root_hosts'],
  ] as const) {
    for (const text of list) {
      const found = parseHostPort(text);
      if (found !== null) add(who, found.host, found.port ?? HTTPS_PORT, why);
    }
  }
  if (policy !== null) {
    for (const { id, kind, host, port } of policy.outputs) {
      // Goes through Central Command, whose door is open.
      if (kind !== 'central') add('agent', host, port, `output ${id}`);
    }
    for (const asked of [policy.llm, policy.llm?.local]) if (asked) add('agent', asked.host, asked.port, 'planner');
    const authority = policy.timestamp_authority;
    if (authority !== null) add('agent', authority.host, authority.port, 'timestamp_authority');
  }
  return { doors: merged(doors), networks: policy?.target_networks ?? [] };
}

/** One door for each host and user, with the ports of all. */
function merged(doors: readonly Door[]): Door[] {
  const found = new Map<string, Door>();
  for (const door of doors) {
    const host = door.host.toLowerCase().replace(/\.$/, '');
    const key = `${door.who} ${host}`;
    const known = found.get(key) ?? { ...door, host, ports: [], why: [] };
    const ports = door.ports.filter((one) => !known.ports.some((have) => have.port === one.port));
    const why = door.why.filter((one) => !known.why.includes(one));
    found.set(key, { ...known, ports: [...known.ports, ...ports], why: [...known.why, ...why] });
  }
  return [...found.values()];
}
