// Where a WinRM service listens, and what proves that it is the one that was meant.

/** What a TLS certificate has to show. */
export type TlsTrust =
  /** Chain to these CA certificates (PEM), and the name. */
  | { readonly kind: 'ca'; readonly caPem: string }
  /** The server's own key is one of these (hex SHA-256 of its DER SPKI); issuer, name and dates do not count then. */
  | { readonly kind: 'spki'; readonly pins: readonly string[] }
  /** Chain to the CAs that the operating system trusts, and the name. */
  | { readonly kind: 'system' };

export interface Endpoint {
  readonly scheme: 'http' | 'https';
  /** The name that certificates and service names are for. */
  readonly hostname: string;
  /** Where to connect, if not to what `hostname` resolves to: an IPv4 or IPv6 address. */
  readonly address?: string;
  /** 5985 for http and 5986 for https by custom. */
  readonly port: number;
  /** Default `/wsman`. */
  readonly path?: string;
  /** Must be there for https. */
  readonly tls?: TlsTrust;
}

/** For messages: scheme, host and port. */
export function endpointName(endpoint: Endpoint): string {
  const host = endpoint.hostname.includes(':') ? `[${endpoint.hostname}]` : endpoint.hostname;
  return `${endpoint.scheme}://${host}:${endpoint.port}`;
}
