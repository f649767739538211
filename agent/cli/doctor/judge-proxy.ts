// Proxy settings in the environment. The agent uses none, on purpose: what counts is whether the direct way works. Pure.
import { notLookedAt, ok, problem, type Verdict } from './verdict.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const PROXY_VARIABLES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NODE_USE_ENV_PROXY'];
/** Settings that would weaken TLS elsewhere; the agent says its own wish for each connection, so they change nothing. */
const TLS_VARIABLES = ['NODE_TLS_REJECT_UNAUTHORIZED', 'NODE_EXTRA_CA_CERTS'];

export interface ProxyInputs {
  readonly own: Environment;
  /** Of the daemon's process; null where there is none or its environment cannot be read. */
  readonly daemon: Environment | null;
  /** Whether a direct connection came about; null where it was not tried. */
  readonly direct: boolean | null;
}

/** Host and port of a proxy setting; user and password are never shown. */
function proxyHost(value: string): string {
  const url = URL.parse(value.includes('://') ? value : `http://${value}`);
  return url === null || url.host === '' ? 'unreadable' : url.host;
}

function named(environment: Environment, names: readonly string[]): [name: string, value: string][] {
  return names.flatMap((name) =>
    [name, name.toLowerCase()].flatMap((spelling) => {
      const value = environment[spelling];
      return value === undefined || value === '' ? [] : [[spelling, value] as [string, string]];
    }),
  );
}

export function judgeProxy({ own, daemon, direct }: ProxyInputs): Verdict {
  const environment = { ...own, ...daemon };
  const proxies = named(environment, PROXY_VARIABLES).map(([name, value]) =>
    name === 'NODE_USE_ENV_PROXY' ? name : `${name}=${proxyHost(value)}`,
  );
  const tls = named(environment, TLS_VARIABLES).map(([name]) => `${name} is set and changes nothing for the agent`);
  if (proxies.length === 0) return ok('no proxy is set, and the agent needs none', tls);
  const shown = proxies.join(', ');
  if (direct === true) return ok(`a proxy is set (${shown}) and not used: the direct way works`, tls);
  if (direct === null)
    return notLookedAt(`whether the direct way works is not known; a proxy is set (${shown})`, ['tcp']);
  return problem(
    {
      code: 'proxy_in_the_way',
      sentence: `a proxy is set (${shown}), and the direct way to Central Command does not work`,
      meaning:
        'this network wants its machines to use a proxy; the agent goes directly, since a proxy could read along',
      remedy: 'let this machine out to Central Command directly in the firewall of the site',
    },
    { breaks: false, notes: tls },
  );
}
