// Which language models the site policy lets this appliance ask, in their order. Pure.
import type { SitePolicy } from '../../wire/schemas/site-policy.ts';

export interface Endpoint {
  readonly kind: 'local' | 'remote';
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly model: string;
  readonly credential: string | null;
  readonly auth: 'bearer' | 'api_key';
  /** 0 for a model in the building. */
  readonly centsPerMillionTokens: number;
}

export type Endpoints =
  { readonly on: true; readonly endpoints: readonly Endpoint[] } | { readonly on: false; readonly sentence: string };

const DEFAULT_PATH = '/v1/chat/completions';

type Place = Pick<NonNullable<SitePolicy['llm']>, 'host' | 'port' | 'model' | 'path' | 'credential' | 'auth'>;

const endpointOf = (kind: Endpoint['kind'], place: Place, centsPerMillionTokens: number): Endpoint => ({
  kind,
  host: place.host,
  port: place.port,
  path: place.path ?? DEFAULT_PATH,
  model: place.model,
  credential: place.credential ?? null,
  auth: place.auth ?? 'bearer',
  centsPerMillionTokens,
});

const off = (sentence: string): Endpoints => ({ on: false, sentence });

/**
 * Off unless the signed policy names a model. A remote one needs the id of a business associate agreement (openPolicy refuses a policy
 * without it; asked again here, where it counts) and a price.
 */
export function endpointsOf(policy: SitePolicy | null): Endpoints {
  const llm = policy?.llm ?? null;
  if (llm === null) return off('the site policy names no language model');
  if (llm.provider === 'local') return { on: true, endpoints: [endpointOf('local', llm, 0)] };
  if (llm.baa_id === undefined) return off('the site policy names no business associate agreement');
  if (llm.cents_per_million_tokens === undefined) return off('the site policy names no price for the remote model');
  const remote = endpointOf('remote', llm, llm.cents_per_million_tokens);
  if (llm.provider === 'remote') return { on: true, endpoints: [remote] };
  if (llm.local === undefined) return off('the site policy names no model in the building to ask first');
  return { on: true, endpoints: [endpointOf('local', llm.local, 0), remote] };
}
