// A host with or without a port, as people write it in a list: `name`, `name:port`, `192.0.2.1:port`, `2001:db8::1`,
// `[2001:db8::1]:port`. Pure.
import { isIPv6 } from 'node:net';

export interface HostPort {
  /** A name, or an address without brackets. */
  readonly host: string;
  /** Null where none stands there. */
  readonly port: number | null;
}

const MAX_PORT = 65_535;
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const NAME = new RegExp(`^(${LABEL}(?:\\.${LABEL})*)(?::([0-9]{1,5}))?$`);
const BRACKETED = /^\[([0-9a-fA-F:.]+)\](?::([0-9]{1,5}))?$/;
/** A name of digits and dots only would be taken for an address by one program and for a name by another. */
const LIKE_AN_ADDRESS = /^[0-9.]+$/;
const IPV4 = /^(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.(?!$)|$)){4}$/;

/** Null for anything else: a path, a wildcard, a port out of range, an address that is none. */
export function parseHostPort(text: string): HostPort | null {
  if (isIPv6(text)) return text.includes('%') ? null : { host: text, port: null };
  const bracketed = BRACKETED.exec(text);
  const found = bracketed ?? NAME.exec(text);
  const [, host = '', digits] = found ?? [];
  if (found === null || host.length > 253) return null;
  if (bracketed !== null ? !isIPv6(host) : LIKE_AN_ADDRESS.test(host) && !IPV4.test(host)) return null;
  if (digits === undefined) return { host, port: null };
  const port = Number(digits);
  return port >= 1 && port <= MAX_PORT ? { host, port } : null;
}
